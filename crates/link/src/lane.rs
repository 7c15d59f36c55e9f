//! The numbered lanes: dense numbers, cumulative acknowledgement, credit, resume by two numbers.
//!
//! The same code serves both directions and both ends. A lane knows sizes and tags, never bodies.

use alloc::collections::VecDeque;
use core::hash::{Hash, Hasher};

use crate::{Credit, Lane, Seq, Standing, Tag};

/// Bounds of one lane. All are inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LaneLimits {
    /// Messages the sending half holds at most, numbered or not. Default 4,096.
    pub outbox_messages: u32,
    /// Bytes the sending half holds at most. Default 16 MiB (one largest message always fits).
    pub outbox_bytes: u64,
    /// Messages a peer may send beyond what was released. Default 256.
    pub window_messages: u32,
    /// Bytes a peer may send beyond what was released. Default 256 KiB.
    pub window_bytes: u64,
}

impl LaneLimits {
    /// Whether nothing could ever pass.
    pub(crate) const fn is_closed(&self) -> bool {
        self.outbox_messages == 0
            || self.outbox_bytes == 0
            || self.window_messages == 0
            || self.window_bytes == 0
    }
}

impl Default for LaneLimits {
    fn default() -> Self {
        Self {
            outbox_messages: 4_096,
            outbox_bytes: 16 << 20,
            window_messages: 256,
            window_bytes: 256 << 10,
        }
    }
}

/// Why a message was not taken. Nothing changed.
///
/// ```
/// use moorline_link::{Credit, EnqueueError, Lane, LaneLimits, Outbox, Tag};
///
/// let limits = LaneLimits { outbox_messages: 1, ..LaneLimits::default() };
/// let mut outbox = Outbox::new(Lane::C, Credit::default());
/// outbox.enqueue(&limits, Tag(1), 10).expect("there is room for one");
/// let full = EnqueueError::Full { messages: 1, bytes: 10 };
/// assert_eq!(outbox.enqueue(&limits, Tag(2), 10), Err(full));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EnqueueError {
    /// Larger than the lane takes: it will never fit.
    TooLarge {
        /// Size of the message in bytes.
        len: u32,
        /// Limit of the lane in bytes.
        max: u32,
    },
    /// The outbox is full for now: offer it again after a release.
    Full {
        /// Messages held.
        messages: u32,
        /// Bytes held.
        bytes: u64,
    },
    /// There is no session to send in.
    NoSession,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Entry {
    tag: Tag,
    len: u32,
}

/// The sending half of a lane.
///
/// The front of `queue` is what is oldest and not released. The first `numbered` entries have the
/// numbers `acked_before + 1 ..`; of those the first `sent` were transmitted on this connection.
///
/// ```
/// use moorline_link::{Credit, Lane, LaneLimits, Outbox, Seq, Standing, Tag};
///
/// let credit = Credit { messages: Seq(32), bytes: 1 << 18 };
/// let mut outbox = Outbox::new(Lane::C, credit);
/// outbox.enqueue(&LaneLimits::default(), Tag(7), 100).expect("there is room");
/// assert_eq!(outbox.next(), Some((Seq(1), Tag(7), 100)));
/// outbox.commit();
/// assert!(outbox.acknowledge(Standing { received: Seq(1), credit }));
/// assert_eq!(outbox.released(), Some(Tag(7)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Outbox {
    lane: Lane,
    queue: VecDeque<Entry>,
    /// Number of the last entry that left the queue.
    popped: Seq,
    /// Everything up to here was acknowledged; at least `popped`.
    acked: Seq,
    /// Everything up to here has its number.
    numbered: Seq,
    /// Everything up to here was transmitted on the current connection.
    sent: Seq,
    /// Bytes of all numbered messages since the session began.
    numbered_bytes: u64,
    held_bytes: u64,
    credit: Credit,
}

impl Outbox {
    /// An empty lane of a fresh session.
    #[must_use]
    pub fn new(lane: Lane, credit: Credit) -> Self {
        Self {
            lane,
            queue: VecDeque::new(),
            popped: Seq(0),
            acked: Seq(0),
            numbered: Seq(0),
            sent: Seq(0),
            numbered_bytes: 0,
            held_bytes: 0,
            credit,
        }
    }

    /// Takes a message at the end of the lane. It gets its number when it is first transmitted.
    ///
    /// # Errors
    /// [`EnqueueError::TooLarge`] and [`EnqueueError::Full`]; nothing changes then.
    pub fn enqueue(&mut self, limits: &LaneLimits, tag: Tag, len: u32) -> Result<(), EnqueueError> {
        let max = self.lane.message_max();
        if len > max {
            return Err(EnqueueError::TooLarge { len, max });
        }
        let messages = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        let full_of_bytes = self.held_bytes.saturating_add(u64::from(len)) > limits.outbox_bytes;
        if messages >= limits.outbox_messages || (full_of_bytes && messages > 0) {
            return Err(EnqueueError::Full { messages, bytes: self.held_bytes });
        }
        self.queue.push_back(Entry { tag, len });
        self.held_bytes += u64::from(len);
        Ok(())
    }

