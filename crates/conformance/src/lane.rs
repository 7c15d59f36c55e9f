//! The two halves of a numbered lane, for the side that judges: what it receives is believed to nothing,
//! and what it sends keeps to the credit of the peer.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use moorline_link::{Credit, Lane, Seq, Standing};
use moorline_node::{MESSAGE_COST, Message, Packet, Part};

use crate::outcome::Violation;

/// What a body of this size costs.
pub(crate) fn cost(body_len: u32) -> u64 {
    u64::from(MESSAGE_COST) + u64::from(body_len)
}

/// What is wrong with something numbered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    /// Numbers are not dense.
    Gap { expected: u64, saw: u64 },
    /// It is beyond the credit.
    Credit { number: u64, before: u64, credit: Credit },
    /// A body is not cut as it has to be; in words.
    Body(String),
}

impl Wrong {
    /// Which promise is broken by it. Two of them are the kit's own to name: that numbers are dense, and
    /// that bodies are cut as they have to be.
    pub(crate) fn on(self, lane: Lane, dense: &'static str, bodies: &'static str) -> Violation {
        match self {
            Self::Gap { expected, saw } => Violation {
                promise: dense,
                expected: format!("message {expected} of lane {lane:?}"),
                saw: format!("message {saw}"),
            },
            Self::Credit { number, before, credit } => Violation {
                promise: if number > credit.messages.0 {
                    "credit_in_messages_is_respected"
                } else {
                    "credit_in_bytes_is_respected"
                },
                expected: format!(
                    "nothing of lane {lane:?} beyond message {} or {} bytes",
                    credit.messages.0, credit.bytes
                ),
                saw: format!("message {number} behind {before} bytes"),
            },
            Self::Body(saw) => Violation {
                promise: bodies,
                expected: "parts of one body, in order, without gap or overlap".to_owned(),
                saw,
            },
        }
    }
}

/// A message as packets: as much of its body as has room, and the rest in parts.
pub(crate) fn packets<M, F>(
    lane: Lane,
    mut message: Message<M>,
    whole: impl FnOnce(Message<M>) -> F,
    part: impl Fn(Part) -> F,
) -> Vec<Packet<F>> {
    /// Bytes of a body in a packet: there is room for what is beside them.
    const PIECE: usize = 60_000;
    let mut rest = message.body.clone();
    message.body = rest.split_to(rest.len().min(PIECE));
    let (seq, mut offset) = (message.seq, message.body.len());
    let mut packets = vec![Packet { lane, frames: vec![whole(message)] }];
    while !rest.is_empty() {
        let bytes = rest.split_to(rest.len().min(PIECE));
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        offset += bytes.len();
        packets.push(Packet { lane, frames: vec![part(Part { seq, offset: at, bytes })] });
    }
    packets
}

/// The receiving half.
#[derive(Clone, Debug)]
pub(crate) struct Receiving<M> {
    /// Everything up to this number is processed.
    pub(crate) received: u64,
    /// The cost of all of that.
    cost: u64,
    pub(crate) credit: Credit,
    begun: Option<Begun<M>>,
}

#[derive(Clone, Debug)]
struct Begun<M> {
    seq: u64,
    head: M,
    len: u32,
    body: BytesMut,
    /// It was processed before: it only has to be read to its end.
    again: bool,
}

/// A message that is whole.
#[derive(Clone, Debug)]
pub(crate) struct Whole<M> {
    pub(crate) seq: u64,
    pub(crate) head: M,
    pub(crate) body: Bytes,
    /// Its number was processed before.
    pub(crate) again: bool,
}

impl<M: Clone> Receiving<M> {
    pub(crate) fn new(credit: Credit) -> Self {
        Self { received: 0, cost: 0, credit, begun: None }
    }

    /// A new connection: a body that was under way begins again.
    pub(crate) fn connected(&mut self) {
        self.begun = None;
    }

    pub(crate) fn standing(&self) -> Standing {
        Standing { received: Seq(self.received), credit: self.credit }
    }

    /// Gives credit for so much behind what is processed; never less than was given before.
    pub(crate) fn give(&mut self, window: Credit) {
        let messages = self.received.saturating_add(window.messages.0);
        let bytes = self.cost.saturating_add(window.bytes);
        self.credit.messages = self.credit.messages.max(Seq(messages));
        self.credit.bytes = self.credit.bytes.max(bytes);
    }

    /// A message begins. What is wrong with its number is told, and the message is taken all the same: one
    /// fault is to be seen as one.
    pub(crate) fn begin(&mut self, message: &Message<M>) -> Option<Wrong> {
        let (seq, expected) = (message.seq.0, self.received + 1);
        if seq > expected {
            return Some(Wrong::Gap { expected, saw: seq });
        }
        let beyond = seq > self.credit.messages.0 || self.cost >= self.credit.bytes;
        (seq == expected && beyond).then_some(Wrong::Credit {
            number: seq,
            before: self.cost,
            credit: self.credit,
        })
    }

