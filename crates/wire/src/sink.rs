//! Where messages of the hot path are written: fields at their default are left out, and the length of
//! a message inside another is known before its first byte.

use crate::hot::Hot;
use crate::shape::{BLOCK, FIXED64, VARINT};

/// Takes bytes, or only counts them.
pub(crate) trait Sink: Sized {
    fn byte(&mut self, byte: u8);
    fn bytes(&mut self, bytes: &[u8]);

    #[inline]
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            // The cast takes the lowest bits.
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline]
    fn key(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    /// A `uint32`, a `uint64` or an enum.
    #[inline]
    fn number(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.optional(field, Some(value));
        }
    }

    /// An `optional uint64`: 0 is not its default.
    #[inline]
    fn optional(&mut self, field: u32, value: Option<u64>) {
        if let Some(value) = value {
            self.key(field, VARINT);
            self.varint(value);
        }
    }

    /// A `fixed64`.
    #[inline]
    fn fixed(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.key(field, FIXED64);
            self.bytes(&value.to_le_bytes());
        }
    }

    /// A `string` or `bytes`.
    #[inline]
    fn block(&mut self, field: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.open(field, bytes.len());
            self.bytes(bytes);
        }
    }

    /// A message that is there, whatever it holds.
    #[inline]
    fn message<'a>(&mut self, field: u32, message: &impl Hot<'a>) {
        self.open(field, length(message));
        message.write(self);
    }

    /// What comes before the bytes of a block.
    #[inline]
    fn open(&mut self, field: u32, len: usize) {
        self.key(field, BLOCK);
        self.varint(len as u64);
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Bytes that were counted.
struct Length(usize);

impl Sink for Length {
    #[inline]
    fn byte(&mut self, _: u8) {
        self.0 += 1;
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    #[inline]
    fn varint(&mut self, value: u64) {
        self.0 += varint_len(value);
    }

    #[inline]
    fn message<'a>(&mut self, field: u32, message: &impl Hot<'a>) {
        let len = length(message);
        self.open(field, len);
        self.0 += len;
    }
}

/// Bytes of a message.
#[inline]
pub(crate) fn length<'a>(message: &impl Hot<'a>) -> usize {
    let mut length = Length(0);
    message.write(&mut length);
    length.0
}

/// Bytes of a block with its key and its length.
#[inline]
pub(crate) fn block_len(field: u32, len: usize) -> usize {
    let mut length = Length(len);
    length.open(field, len);
    length.0
}

/// Bytes of a number: seven bits each.
#[inline]
const fn varint_len(value: u64) -> usize {
    // Zero has one byte, too.
    (value | 1).ilog2() as usize / 7 + 1
}