    /// Takes back a message that has no number yet. Returns whether it was there.
    pub fn withdraw(&mut self, tag: Tag) -> bool {
        let first_unnumbered = self.index_of(self.numbered.next());
        let Some(at) = self.queue.iter().skip(first_unnumbered).position(|e| e.tag == tag) else {
            return false;
        };
        if let Some(entry) = self.queue.remove(first_unnumbered + at) {
            self.held_bytes -= u64::from(entry.len);
        }
        true
    }

    /// What to transmit next on the current connection, if the credit allows it: the numbered rest
    /// first, then the oldest message without a number.
    #[must_use]
    pub fn next(&self) -> Option<(Seq, Tag, u32)> {
        let seq = self.sent.next();
        let entry = self.queue.get(self.index_of(seq))?;
        let has_number = seq <= self.numbered;
        let within = seq <= self.credit.messages && self.numbered_bytes < self.credit.bytes;
        (has_number || within).then_some((seq, entry.tag, entry.len))
    }

    /// Commits what [`Outbox::next`] said: it has its number now and is under way. Returns whether it
    /// had it before: then it was transmitted on an earlier connection, and is sent again.
    pub fn commit(&mut self) -> bool {
        let Some((seq, _, len)) = self.next() else { return false };
        self.sent = seq;
        let again = seq <= self.numbered;
        if !again {
            self.numbered = seq;
            self.numbered_bytes = self.numbered_bytes.saturating_add(u64::from(len));
        }
        again
    }

    /// The peer's word on where its receiving half stands. Returns false if it claims something
    /// that was never numbered: a protocol violation, nothing changed.
    #[must_use]
    pub fn acknowledge(&mut self, standing: Standing) -> bool {
        if !self.has_numbered(standing.received) {
            return false;
        }
        self.acked = self.acked.max(standing.received);
        self.sent = self.sent.max(self.acked);
        self.credit.messages = self.credit.messages.max(standing.credit.messages);
        self.credit.bytes = self.credit.bytes.max(standing.credit.bytes);
        true
    }

    /// Whether everything up to here was numbered: only that can a peer truly have received.
    #[must_use]
    pub fn has_numbered(&self, received: Seq) -> bool {
        received <= self.numbered
    }

    /// A new connection carries this session on: everything not acknowledged is due again.
    /// Returns false if the peer claims what was never numbered.
    #[must_use]
    pub fn resume(&mut self, standing: Standing) -> bool {
        #[cfg(moorline_planted = "SAFE-4")]
        let standing = Standing { received: self.acked, ..standing };
        if !self.acknowledge(standing) {
            return false;
        }
        self.sent = self.acked;
        true
    }

    /// The oldest message that is acknowledged and not yet released.
    #[must_use]
    pub fn released(&self) -> Option<Tag> {
        (self.popped < self.acked).then(|| self.queue.front().map(|e| e.tag)).flatten()
    }

    /// Commits what [`Outbox::released`] said.
    pub fn pop_released(&mut self) {
        if self.popped < self.acked
            && let Some(entry) = self.queue.pop_front()
        {
            self.popped = self.popped.next();
            self.held_bytes -= u64::from(entry.len);
        }
    }

    /// Everything up to here was acknowledged.
    #[must_use]
    pub const fn acknowledged(&self) -> Seq {
        self.acked
    }

    /// Something was transmitted on the current connection and is not acknowledged.
    #[must_use]
    pub fn awaits_ack(&self) -> bool {
        self.sent > self.acked
    }

    /// Nothing is waiting, under way or unacknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() || self.acked.0 - self.popped.0 == self.queue.len() as u64
    }

    /// Whether this message has a number (it may be under way).
    #[must_use]
    pub fn is_numbered(&self, tag: Tag) -> bool {
        self.queue.iter().take(self.index_of(self.numbered.next())).any(|e| e.tag == tag)
    }

    /// Messages and bytes held.
    #[must_use]
    pub fn held(&self) -> (u32, u64) {
        (u32::try_from(self.queue.len()).unwrap_or(u32::MAX), self.held_bytes)
    }

    /// All but the embedder's names of the messages, which are kept in this order by whoever has them.
    pub(crate) fn feed<H: Hasher>(&self, state: &mut H) {
        let Self {
            lane,
            queue,
            popped,
            acked,
            numbered,
            sent,
            numbered_bytes,
            held_bytes: _,
            credit,
        } = self;
        (lane, popped, acked, numbered, sent, numbered_bytes, credit).hash(state);
        queue.len().hash(state);
        queue.iter().for_each(|Entry { tag: _, len }| len.hash(state));
    }

    fn index_of(&self, seq: Seq) -> usize {
        usize::try_from(seq.0 - self.popped.0 - 1).unwrap_or(usize::MAX)
    }
}

