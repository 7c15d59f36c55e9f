//! What an input touches.

use alloc::vec::Vec;

/// A set that is empty or small nearly always, and large only at the start: in order, in one buffer that
/// it keeps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Touched<T>(Vec<T>);

impl<T: Ord> Touched<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn insert(&mut self, value: T) {
        if let Err(place) = self.0.binary_search(&value) {
            self.0.insert(place, value);
        }
    }

    /// Takes one out.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Takes all out, in order. Their buffer is to come back by [`reuse`](Self::reuse).
    pub(super) fn take(&mut self) -> Vec<T> {
        core::mem::take(&mut self.0)
    }

    /// Is empty from here on.
    pub(super) fn reuse(&mut self, mut buffer: Vec<T>) {
        buffer.clear();
        self.0 = buffer;
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
