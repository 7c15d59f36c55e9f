//! The messages of the hot path: each is read in one pass over its bytes, and written field by field.
//!
//! The rest of the schema is walked by its shape and then decoded by the generated code. Both judge
//! the same bytes alike: see `codec::reference`.

mod message;
mod parts;

pub(crate) use message::{Head, HeadKind, LaneMessage};
pub(crate) use parts::Part;

use crate::DecodeError;
use crate::reader::Reader;
use crate::shape::Key;
use crate::sink::Sink;

/// A message of the hot path. What it borrows is of the packet.
pub(crate) trait Hot<'a> {
    /// Takes the value of one field in: the last number or block of a field counts, a message is merged
    /// with what came of it before.
    ///
    /// # Errors
    /// The value is not one of this schema, see [`Reader::odd`].
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError>;

    /// Writes the fields that are not at their default.
    fn write(&self, sink: &mut impl Sink);
}
