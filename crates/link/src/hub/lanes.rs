//! The lanes of a session: the numbers and the queues, and whether there is anything on them.

use alloc::boxed::Box;

use super::ring::Cache;
use crate::{Credit, Inbox, Lane, LaneLimits, Outbox, Seq, Standing, Tag};

/// Both lanes of both directions: the numbers and the queues.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Lanes {
    /// To the worker, by [`Lane::index`].
    pub(super) out: [Outbox; 2],
    /// From the worker, by [`Lane::index`].
    pub(super) inn: [Inbox; 2],
}

impl Lanes {
    pub(super) fn new(credit: [Credit; 2], limits: &LaneLimits) -> Self {
        Self {
            out: Lane::ALL.map(|lane| Outbox::new(lane, credit[lane.index()])),
            inn: Lane::ALL.map(|lane| Inbox::new(lane, limits)),
        }
    }

    pub(super) fn standings(&self, limits: &LaneLimits) -> [Standing; 2] {
        Lane::ALL.map(|lane| self.inn[lane.index()].standing(limits))
    }

    fn open(&self, limits: &LaneLimits) -> Open {
        let ack = Lane::ALL.into_iter().find(|lane| self.inn[lane.index()].owes_ack(limits));
        let mut open = Open { ack, message: [false; 2], released: false, idle: true };
        for (outbox, message) in self.out.iter().zip(&mut open.message) {
            if outbox.held().0 > 0 {
                *message = outbox.next().is_some();
                open.released |= outbox.released().is_some();
                open.idle &= outbox.is_idle();
            }
        }
        open
    }

    /// The oldest message the worker acknowledged and the embedder was not told of.
    fn released(&self) -> Option<Tag> {
        self.out.iter().find_map(Outbox::released)
    }

    pub(super) fn pop_released(&mut self) {
        if let Some(outbox) = self.out.iter_mut().find(|outbox| outbox.released().is_some()) {
            outbox.pop_released();
        }
    }
}

/// What is to be done about the lanes of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Open {
    /// The lane on which the worker is to be told where our receiving half stands.
    ack: Option<Lane>,
    /// A message is to be sent, by [`Lane::index`].
    message: [bool; 2],
    /// The embedder is to be told of a message the worker acknowledged.
    released: bool,
    /// Nothing of ours is waiting, under way or unacknowledged.
    idle: bool,
}

/// The lanes behind their session, and what is to be done about them. It is found out once after a change
/// and asked for several times; and most inputs find lanes on which nothing has changed: those are not
/// looked at, because of a million sessions only a few lie in the processor's caches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Traffic {
    lanes: Box<Lanes>,
    /// Nothing while it is not known.
    open: Cache<Option<Open>>,
}

impl Traffic {
    pub(super) fn new(credit: [Credit; 2], limits: &LaneLimits) -> Self {
        Self { lanes: Box::new(Lanes::new(credit, limits)), open: Cache(None) }
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The lanes, to change something.
    pub(super) fn change(&mut self) -> &mut Lanes {
        self.open.0 = None;
        &mut self.lanes
    }

    /// Finds out what is to be done about them now.
    pub(super) fn note(&mut self, limits: &LaneLimits) {
        if self.open.0.is_none() {
            self.open.0 = Some(self.lanes.open(limits));
        }
    }

    fn open(&self, limits: &LaneLimits) -> Open {
        self.open.0.unwrap_or_else(|| self.lanes.open(limits))
    }

    /// The lane on which the worker is to be told where our receiving half stands.
    pub(super) fn next_ack(&self, limits: &LaneLimits) -> Option<Lane> {
        self.open(limits).ack
    }

    /// The message that is to be sent next on this lane.
    pub(super) fn next_message(&self, lane: Lane, limits: &LaneLimits) -> Option<(Seq, Tag, u32)> {
        self.open(limits).message[lane.index()].then(|| self.lanes.out[lane.index()].next())?
    }

    /// Whether there is anything to send: an acknowledgement or a message.
    pub(super) fn wants_transmit(&self, limits: &LaneLimits) -> bool {
        let Open { ack, message, .. } = self.open(limits);
        ack.is_some() || message != [false; 2]
    }

    /// The oldest message the worker acknowledged and the embedder was not told of.
    pub(super) fn released(&self) -> Option<Tag> {
        let nothing = self.open.0.is_some_and(|open| !open.released);
        if nothing { None } else { self.lanes.released() }
    }

    /// Nothing of ours is waiting, under way or unacknowledged.
    pub(super) fn is_idle(&self) -> bool {
        match self.open.0 {
            Some(open) => open.idle,
            None => self.lanes.out.iter().all(Outbox::is_idle),
        }
    }

    #[cfg(test)]
    pub(super) fn audit(&self, limits: &LaneLimits) {
        let open = self.lanes.open(limits);
        assert!(self.open.0.is_none_or(|known| known == open), "it is as it is known to be");
    }
}
