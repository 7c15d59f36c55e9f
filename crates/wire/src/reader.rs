//! Reads messages of the hot path in one pass over their bytes.

use crate::DecodeError;
use crate::hot::Hot;
use crate::shape::{self, Key, Shape, Value};

/// Where a message is read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// What is left of it.
    rest: &'a [u8],
    /// Fields that the schema does not know, in it and the messages inside.
    pub(crate) unknown: u32,
    /// A number is of another width than the schema says, or a text is not UTF-8. That is told when
    /// all of the frame has been seen: bytes that are no protobuf come first.
    pub(crate) unfit: bool,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, unknown: 0, unfit: false }
    }

    /// Reads all that is left into a message.
    #[inline]
    pub(crate) fn read(&mut self, message: &mut impl Hot<'a>) -> Result<(), DecodeError> {
        while !self.rest.is_empty() {
            let key = Key::take(&mut self.rest)?;
            message.take(key, self)?;
        }
        Ok(())
    }

    /// A number of as many bytes as it needs.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        Ok(shape::varint(&mut self.rest)?)
    }

    /// The same in a `uint32` or an enum: the lowest bits count.
    #[inline]
    pub(crate) fn varint32(&mut self) -> Result<u32, DecodeError> {
        Ok(self.varint()? as u32)
    }

    /// A number of eight bytes.
    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64, DecodeError> {
        Ok(shape::fixed64(&mut self.rest)?)
    }

    /// Bytes.
    #[inline]
    pub(crate) fn block(&mut self) -> Result<&'a [u8], DecodeError> {
        Ok(shape::block(&mut self.rest)?)
    }

    /// A text of this field; empty if it is none.
    pub(crate) fn text(&mut self, shape: &Shape, number: u32) -> Result<&'a str, DecodeError> {
        let bytes = self.block()?;
        if let Some(field) = shape.field(number) {
            field.check(Value::Block(bytes))?;
        }
        let text = std::str::from_utf8(bytes);
        self.unfit |= text.is_err();
        Ok(text.unwrap_or_default())
    }

    /// A message inside, merged with what came of it before.
    #[inline]
    pub(crate) fn message(&mut self, message: &mut impl Hot<'a>) -> Result<(), DecodeError> {
        let inner = self.block()?;
        let after = std::mem::replace(&mut self.rest, inner);
        self.read(message)?;
        self.rest = after;
        Ok(())
    }

    /// A field that is not as the schema says: not in it, or of another type.
    #[cold]
    pub(crate) fn odd(&mut self, shape: &Shape, key: Key) -> Result<(), DecodeError> {
        let (number, value) = shape::value(key, &mut self.rest)?;
        match shape.field(number) {
            None => self.unknown += 1,
            Some(field) => {
                field.check(value)?;
                self.unfit = true;
            }
        }
        Ok(())
    }
}
