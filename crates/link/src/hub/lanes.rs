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

    /// Nothing waits, is under way or is unacknowledged, in either direction, or is to be told.
    fn are_at_rest(&self, limits: &LaneLimits) -> bool {
        let held = |outbox: &Outbox| outbox.held().0 > 0;
        !self.out.iter().any(held) && self.owed(limits).is_none()
    }

    /// The lane on which the worker is to be told where our receiving half stands.
    fn owed(&self, limits: &LaneLimits) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| self.inn[lane.index()].owes_ack(limits))
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

/// The lanes behind their session. Most inputs find them at rest: then they are not looked at, because
/// of a million sessions only a few lie in the processor's caches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Traffic {
    lanes: Box<Lanes>,
    /// They were found at rest, and nobody has changed them since.
    at_rest: Cache<bool>,
}

impl Traffic {
    pub(super) fn new(credit: [Credit; 2], limits: &LaneLimits) -> Self {
        Self { lanes: Box::new(Lanes::new(credit, limits)), at_rest: Cache(false) }
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The lanes, to change something.
    pub(super) fn change(&mut self) -> &mut Lanes {
        self.at_rest.0 = false;
        &mut self.lanes
    }

    /// Finds out whether they are at rest by now.
    pub(super) fn note(&mut self, limits: &LaneLimits) {
        if !self.at_rest.0 {
            self.at_rest.0 = self.lanes.are_at_rest(limits);
        }
    }

    fn busy(&self) -> Option<&Lanes> {
        (!self.at_rest.0).then_some(&*self.lanes)
    }

    /// The lane on which the worker is to be told where our receiving half stands.
    pub(super) fn next_ack(&self, limits: &LaneLimits) -> Option<Lane> {
        self.busy()?.owed(limits)
    }

    /// The message that is to be sent next on this lane.
    pub(super) fn next_message(&self, lane: Lane) -> Option<(Seq, Tag, u32)> {
        self.busy()?.out[lane.index()].next()
    }

    /// The oldest message the worker acknowledged and the embedder was not told of.
    pub(super) fn released(&self) -> Option<Tag> {
        self.busy()?.released()
    }

    /// Nothing of ours is waiting, under way or unacknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.busy().is_none_or(|lanes| lanes.out.iter().all(Outbox::is_idle))
    }

    #[cfg(test)]
    pub(super) fn audit(&self, limits: &LaneLimits) {
        assert!(!self.at_rest.0 || self.lanes.are_at_rest(limits), "at rest, if it is known to be");
    }
}
