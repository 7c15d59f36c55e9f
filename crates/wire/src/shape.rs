//! A walk over encoded bytes that allocates nothing: bounds are checked and unknown fields counted
//! before a message is built.

use crate::DecodeError;

/// The fields of one message of the schema.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    number: u32,
    path: &'static str,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Number,
    Bytes,
    Text { max: usize, count: usize },
    Message(&'static Shape),
}

/// What a walk met.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    /// Fields of the message itself that the schema knows.
    pub(crate) known: u32,
    /// Fields that the schema does not know, of the message and those inside it.
    pub(crate) unknown: u32,
}

/// What comes before the value of a field: its number and how the value is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(u64);

/// A number of as many bytes as it needs.
pub(crate) const VARINT: u32 = 0;
/// A number of eight bytes.
pub(crate) const FIXED64: u32 = 1;
/// Bytes, a text or a message.
pub(crate) const BLOCK: u32 = 2;
/// A number of four bytes. The schema has none.
const FIXED32: u32 = 5;

impl Key {
    /// Takes a key off the front.
    #[inline]
    pub(crate) fn take(bytes: &mut &[u8]) -> Result<Self, Fault> {
        Ok(Self(varint(bytes)?))
    }

    /// The number of the field and the wire type, not checked: they are what they are found to be equal
    /// to. What is equal to nothing is to be checked.
    #[inline]
    pub(crate) fn parts(self) -> (u64, u32) {
        (self.0 >> 3, self.0 as u32 & 7)
    }

    /// The number of the field, which is never 0, if the wire type is one of proto3.
    pub(crate) fn check(self) -> Result<(u32, u32), Fault> {
        let (number, wire) = self.parts();
        let checked = u32::try_from(number).ok().filter(|number| (1..1 << 29).contains(number));
        let number = checked.ok_or(Fault::FieldNumber(number))?;
        match wire {
            VARINT | FIXED64 | BLOCK | FIXED32 => Ok((number, wire)),
            wire => Err(Fault::WireType { number, wire }),
        }
    }
}

/// The value of a field.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// A number of some width.
    Number,
    /// Bytes, a text or a message.
    Block(&'a [u8]),
}

impl Field {
    pub(crate) const fn number(number: u32, path: &'static str) -> Self {
        Self { number, path, kind: Kind::Number }
    }

    pub(crate) const fn bytes(number: u32, path: &'static str) -> Self {
        Self { number, path, kind: Kind::Bytes }
    }

    pub(crate) const fn text(number: u32, path: &'static str, max: usize, count: usize) -> Self {
        Self { number, path, kind: Kind::Text { max, count } }
    }

    pub(crate) const fn message(number: u32, path: &'static str, shape: &'static Shape) -> Self {
        Self { number, path, kind: Kind::Message(shape) }
    }

    /// Refuses a number for a block, a block for a number, and a text that is too long.
    pub(crate) fn check(&self, value: Value<'_>) -> Result<(), DecodeError> {
        let field = self.path;
        match (&self.kind, value) {
            (Kind::Number, Value::Number) | (Kind::Bytes | Kind::Message(_), Value::Block(_)) => {
                Ok(())
            }
            (&Kind::Text { max, .. }, Value::Block(text)) => {
                let len = text.len();
                if len > max {
                    return Err(DecodeError::TextTooLong { field, len, max });
                }
                Ok(())
            }
            (Kind::Number, Value::Block(_))
            | (Kind::Bytes | Kind::Text { .. } | Kind::Message(_), Value::Number) => {
                Err(malformed(format_args!("{field} is of another type")))
            }
        }
    }
}

/// Why bytes are no message, small enough to be returned at every field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// They end inside a field.
    Cut,
    /// A number above 64 bits.
    Wide,
    /// No field has this number.
    FieldNumber(u64),
    /// No value has this wire type.
    WireType { number: u32, wire: u32 },
}

impl From<Fault> for DecodeError {
    #[cold]
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Cut => malformed(format_args!("the bytes end inside a field")),
            Fault::Wide => malformed(format_args!("a number above 64 bits")),
            Fault::FieldNumber(number) => malformed(format_args!("{number} is no field number")),
            Fault::WireType { number, wire } => {
                malformed(format_args!("field {number} has wire type {wire}"))
            }
        }
    }
}

