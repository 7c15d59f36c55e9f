//! Keys of which the coordinator was told that they are not held.

use alloc::collections::BTreeMap;
use core::hash::{Hash, Hasher};

use crate::TaskKey;

/// Keys to refuse for the rest of the session: their assignment may still be under way on the other
/// lane. Bounded: the oldest is forgotten first, which is safe, because a lane has credit for far
/// fewer assignments than [`RevokedKeys::MAX`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct RevokedKeys {
    order_of: BTreeMap<TaskKey, u64>,
    by_order: BTreeMap<u64, TaskKey>,
    next: u64,
}

impl RevokedKeys {
    pub(super) const MAX: usize = 4_096;

    pub(super) fn insert(&mut self, key: TaskKey) {
        if self.order_of.contains_key(&key) {
            return;
        }
        if self.order_of.len() >= Self::MAX
            && let Some((_, oldest)) = self.by_order.pop_first()
        {
            self.order_of.remove(&oldest);
        }
        self.order_of.insert(key, self.next);
        self.by_order.insert(self.next, key);
        self.next = self.next.saturating_add(1);
    }

    /// Takes a key out, because its assignment arrived. Returns whether it was there.
    pub(super) fn remove(&mut self, key: TaskKey) -> bool {
        let Some(order) = self.order_of.remove(&key) else { return false };
        self.by_order.remove(&order);
        true
    }

    /// The keys, oldest first.
    pub(super) fn feed<H: Hasher>(&self, state: &mut H) {
        let Self { order_of: _, by_order, next: _ } = self;
        by_order.len().hash(state);
        by_order.values().for_each(|key| key.hash(state));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