    /// Takes a message that begins; it is returned if it is whole.
    pub(crate) fn message(&mut self, message: Message<M>) -> Result<Option<Whole<M>>, Wrong> {
        let (seq, len) = (message.seq.0, message.body_len);
        if let Some(begun) = &self.begun {
            let words = format!("message {seq} begins before the body of {} is whole", begun.seq);
            return Err(Wrong::Body(words));
        }
        let again = seq <= self.received;
        let body = BytesMut::from(&message.body[..]);
        self.begun = Some(Begun { seq, head: message.head, len, body, again });
        self.whole()
    }

    /// More of a body.
    pub(crate) fn part(&mut self, part: &Part) -> Result<Option<Whole<M>>, Wrong> {
        let Some(begun) = &mut self.begun else {
            return Err(Wrong::Body(format!(
                "a part of message {}, which is not begun",
                part.seq.0
            )));
        };
        if part.seq.0 != begun.seq || part.offset as usize != begun.body.len() {
            let words = format!(
                "a part of message {} at {}, where one of {} at {} was next",
                part.seq.0,
                part.offset,
                begun.seq,
                begun.body.len()
            );
            return Err(Wrong::Body(words));
        }
        begun.body.extend_from_slice(&part.bytes);
        self.whole()
    }

    fn whole(&mut self) -> Result<Option<Whole<M>>, Wrong> {
        let Some(begun) = &self.begun else { return Ok(None) };
        let (have, len) = (begun.body.len(), begun.len as usize);
        if have > len {
            return Err(Wrong::Body(format!("{have} bytes of a body that was said to have {len}")));
        }
        if have < len {
            return Ok(None);
        }
        let Some(begun) = self.begun.take() else { return Ok(None) };
        if !begun.again {
            self.received = begun.seq;
            self.cost += cost(begun.len);
        }
        let Begun { seq, head, body, again, .. } = begun;
        Ok(Some(Whole { seq, head, body: body.freeze(), again }))
    }
}

/// The sending half. It keeps everything, so that it can be said again whatever the peer has.
#[derive(Clone, Debug)]
pub(crate) struct Sending<M> {
    /// Everything that was numbered, from 1.
    numbered: Vec<(M, Bytes)>,
    /// The cost of all of that.
    cost: u64,
    waiting: VecDeque<(M, Bytes)>,
    credit: Credit,
    /// What the peer has said that it has.
    pub(crate) acknowledged: u64,
    /// What was written on this connection, or need not be.
    written: u64,
}

impl<M: Clone> Sending<M> {
    pub(crate) fn new(credit: Credit) -> Self {
        let (numbered, waiting) = (Vec::new(), VecDeque::new());
        Self { numbered, cost: 0, waiting, credit, acknowledged: 0, written: 0 }
    }

    /// How many messages have numbers.
    pub(crate) fn last(&self) -> u64 {
        self.numbered.len() as u64
    }

    /// What still waits for credit.
    pub(crate) fn waits(&self) -> usize {
        self.waiting.len()
    }

    /// Something to be said when there is credit for it.
    pub(crate) fn say(&mut self, head: M, body: Bytes) {
        self.waiting.push_back((head, body));
    }

    /// The message of a number that was given.
    pub(crate) fn message(&self, seq: u64) -> Option<Message<M>> {
        let (head, body) = self.numbered.get(usize::try_from(seq).ok()?.checked_sub(1)?)?;
        let body_len = u32::try_from(body.len()).ok()?;
        Some(Message { seq: Seq(seq), head: head.clone(), body_len, body: body.clone() })
    }

    /// What the peer says of its receiving half, as far as it can be so. An error in words if it cannot.
    pub(crate) fn acknowledge(&mut self, standing: Standing) -> Result<(), String> {
        let credible = self.credible(standing);
        self.acknowledged = self.acknowledged.max(standing.received.0.min(self.last()));
        self.credit.messages = self.credit.messages.max(standing.credit.messages);
        self.credit.bytes = self.credit.bytes.max(standing.credit.bytes);
        credible
    }

    fn credible(&self, standing: Standing) -> Result<(), String> {
        let received = standing.received.0;
        if received > self.last() {
            return Err(format!("{received} received, and {} were sent", self.last()));
        }
        if received < self.acknowledged {
            return Err(format!("{received} received, after {} had been", self.acknowledged));
        }
        let credit = standing.credit;
        if credit.messages < self.credit.messages || credit.bytes < self.credit.bytes {
            return Err(format!("credit {credit:?}, after {:?} had been given", self.credit));
        }
        Ok(())
    }

    /// A new connection in the same session: what the peer does not have is written again.
    pub(crate) fn resume(&mut self) {
        self.written = self.acknowledged;
    }

    /// What may be written now.
    pub(crate) fn due(&mut self) -> Vec<Message<M>> {
        while let Some((_, body)) = self.waiting.front() {
            if self.last() >= self.credit.messages.0 || self.cost >= self.credit.bytes {
                break;
            }
            self.cost += cost(u32::try_from(body.len()).unwrap_or(u32::MAX));
            self.numbered.extend(self.waiting.pop_front());
        }
        let due = (self.written + 1..=self.last()).filter_map(|seq| self.message(seq)).collect();
        self.written = self.last();
        due
    }
}

#[cfg(test)]
mod tests;
