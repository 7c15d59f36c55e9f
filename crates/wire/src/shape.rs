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

/// One field as it is encoded.
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
    WireType { number: u32, wire: u64 },
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
    fn field(&self, number: u32) -> Option<&'static Field> {
        let fields = self.fields;
        let guess = usize::try_from(number - 1).ok().and_then(|index| fields.get(index));
        match guess {
            Some(field) if field.number == number => Some(field),
            Some(_) | None => fields.iter().find(|field| field.number == number),
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
            match (&field.kind, value) {
                (Kind::Number, Value::Number) | (Kind::Bytes, Value::Block(_)) => {}
                (Kind::Text { max, count }, Value::Block(text)) => {
                    let (field, max, len) = (field.path, *max, text.len());
                    if len > max {
                        return Err(DecodeError::TextTooLong { field, len, max });
                    }
                    // No message of the schema has two lists.
                    texts += usize::from(*count != usize::MAX);
                    if texts > *count {
                        return Err(DecodeError::TooMany { field, max: *count });
                    }
                }
                (Kind::Message(shape), Value::Block(inner)) => {
                    seen.unknown += shape.walk(inner)?.unknown;
                }
                (Kind::Number, Value::Block(_))
                | (Kind::Bytes | Kind::Text { .. } | Kind::Message(_), Value::Number) => {
                    return Err(malformed(format_args!("{} is of another type", field.path)));
                }
            }
        }
        Ok(seen)
    }
}

/// Takes the next field off the front; `None` at the end. A field number is never 0.
#[inline]
pub(crate) fn next<'a>(bytes: &mut &'a [u8]) -> Result<Option<(u32, Value<'a>)>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let key = varint(bytes)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number));
    let Some(number) = number else { return Err(Fault::FieldNumber(key >> 3)) };
    let value = match key & 7 {
        0 => {
            varint(bytes)?;
            Value::Number
        }
        1 => {
            take(bytes, 8)?;
            Value::Number
        }
        2 => {
            let len = varint(bytes)?;
            Value::Block(take(bytes, len)?)
        }
        5 => {
            take(bytes, 4)?;
            Value::Number
        }
        wire => return Err(Fault::WireType { number, wire }),
    };
    Ok(Some((number, value)))
}

/// Most keys, lengths and numbers are a single byte.
#[inline]
fn varint(bytes: &mut &[u8]) -> Result<u64, Fault> {
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
