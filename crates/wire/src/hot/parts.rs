//! Small messages of the hot path. Where the generated struct owns nothing it is the message.

use super::Hot;
use crate::DecodeError;
use crate::generated::{shapes, worker as pb};
use crate::reader::Reader;
use crate::shape::{BLOCK, FIXED64, Key, VARINT};
use crate::sink::Sink;

impl<'a> Hot<'a> for pb::Beat {
    #[inline]
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key.parts() {
            (1, VARINT) => self.seq = reader.varint32()?,
            (2, VARINT) => self.flags = reader.varint32()?,
            (3, VARINT) => self.free = reader.varint32()?,
            (4, VARINT) => self.rtt_us = reader.varint32()?,
            _ => reader.odd(&shapes::BEAT, key)?,
        }
        Ok(())
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink) {
        sink.number(1, self.seq.into());
        sink.number(2, self.flags.into());
        sink.number(3, self.free.into());
        sink.number(4, self.rtt_us.into());
    }
}

impl<'a> Hot<'a> for pb::BeatAnswer {
    #[inline]
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key.parts() {
            (1, VARINT) => self.seq = reader.varint32()?,
            (2, VARINT) => self.epoch = reader.varint()?,
            (3, VARINT) => self.flags = reader.varint32()?,
            (4, VARINT) => self.free = reader.varint32()?,
            (5, VARINT) => self.first_window_us = Some(reader.varint()?),
            (6, VARINT) => self.beat_interval_us = Some(reader.varint()?),
            _ => reader.odd(&shapes::BEAT_ANSWER, key)?,
        }
        Ok(())
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink) {
        sink.number(1, self.seq.into());
        sink.number(2, self.epoch);
        sink.number(3, self.flags.into());
        sink.number(4, self.free.into());
        sink.optional(5, self.first_window_us);
        sink.optional(6, self.beat_interval_us);
    }
}

impl<'a> Hot<'a> for pb::Standing {
    #[inline]
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key.parts() {
            (1, VARINT) => self.received = reader.varint()?,
            (2, VARINT) => self.credit_messages = reader.varint()?,
            (3, VARINT) => self.credit_bytes = reader.varint()?,
            _ => reader.odd(&shapes::STANDING, key)?,
        }
        Ok(())
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink) {
        sink.number(1, self.received);
        sink.number(2, self.credit_messages);
        sink.number(3, self.credit_bytes);
    }
}

impl<'a> Hot<'a> for pb::Ack {
    #[inline]
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key.parts() {
            (1, VARINT) => self.lane = reader.varint32()? as i32,
            (2, BLOCK) => reader.message(self.standing.get_or_insert_default())?,
            _ => reader.odd(&shapes::ACK, key)?,
        }
        Ok(())
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink) {
        // An enum is an `int32` there, sign and all.
        sink.number(1, self.lane as u64);
        if let Some(standing) = &self.standing {
            sink.message(2, standing);
        }
    }
}

impl<'a> Hot<'a> for pb::TaskKey {
    #[inline]
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key.parts() {
            (1, FIXED64) => self.task_high = reader.fixed64()?,
            (2, FIXED64) => self.task_low = reader.fixed64()?,
            (3, VARINT) => self.attempt = reader.varint32()?,
            _ => reader.odd(&shapes::TASK_KEY, key)?,
        }
        Ok(())
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink) {
        sink.fixed(1, self.task_high);
        sink.fixed(2, self.task_low);
        sink.number(3, self.attempt.into());
    }
}

/// `Part`, its bytes in their packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part<'a> {
    pub(crate) seq: u64,
    pub(crate) offset: u32,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Hot<'a> for Part<'a> {
    #[inline]
    fn take(&mut self, key: Key, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key.parts() {
            (1, VARINT) => self.seq = reader.varint()?,
            (2, VARINT) => self.offset = reader.varint32()?,
            (3, BLOCK) => self.bytes = reader.block()?,
            _ => reader.odd(&shapes::PART, key)?,
        }
        Ok(())
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink) {
        sink.number(1, self.seq);
        sink.number(2, self.offset.into());
        sink.block(3, self.bytes);
    }
}
