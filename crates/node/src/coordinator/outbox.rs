//! Messages on their way to workers: bodies by worker and tag, from the moment they are sent until the worker
//! has processed them.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use moorline_link::{Lane, Tag, WorkerId};
use moorline_work::TaskKey;

use crate::ToWorker;
use crate::frame::MESSAGE_COST;

/// A message with its body.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Outgoing {
    pub(super) head: ToWorker,
    pub(super) body: Bytes,
}

impl Outgoing {
    /// What it counts for in credit and limits.
    pub(super) fn cost(&self) -> u32 {
        u32::try_from(self.body.len()).unwrap_or(u32::MAX).saturating_add(MESSAGE_COST)
    }
}

/// All messages that are not released.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Outbox {
    last: u64,
    messages: BTreeMap<(WorkerId, Tag), Outgoing>,
    assigns: BTreeMap<(WorkerId, TaskKey), Tag>,
    /// Messages their lane had no room for, in order. Control is never dropped, and never waits
    /// behind bodies.
    waiting: BTreeMap<(WorkerId, Lane), VecDeque<Tag>>,
    /// Credit of workers that do not take their answers: messages and bytes by lane.
    withheld: BTreeMap<(WorkerId, Lane), (u32, u64)>,
}

impl Outbox {
    pub(super) fn put(&mut self, worker: WorkerId, message: Outgoing) -> Tag {
        self.last += 1;
        let tag = Tag(self.last);
        if let ToWorker::Assign { key, .. } = message.head {
            self.assigns.insert((worker, key), tag);
        }
        self.messages.insert((worker, tag), message);
        tag
    }

    pub(super) fn get(&self, worker: WorkerId, tag: Tag) -> Option<&Outgoing> {
        self.messages.get(&(worker, tag))
    }

    pub(super) fn assign(&self, worker: WorkerId, key: TaskKey) -> Option<Tag> {
        self.assigns.get(&(worker, key)).copied()
    }

    pub(super) fn remove(&mut self, worker: WorkerId, tag: Tag) {
        let message = self.messages.remove(&(worker, tag));
        if let Some(Outgoing { head: ToWorker::Assign { key, .. }, .. }) = message {
            self.assigns.remove(&(worker, key));
        }
    }

    /// The lane is full: keep the message for later.
    pub(super) fn wait(&mut self, worker: WorkerId, lane: Lane, tag: Tag) {
        self.waiting.entry((worker, lane)).or_default().push_back(tag);
    }

    /// Takes a message that waits out of the line. Returns whether it was there.
    pub(super) fn unwait(&mut self, worker: WorkerId, lane: Lane, tag: Tag) -> bool {
        let Some(line) = self.waiting.get_mut(&(worker, lane)) else { return false };
        let Some(at) = line.iter().position(|&t| t == tag) else { return false };
        line.remove(at);
        if line.is_empty() {
            self.waiting.remove(&(worker, lane));
        }
        true
    }

    /// The first message that waits for room in a worker's lane.
    pub(super) fn next_waiting(&self, worker: WorkerId, lane: Lane) -> Option<Tag> {
        self.waiting.get(&(worker, lane))?.front().copied()
    }

    /// Keeps credit back until the worker has taken its answers.
    pub(super) fn withhold(&mut self, worker: WorkerId, lane: Lane, messages: u32, bytes: u64) {
        let (m, b) = self.withheld.entry((worker, lane)).or_default();
        *m = m.saturating_add(messages);
        *b = b.saturating_add(bytes);
    }

    /// What was kept back.
    pub(super) fn take_withheld(&mut self, worker: WorkerId, lane: Lane) -> Option<(u32, u64)> {
        self.withheld.remove(&(worker, lane))
    }

    /// The worker's session is over: nothing of it will be sent any more.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        for lane in Lane::ALL {
            self.waiting.remove(&(worker, lane));
            self.withheld.remove(&(worker, lane));
        }
        let tags: Vec<Tag> = self
            .messages
            .range((worker, Tag(0))..=(worker, Tag(u64::MAX)))
            .map(|(&(_, tag), _)| tag)
            .collect();
        for tag in tags {
            self.remove(worker, tag);
        }
    }

    /// What is held, by worker and in order.
    pub(super) fn feed<H: Hasher>(&self, state: &mut H) {
        let Self { last: _, messages, assigns, waiting, withheld } = self;
        let place =
            |worker: WorkerId, tag: Tag| messages.range((worker, Tag(0))..(worker, tag)).count();
        messages.len().hash(state);
        messages.iter().for_each(|((worker, _), message)| (worker, message).hash(state));
        assigns.len().hash(state);
        for ((worker, key), tag) in assigns {
            (worker, key, place(*worker, *tag)).hash(state);
        }
        waiting.len().hash(state);
        for ((worker, lane), tags) in waiting {
            (worker, lane, tags.len()).hash(state);
            tags.iter().for_each(|tag| place(*worker, *tag).hash(state));
        }
        withheld.hash(state);
    }

    /// How many messages are held.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
