//! Entities by key: entries that stay where they are, and a flat index of where. An ordered map of a
//! million misses the processor's caches at most of its levels, on each of the dozen looks that a
//! heartbeat takes; here a look misses twice, and the next ones not at all.
//!
//! It is a map and nothing more: equality and hashing know of keys and values only, and whoever asks
//! for all of them gets them in the order of their keys.

use alloc::vec::{self, Vec};
use core::hash::{Hash, Hasher};

use crate::{ConnId, WorkerId};

/// Entries of a block. Blocks do not move: a table that grows does not copy what it holds.
const BLOCK: usize = 256;

/// No entry.
const EMPTY: u32 = u32::MAX;

/// Something entries are found by.
pub(super) trait Key: Copy + Ord + Hash {
    /// A hash that nobody can aim who does not know the seed: workers choose their identities.
    fn mix(self, seed: u64) -> u32;
}

impl Key for ConnId {
    fn mix(self, seed: u64) -> u32 {
        high(fold(self.0 ^ seed, 0x9e37_79b9_7f4a_7c15))
    }
}

impl Key for WorkerId {
    fn mix(self, seed: u64) -> u32 {
        let (low, top) = (self.0 as u64, (self.0 >> 64) as u64);
        let low = fold(low ^ seed ^ 0x2545_f491_4f6c_dd1d, 0xd6e8_feb8_6659_fd93);
        let top = fold(top ^ seed.rotate_left(29), 0xa076_1d64_78bd_642f);
        high(fold(low ^ top.rotate_left(32), 0x9e37_79b9_7f4a_7c15))
    }
}

/// Both halves of the product, one on the other: every bit depends on every bit.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

fn high(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Where an entry was seen: it is found without a search if it still is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Near(u32);

impl Default for Near {
    fn default() -> Self {
        Self(EMPTY)
    }
}

/// A place of the index.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    /// Which entry, or [`EMPTY`].
    slot: u32,
}

/// What holds an entry. It begins where a line of the processor's caches does, so that it lies in as few of
/// them as it can.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Slot<K, V>(Option<(K, V)>);

/// A map.
#[derive(Clone, Debug)]
pub(super) struct Table<K, V> {
    blocks: Vec<Vec<Slot<K, V>>>,
    /// Slots whose entries were removed.
    free: Vec<u32>,
    /// A power of two of places, at most three quarters taken; each as near behind its hash as can be.
    index: Vec<Place>,
    len: usize,
    seed: u64,
    /// The slot that was changed last: who is looked at is mostly looked at again.
    last: u32,
}

