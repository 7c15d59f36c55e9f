//! Small answers that wait for room on the lane.

use alloc::collections::{BTreeSet, VecDeque};

use crate::{Refusal, TaskKey, WorkerMessage};

/// One answer without a body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Answer {
    Accept,
    Refuse(Refusal),
    Held,
    NotHeld,
}

impl Answer {
    fn message(self, key: TaskKey) -> WorkerMessage {
        match self {
            Self::Accept => WorkerMessage::Accept { key },
            Self::Refuse(refusal) => WorkerMessage::Refuse { key, refusal },
            Self::Held => WorkerMessage::Held { key },
            Self::NotHeld => WorkerMessage::NotHeld { key },
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Accept => 0,
            Self::Refuse(_) => 1,
            Self::Held => 2,
            Self::NotHeld => 3,
        }
    }
}

/// The answers in the order in which they were owed, each at most once (P54): a coordinator that
/// repeats itself while the lane is full does not make the queue longer.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Answers {
    queue: VecDeque<(TaskKey, Answer)>,
    waiting: BTreeSet<(TaskKey, u8)>,
}

impl Answers {
    pub(super) fn owe(&mut self, key: TaskKey, answer: Answer) {
        if self.waiting.insert((key, answer.rank())) {
            self.queue.push_back((key, answer));
        }
    }

    pub(super) fn next(&self) -> Option<WorkerMessage> {
        self.queue.front().map(|(key, answer)| answer.message(*key))
    }

    pub(super) fn pop(&mut self) {
        if let Some((key, answer)) = self.queue.pop_front() {
            self.waiting.remove(&(key, answer.rank()));
        }
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.waiting.clear();
    }
}
