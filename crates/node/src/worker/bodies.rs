//! What the node holds for the two machines, which know sizes and names only.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use moorline_link::Tag;
use moorline_work::{RunId, WorkerMessage};

use crate::frame::MESSAGE_COST;

/// Results until they are settled, and messages until the coordinator has processed them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Bodies {
    results: BTreeMap<RunId, Kept>,
    messages: BTreeMap<Tag, Outgoing>,
    last: u64,
}

/// A result that is not settled.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Kept {
    body: Bytes,
    /// There was no active connection when it was there.
    offline: bool,
    /// To how many lanes it was given.
    offered: u32,
}

/// A message a lane of the present session has. It shares the body of its result.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Outgoing {
    pub(super) message: WorkerMessage,
    pub(super) body: Bytes,
}

impl Outgoing {
    /// What it counts for in credit and limits.
    pub(super) fn cost(&self) -> u32 {
        u32::try_from(self.body.len()).unwrap_or(u32::MAX).saturating_add(MESSAGE_COST)
    }
}

impl Bodies {
    /// Results and messages.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.results.len(), self.messages.len())
    }

    pub(super) fn keep(&mut self, run: RunId, body: Bytes, offline: bool) {
        self.results.insert(run, Kept { body, offline, offered: 0 });
    }

    /// Results that are not settled.
    pub(super) fn results(&self) -> usize {
        self.results.len()
    }

    pub(super) fn result(&self, run: RunId) -> Bytes {
        #[cfg(moorline_planted = "SAFE-2")]
        let run = self.results.keys().next().copied().unwrap_or(run);
        self.results.get(&run).map(|kept| kept.body.clone()).unwrap_or_default()
    }

    pub(super) fn offered(&mut self, run: RunId) {
        if let Some(kept) = self.results.get_mut(&run) {
            kept.offered = kept.offered.saturating_add(1);
        }
    }

    /// The result is answered: its body goes. Returns whether it had to be kept or said again.
    pub(super) fn settle(&mut self, run: RunId) -> bool {
        self.results.remove(&run).is_some_and(|kept| kept.offline || kept.offered > 1)
    }

    /// The mark of the next message, taken by [`put`](Self::put).
    pub(super) fn next_tag(&self) -> Tag {
        Tag(self.last.saturating_add(1))
    }

    pub(super) fn put(&mut self, outgoing: Outgoing) {
        self.last = self.last.saturating_add(1);
        self.messages.insert(Tag(self.last), outgoing);
    }

    pub(super) fn message(&self, tag: Tag) -> Option<&Outgoing> {
        self.messages.get(&tag)
    }

    pub(super) fn release(&mut self, tag: Tag) {
        #[cfg(not(moorline_planted = "SAFE-11"))]
        self.messages.remove(&tag);
        #[cfg(moorline_planted = "SAFE-11")]
        let _ = tag;
    }

    /// What is kept, in order; how often it was offered only an event tells.
    pub(super) fn feed<H: Hasher>(&self, state: &mut H) {
        let Self { results, messages, last: _ } = self;
        results.len().hash(state);
        results.values().for_each(|Kept { body, offline: _, offered: _ }| body.hash(state));
        messages.len().hash(state);
        messages.values().for_each(|outgoing| outgoing.hash(state));
    }

    /// A new session begins with empty lanes.
    pub(super) fn forget_messages(&mut self) {
        self.messages.clear();
    }
}