impl<K: Key, V> Table<K, V> {
    /// An empty one; `seed` is nobody's business.
    pub(super) const fn new(seed: u64) -> Self {
        Self { blocks: Vec::new(), free: Vec::new(), index: Vec::new(), len: 0, seed, last: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.slot(key).is_some()
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let slot = self.slot(key)?;
        self.at(slot).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let mut near = self.last();
        self.get_mut_near(key, &mut near)
    }

    /// [`get`](Self::get) for somebody who may know where it is, and does from now on.
    pub(super) fn get_near(&self, key: &K, near: &mut Near) -> Option<&V> {
        near.0 = self.slot_near(key, *near)?;
        self.at(near.0).map(|(_, value)| value)
    }

    /// [`get_mut`](Self::get_mut) for somebody who may know where it is, and does from now on.
    pub(super) fn get_mut_near(&mut self, key: &K, near: &mut Near) -> Option<&mut V> {
        near.0 = self.slot_near(key, *near)?;
        self.last = near.0;
        let slot = near.0 as usize;
        let (_, value) = self.blocks.get_mut(slot / BLOCK)?.get_mut(slot % BLOCK)?.0.as_mut()?;
        Some(value)
    }

    /// Where the entry is that was changed last.
    pub(super) const fn last(&self) -> Near {
        Near(self.last)
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.get_mut(&key) {
            Some(there) => Some(core::mem::replace(there, value)),
            None => {
                self.add(key, value);
                None
            }
        }
    }

    pub(super) fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { table: self, key }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let mut hole = self.find(key)?;
        let slot = self.index[hole].slot;
        let mask = self.index.len() - 1;
        // What stands behind it because it was taken moves up.
        let mut next = (hole + 1) & mask;
        while self.index[next].slot != EMPTY {
            let home = self.index[next].hash as usize & mask;
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(hole) & mask {
                self.index[hole] = self.index[next];
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.index[hole].slot = EMPTY;
        self.len -= 1;
        self.free.push(slot);
        let entry = self.blocks[slot as usize / BLOCK][slot as usize % BLOCK].0.take();
        entry.map(|(_, value)| value)
    }

    /// All of them, in the order of their keys.
    pub(super) fn iter(&self) -> vec::IntoIter<(&K, &V)> {
        let mut all: Vec<(&K, &V)> = Vec::with_capacity(self.len);
        all.extend(self.entries().map(|(key, value)| (key, value)));
        all.sort_unstable_by_key(|(key, _)| **key);
        all.into_iter()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Where a key is.
    fn slot(&self, key: &K) -> Option<u32> {
        self.slot_near(key, self.last())
    }

    #[inline]
    fn slot_near(&self, key: &K, near: Near) -> Option<u32> {
        if self.at(near.0).is_some_and(|(there, _)| there == key) {
            return Some(near.0);
        }
        self.search(key)
    }

    /// Where a key is that is not where it was thought to be.
    #[cold]
    fn search(&self, key: &K) -> Option<u32> {
        self.find(key).map(|place| self.index[place].slot)
    }

    #[inline]
    fn at(&self, slot: u32) -> Option<&(K, V)> {
        let slot = slot as usize;
        self.blocks.get(slot / BLOCK)?.get(slot % BLOCK)?.0.as_ref()
    }

    /// All entries, in no order.
    fn entries(&self) -> impl Iterator<Item = &(K, V)> {
        self.blocks.iter().flatten().filter_map(|slot| slot.0.as_ref())
    }

    /// The place of a key in the index.
    fn find(&self, key: &K) -> Option<usize> {
        let mask = self.index.len().checked_sub(1)?;
        let hash = key.mix(self.seed);
        let mut at = hash as usize & mask;
        loop {
            let place = self.index[at];
            if place.slot == EMPTY {
                return None;
            }
            if place.hash == hash && self.at(place.slot).is_some_and(|(there, _)| there == key) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    /// A key that is not there.
    fn add(&mut self, key: K, value: V) {
        if (self.len + 1) * 4 > self.index.len() * 3 {
            self.grow();
        }
        let entry = Slot(Some((key, value)));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.blocks[slot as usize / BLOCK][slot as usize % BLOCK] = entry;
                slot
            }
            None => {
                if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
                    self.blocks.push(Vec::new());
                }
                let block = self.blocks.len() - 1;
                self.blocks[block].push(entry);
                // Fewer than the hub may have workers or connections: a number of 32 bits.
                (block * BLOCK + self.blocks[block].len() - 1) as u32
            }
        };
        self.len += 1;
        self.place(Place { hash: key.mix(self.seed), slot });
    }

    fn place(&mut self, place: Place) {
        let mask = self.index.len() - 1;
        let mut at = place.hash as usize & mask;
        while self.index[at].slot != EMPTY {
            at = (at + 1) & mask;
        }
        self.index[at] = place;
    }

    fn grow(&mut self) {
        let size = (self.index.len() * 2).max(8);
        let empty = alloc::vec![Place { hash: 0, slot: EMPTY }; size];
        for place in core::mem::replace(&mut self.index, empty) {
            if place.slot != EMPTY {
                self.place(place);
            }
        }
    }
}

/// What is, or comes, under a key.
pub(super) struct Entry<'a, K, V> {
    table: &'a mut Table<K, V>,
    key: K,
}

impl<'a, K: Key, V> Entry<'a, K, V> {
    pub(super) fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let Self { table, key } = self;
        if !table.contains_key(&key) {
            table.add(key, make());
        }
        table.get_mut(&key).expect("it is there, if only since the line before")
    }
}

impl<'a, K: Key, V> IntoIterator for &'a Table<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, K: Key, V> IntoIterator for &'a mut Table<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        let mut all: Vec<Self::Item> = Vec::with_capacity(self.len);
        let entries = self.blocks.iter_mut().flatten().filter_map(|slot| slot.0.as_mut());
        all.extend(entries.map(|(key, value)| (&*key, value)));
        all.sort_unstable_by_key(|(key, _)| **key);
        all.into_iter()
    }
}

impl<K: Key, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let mut entries = self.entries();
        self.len == other.len && entries.all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: Key, V: Eq> Eq for Table<K, V> {}

impl<K: Key, V: Hash> Hash for Table<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        for entry in self.iter() {
            entry.hash(state);
        }
    }
}

#[cfg(test)]
mod tests;