/// What became of an incoming message.
///
/// ```
/// use moorline_link::{Arrival, Inbox, Lane, LaneLimits, Seq};
///
/// let mut inbox = Inbox::new(Lane::C, &LaneLimits::default());
/// assert_eq!(inbox.arrive(Seq(1), 100), Arrival::Deliver);
/// assert_eq!(inbox.arrive(Seq(1), 100), Arrival::Duplicate);
/// assert_eq!(inbox.arrive(Seq(3), 100), Arrival::Gap);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arrival {
    /// The next one: process it now; it counts as received.
    Deliver,
    /// Processed before: drop it.
    Duplicate,
    /// A number is missing before it: the peer or the transport broke the order.
    Gap,
    /// Beyond the credit that was granted.
    OverCredit,
    /// Larger than the lane takes.
    TooLarge,
}

/// The receiving half of a lane.
///
/// Credit is what was released by the embedder plus the window: a peer can never make it hold more
/// than the window and one message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Inbox {
    lane: Lane,
    received: Seq,
    received_bytes: u64,
    released: Seq,
    released_bytes: u64,
    /// The standing that the peer was last told on its connection.
    told: Standing,
    /// The most credit that any connection was ever told.
    granted: Credit,
}

impl Inbox {
    /// An empty lane of a fresh session, and the credit to tell the peer.
    #[must_use]
    pub fn new(lane: Lane, limits: &LaneLimits) -> Self {
        let told = Standing { received: Seq(0), credit: Self::first_credit(limits) };
        Self {
            lane,
            received: Seq(0),
            received_bytes: 0,
            released: Seq(0),
            released_bytes: 0,
            told,
            granted: told.credit,
        }
    }

    /// The credit of a fresh session.
    #[must_use]
    pub fn first_credit(limits: &LaneLimits) -> Credit {
        Credit { messages: Seq(u64::from(limits.window_messages)), bytes: limits.window_bytes }
    }

    /// A message arrived. Only [`Arrival::Deliver`] changes anything.
    pub fn arrive(&mut self, seq: Seq, len: u32) -> Arrival {
        if len > self.lane.message_max() {
            return Arrival::TooLarge;
        }
        if seq <= self.received {
            #[cfg(moorline_planted = "SAFE-4")]
            return Arrival::Deliver;
            #[cfg(not(moorline_planted = "SAFE-4"))]
            return Arrival::Duplicate;
        }
        if seq != self.received.next() {
            return Arrival::Gap;
        }
        if seq > self.granted.messages || self.received_bytes >= self.granted.bytes {
            return Arrival::OverCredit;
        }
        self.received = seq;
        self.received_bytes = self.received_bytes.saturating_add(u64::from(len));
        Arrival::Deliver
    }

    /// The embedder no longer holds `messages` messages of `bytes` bytes: the peer may send more.
    pub fn release(&mut self, messages: u32, bytes: u64) {
        self.released = Seq((self.released.0 + u64::from(messages)).min(self.received.0));
        self.released_bytes = self.released_bytes.saturating_add(bytes).min(self.received_bytes);
    }

    /// Where this half stands now.
    #[must_use]
    pub fn standing(&self, limits: &LaneLimits) -> Standing {
        let credit = Credit {
            messages: Seq(self.released.0 + u64::from(limits.window_messages)),
            bytes: self.released_bytes.saturating_add(limits.window_bytes),
        };
        Standing { received: self.received, credit }
    }

    /// Whether the peer should be told: what was received always, more credit only when it is at
    /// least half a window, so that a steady flow costs one acknowledgement for many releases.
    #[must_use]
    pub fn owes_ack(&self, limits: &LaneLimits) -> bool {
        if self.received != self.told.received {
            return true;
        }
        let standing = self.standing(limits);
        // Of a smaller credit the peer takes no notice: a lane that was told more keeps it.
        let messages = standing.credit.messages.0.saturating_sub(self.told.credit.messages.0);
        let bytes = standing.credit.bytes.saturating_sub(self.told.credit.bytes);
        let enough_messages =
            messages > 0 && messages.saturating_mul(2) >= u64::from(limits.window_messages);
        let enough_bytes = bytes > 0 && bytes.saturating_mul(2) >= limits.window_bytes;
        enough_messages || enough_bytes
    }

    /// The peer is being told this standing.
    pub fn commit_ack(&mut self, limits: &LaneLimits) {
        self.told = self.standing(limits);
        self.grant(self.told.credit);
    }

    /// This much credit was told on a connection that may or may not come to carry the session: a
    /// peer that uses it is right.
    pub fn grant(&mut self, credit: Credit) {
        self.granted.messages = self.granted.messages.max(credit.messages);
        self.granted.bytes = self.granted.bytes.max(credit.bytes);
    }

    /// A new connection carries this session on; it was told `told`, and nothing since.
    pub fn resume(&mut self, told: Standing) {
        self.told = told;
    }
}