impl Shape {
    /// The schema counts fields from 1, with few gaps, so most are at the place of their number.
    #[inline]
    pub(crate) fn field(&self, number: u32) -> Option<&'static Field> {
        let fields = self.fields;
        let guess = usize::try_from(number - 1).ok().and_then(|index| fields.get(index));
        match guess {
            Some(field) if field.number == number => Some(field),
            Some(_) | None => fields.iter().find(|field| field.number == number),
        }
    }

    /// The name of a field.
    #[cfg(test)]
    pub(crate) fn path(&self, number: u32) -> Option<&'static str> {
        self.field(number).map(|field| field.path)
    }

    /// The shape of the message in a field.
    #[cfg(test)]
    pub(crate) fn inner(&self, number: u32) -> Option<&'static Shape> {
        match self.field(number)?.kind {
            Kind::Message(shape) => Some(shape),
            Kind::Number | Kind::Bytes | Kind::Text { .. } => None,
        }
    }

    /// Walks a message of this shape. The schema has no recursion, so neither has this beyond it.
    pub(crate) fn walk(&self, mut bytes: &[u8]) -> Result<Seen, DecodeError> {
        let mut seen = Seen::default();
        let mut texts = 0_usize;
        while let Some((number, value)) = next(&mut bytes)? {
            let Some(field) = self.field(number) else {
                seen.unknown += 1;
                continue;
            };
            seen.known += 1;
            field.check(value)?;
            match (&field.kind, value) {
                (&Kind::Text { count, .. }, _) => {
                    // No message of the schema has two lists.
                    texts += usize::from(count != usize::MAX);
                    if texts > count {
                        return Err(DecodeError::TooMany { field: field.path, max: count });
                    }
                }
                (Kind::Message(shape), Value::Block(inner)) => {
                    seen.unknown += shape.walk(inner)?.unknown;
                }
                (Kind::Number | Kind::Bytes | Kind::Message(_), _) => {}
            }
        }
        Ok(seen)
    }
}

/// Takes the next field off the front; `None` at the end.
pub(crate) fn next<'a>(bytes: &mut &'a [u8]) -> Result<Option<(u32, Value<'a>)>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let key = Key::take(bytes)?;
    value(key, bytes).map(Some)
}

/// Takes the value behind a key off the front.
pub(crate) fn value<'a>(key: Key, bytes: &mut &'a [u8]) -> Result<(u32, Value<'a>), Fault> {
    let (number, wire) = key.check()?;
    let value = match wire {
        BLOCK => Value::Block(block(bytes)?),
        FIXED64 => {
            take(bytes, 8)?;
            Value::Number
        }
        FIXED32 => {
            take(bytes, 4)?;
            Value::Number
        }
        _ => {
            varint(bytes)?;
            Value::Number
        }
    };
    Ok((number, value))
}

#[inline]
pub(crate) fn fixed64(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Fault::Cut)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*number))
}

#[inline]
pub(crate) fn block<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let len = varint(bytes)?;
    take(bytes, len)
}

/// Most keys, lengths and numbers are a single byte.
#[inline]
pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, Fault> {
    match bytes.split_first() {
        Some((&byte, rest)) if byte < 0x80 => {
            *bytes = rest;
            Ok(u64::from(byte))
        }
        Some(_) | None => long_varint(bytes),
    }
}

fn long_varint(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        // Ten bytes hold 70 bits.
        if index > 9 || (index == 9 && bits > 1) {
            return Err(Fault::Wide);
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            return Ok(value);
        }
    }
    Err(if bytes.len() > 9 { Fault::Wide } else { Fault::Cut })
}

#[inline]
fn take<'a>(bytes: &mut &'a [u8], len: u64) -> Result<&'a [u8], Fault> {
    let taken = usize::try_from(len).ok().and_then(|len| bytes.split_at_checked(len));
    let (taken, rest) = taken.ok_or(Fault::Cut)?;
    *bytes = rest;
    Ok(taken)
}

#[cold]
pub(crate) fn malformed(detail: std::fmt::Arguments<'_>) -> DecodeError {
    DecodeError::Malformed { detail: detail.to_string() }
}
