//! The ready ring and the deadline heap: caches of what connections and workers answer.
//!
//! Nothing here decides. Each entity carries [`Marks`] of what was last noted of it; noting it again
//! after every change keeps both structures exact, and [`Hub::reindex`](super::Hub::reindex) builds
//! them anew from a full scan.

use alloc::collections::binary_heap::PeekMut;
use alloc::collections::{BinaryHeap, VecDeque};
use core::cmp::Reverse;
use core::hash::{Hash, Hasher};

use super::table::Near;
use crate::{ConnId, Instant, WorkerId};

/// Something that can be computed from the rest: outside equality and hashing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cache<T>(pub(super) T);

impl<T> PartialEq for Cache<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Cache<T> {}

impl<T> Hash for Cache<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What can have become of a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deadline {
    /// Anything.
    Changed,
    /// It is where it was, or later: the entry in the heap still stands for it.
    NotSooner,
    /// Nothing: it is where it was.
    Same,
}

impl Deadline {
    /// What can have become of it by two changes.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Changed, _) | (_, Self::Changed) => Self::Changed,
            (Self::NotSooner, _) | (_, Self::NotSooner) => Self::NotSooner,
            (Self::Same, Self::Same) => Self::Same,
        }
    }
}

/// What can have actions and deadlines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Key {
    Conn(ConnId),
    Worker(WorkerId),
}

impl Key {
    /// The same in two words less, in the same order, with where it is: a heap of a million is as large as
    /// its entries.
    fn packed(self, near: Near) -> Packed {
        match self {
            Self::Conn(conn) => (false, 0, conn.0, near),
            Self::Worker(worker) => (true, (worker.0 >> 64) as u64, worker.0 as u64, near),
        }
    }

    fn unpacked((is_worker, high, low, near): Packed) -> (Self, Near) {
        if is_worker {
            (Self::Worker(WorkerId(u128::from(high) << 64 | u128::from(low))), near)
        } else {
            (Self::Conn(ConnId(low)), near)
        }
    }
}

/// Whether it is a worker, both halves of its identity, and where it is.
type Packed = (bool, u64, u64, Near);

/// What the ring and the heap know of one entity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// It is in the ring (and perhaps not due any more).
    queued: bool,
    /// It has an action due.
    pub(super) due: bool,
    /// The heap entry that stands for its deadline, never later than that; others are litter.
    /// [`Instant::FAR`]: none does.
    armed: Instant,
}

impl Default for Marks {
    fn default() -> Self {
        Self { queued: false, due: false, armed: Instant::FAR }
    }
}

/// An entry of the heap: entities with deadlines at the same time come in the order of their keys.
type Entry = (Instant, Packed);

/// The ring and the heap.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    ring: VecDeque<Packed>,
    /// Entities with an action due: all are in the ring.
    due: usize,
    heap: BinaryHeap<Reverse<Entry>>,
    /// The earliest entry of the heap may not be true any more.
    unsettled: bool,
}

impl Schedule {
    /// Whether any entity has an action due.
    pub(super) fn is_due(&self) -> bool {
        self.due > 0
    }

    /// Notes whether an entity, to be found near there, has an action due now.
    pub(super) fn note_due(&mut self, (key, near): (Key, Near), marks: &mut Marks, due: bool) {
        if marks.due != due {
            marks.due = due;
            self.due = if due { self.due + 1 } else { self.due - 1 };
        }
        if due && !marks.queued {
            marks.queued = true;
            self.ring.push_back(key.packed(near));
        }
    }

    /// Notes the deadline that an entity has now.
    pub(super) fn note_deadline(
        &mut self,
        (key, near): (Key, Near),
        marks: &mut Marks,
        deadline: Option<Instant>,
    ) {
        if marks.armed == deadline.unwrap_or(Instant::FAR) {
            return;
        }
        self.note_not_sooner(key, marks);
        if let Some(deadline) = deadline {
            self.note_sooner((key, near), marks, deadline);
        }
    }

    /// Notes that an entity has a deadline at this time, or one before it that was noted.
    pub(super) fn note_sooner(
        &mut self,
        (key, near): (Key, Near),
        marks: &mut Marks,
        deadline: Instant,
    ) {
        if deadline < marks.armed {
            marks.armed = deadline;
            self.heap.push(Reverse((deadline, key.packed(near))));
        }
    }

    /// Notes that the deadline of an entity is where it was, or later: it keeps its entry, which is
    /// corrected when it comes up.
    pub(super) fn note_not_sooner(&mut self, key: Key, marks: &Marks) {
        self.unsettled |= self.heap.peek().is_some_and(|Reverse((at, earliest))| {
            marks.armed == *at && Key::unpacked(*earliest).0 == key
        });
    }

    /// An entity is gone.
    pub(super) fn forget(&mut self, marks: Marks) {
        if marks.due {
            self.due -= 1;
        }
        self.unsettled = true;
    }

    /// Whether the earliest entry of the heap is true, as far as is known.
    pub(super) fn is_settled(&self) -> bool {
        !self.unsettled
    }

    /// The earliest entry of the heap is true now.
    pub(super) fn settled(&mut self) {
        self.unsettled = false;
    }

    /// Takes the next entity from the ring; it may not be due any more, or gone.
    pub(super) fn take(&mut self) -> Option<(Key, Near)> {
        self.ring.pop_front().map(Key::unpacked)
    }

    /// The entity was taken from the ring.
    pub(super) fn taken(marks: &mut Marks) {
        marks.queued = false;
    }

    /// The earliest entry of the heap.
    pub(super) fn earliest(&self) -> Option<(Instant, Key, Near)> {
        let Reverse((at, earliest)) = *self.heap.peek()?;
        let (key, near) = Key::unpacked(earliest);
        Some((at, key, near))
    }

    /// Its time.
    pub(super) fn earliest_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Drops the earliest entry: it is litter.
    pub(super) fn sweep(&mut self) {
        self.heap.pop();
    }

    /// Whether an entry of the heap is the one that stands for this entity.
    pub(super) fn stands_for(marks: &Marks, at: Instant) -> bool {
        marks.armed == at
    }

    /// The earliest entry stands for an entity whose deadline is this by now, which is later.
    pub(super) fn postpone(&mut self, marks: &mut Marks, deadline: Option<Instant>) {
        let Some(mut earliest) = self.heap.peek_mut() else { return };
        marks.armed = deadline.unwrap_or(Instant::FAR);
        match deadline {
            // In its place: half the way of taking it out and putting it in again.
            Some(deadline) => earliest.0.0 = deadline,
            None => drop(PeekMut::pop(earliest)),
        }
    }

    /// Whether litter outweighs what is alive, so that building anew pays.
    pub(super) fn is_littered(&self, alive: usize) -> bool {
        self.heap.len().max(self.ring.len()) > 64 + 4 * alive
    }

    #[cfg(test)]
    pub(super) fn due_count(&self) -> usize {
        self.due
    }

    #[cfg(test)]
    pub(super) fn holds(&self, key: Key) -> bool {
        self.ring.iter().any(|held| Key::unpacked(*held).0 == key)
    }
}
