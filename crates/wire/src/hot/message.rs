//! A numbered message and its head.

use super::Hot;
use crate::DecodeError;
use crate::generated::{shapes, worker as pb};
use crate::reader::Reader;
use crate::shape::{BLOCK, Key, Shape, VARINT};
use crate::sink::Sink;

/// `LaneMessage`, its body in the packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneMessage<'a> {
    pub(crate) seq: u64,
    pub(crate) body_len: u32,
    pub(crate) body: &'a [u8],
    pub(crate) head: Option<Head<'a>>,
}

/// What a message says. All heads have a key; the rest stays at its default in those without it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) kind: HeadKind,
    pub(crate) key: Option<pb::TaskKey>,
    /// `Result.outcome`, `Settled.disposition`, `Refuse.refusal`.
    pub(crate) word: i32,
    /// `Assign.handler`.
    pub(crate) handler: &'a str,
    /// `Assign.timeout_us`.
    pub(crate) timeout_us: Option<u64>,
}

/// The fields of the `oneof` that is called head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeadKind {
    Assign = 4,
    Result = 5,
    Accept = 6,
    Settled = 7,
    Refuse = 8,
    Cancel = 9,
    Revoke = 10,
    Held = 11,
    NotHeld = 12,
}

impl HeadKind {
    const fn of(number: u64) -> Option<Self> {
        Some(match number {
            4 => Self::Assign,
            5 => Self::Result,
            6 => Self::Accept,
            7 => Self::Settled,
            8 => Self::Refuse,
            9 => Self::Cancel,
            10 => Self::Revoke,
            11 => Self::Held,
            12 => Self::NotHeld,
            _ => return None,
        })
    }

    const fn shape(self) -> &'static Shape {
        match self {
            Self::Assign => &shapes::ASSIGN,
            Self::Result => &shapes::RESULT,
            Self::Accept => &shapes::ACCEPT,
            Self::Settled => &shapes::SETTLED,
            Self::Refuse => &shapes::REFUSE,
            Self::Cancel => &shapes::CANCEL,
            Self::Revoke => &shapes::REVOKE,
            Self::Held => &shapes::HELD,
            Self::NotHeld => &shapes::NOT_HELD,
        }
    }

    /// As the schema calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Assign => "Assign",
            Self::Result => "Result",
            Self::Accept => "Accept",
            Self::Settled => "Settled",
            Self::Refuse => "Refuse",
            Self::Cancel => "Cancel",
            Self::Revoke => "Revoke",
            Self::Held => "Held",
            Self::NotHeld => "NotHeld",
        }
    }

    /// Whether it has a word beside its key.
    const fn has_word(self) -> bool {
        match self {
            Self::Result | Self::Settled | Self::Refuse => true,
            Self::Assign
            | Self::Accept
            | Self::Cancel
            | Self::Revoke
            | Self::Held
            | Self::NotHeld => false,
        }
    }
}

impl Head<'_> {
    /// A head of this kind with nothing in it.
    pub(crate) const fn new(kind: HeadKind) -> Self {
        Self { kind, key: None, word: 0, handler: "", timeout_us: None }
    }
}

impl<'a> Hot<'a> for LaneMessage<'a> {
    #[inline]
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key.parts() {
            (1, VARINT) => self.seq = reader.varint()?,
            (2, VARINT) => self.body_len = reader.varint32()?,
            (3, BLOCK) => self.body = reader.block()?,
            (number, wire) => match (HeadKind::of(number), wire) {
                (Some(kind), BLOCK) => {
                    // The last kind of head counts; one of the same kind is merged.
                    self.head.take_if(|head| head.kind != kind);
                    reader.message(self.head.get_or_insert_with(|| Head::new(kind)))?;
                }
                (Some(_) | None, _) => reader.odd(&shapes::LANE_MESSAGE, key)?,
            },
        }
        Ok(())
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink) {
        sink.number(1, self.seq);
        sink.number(2, self.body_len.into());
        sink.block(3, self.body);
        if let Some(head) = &self.head {
            sink.message(head.kind as u32, head);
        }
    }
}

impl<'a> Hot<'a> for Head<'a> {
    #[inline]
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key.parts() {
            (1, BLOCK) => reader.message(self.key.get_or_insert_default())?,
            (2, VARINT) if self.kind.has_word() => self.word = reader.varint32()? as i32,
            (2, BLOCK) if self.kind == HeadKind::Assign => {
                self.handler = reader.text(&shapes::ASSIGN, 2)?;
            }
            (3, VARINT) if self.kind == HeadKind::Assign => {
                self.timeout_us = Some(reader.varint()?);
            }
            _ => reader.odd(self.kind.shape(), key)?,
        }
        Ok(())
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink) {
        if let Some(key) = &self.key {
            sink.message(1, key);
        }
        if self.kind == HeadKind::Assign {
            sink.block(2, self.handler.as_bytes());
            sink.optional(3, self.timeout_us);
        } else {
            // An enum is an `int32` there, sign and all.
            sink.number(2, self.word as u64);
        }
    }
}
