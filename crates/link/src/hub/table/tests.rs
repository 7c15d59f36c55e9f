use alloc::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::*;

fn hash(table: &Table<WorkerId, u8>) -> u64 {
    let mut hasher = DefaultHasher::new();
    table.hash(&mut hasher);
    hasher.finish()
}

proptest! {
    /// Few keys, so that they come and go; the table beside an ordered map.
    #[test]
    fn it_does_what_an_ordered_map_does(
        steps in proptest::collection::vec((0..4_u8, 0..600_u16, any::<u8>()), 1..3_000),
        seed in any::<u64>(),
    ) {
        let mut table: Table<WorkerId, u8> = Table::new(seed);
        let mut map: BTreeMap<WorkerId, u8> = BTreeMap::new();
        // Where some entry was: mostly not this one, or not any more.
        let mut near = [Near::default(); 8];
        for (op, key, value) in steps {
            let at = usize::from(key) % near.len();
            let key = WorkerId(u128::from(key) << 60);
            match op {
                0 => prop_assert_eq!(table.insert(key, value), map.insert(key, value)),
                1 => prop_assert_eq!(table.remove(&key), map.remove(&key)),
                2 => {
                    let there = *table.entry(key).or_insert_with(|| value);
                    prop_assert_eq!(there, *map.entry(key).or_insert(value));
                }
                _ => {
                    prop_assert_eq!(table.get(&key), map.get(&key));
                    prop_assert_eq!(table.get_mut(&key).copied(), map.get(&key).copied());
                    prop_assert_eq!(table.contains_key(&key), map.contains_key(&key));
                    let found = table.get_near(&key, &mut near[at]);
                    prop_assert_eq!(found, map.get(&key));
                    let found = table.get_mut_near(&key, &mut near[at]).copied();
                    prop_assert_eq!(found, map.get(&key).copied());
                }
            }
            prop_assert_eq!(table.len(), map.len());
        }
        prop_assert!(table.iter().eq(map.iter()), "in the order of the keys");
        prop_assert!(table.keys().eq(map.keys()));
        for (key, value) in &mut table {
            *value = value.wrapping_add(1);
            *map.get_mut(key).unwrap() = *value;
        }
        prop_assert!(table.values().eq(map.values()));

        // Equality and hash know of what is in it, not of how it came there.
        let mut again = Table::new(!seed);
        for (key, value) in map.iter().rev() {
            again.insert(*key, *value);
        }
        prop_assert!(again == table);
        prop_assert!(table == again);
        prop_assert_eq!(hash(&again), hash(&table));
        if let Some((key, value)) = map.first_key_value() {
            again.insert(*key, value.wrapping_add(1));
            prop_assert!(again != table);
            prop_assert_ne!(hash(&again), hash(&table));
            again.remove(key);
            prop_assert!(again != table);
            prop_assert!(table != again);
        }
    }
}

/// How many steps it takes to find each of so many keys once, beside the first look.
fn steps<K: Key>(seed: u64, keys: impl Iterator<Item = K>) -> usize {
    let mut table: Table<K, ()> = Table::new(seed);
    for key in keys {
        table.insert(key, ());
    }
    let mask = table.index.len() - 1;
    let taken = table.index.iter().enumerate().filter(|(_, place)| place.slot != EMPTY);
    taken.map(|(at, place)| at.wrapping_sub(place.hash as usize) & mask).sum()
}

const SEEDS: [u64; 4] = [0, 1, u64::MAX, 0x0123_4567_89ab_cdef];

#[test]
fn keys_that_differ_in_any_bit_spread_over_the_index() {
    for seed in SEEDS {
        for shift in [0, 8, 32, 64, 100] {
            let ways = steps(seed, (0..10_000_u128).map(|n| WorkerId(n << shift)));
            assert!(ways < 20_000, "{seed} {shift}: {ways} steps to find each of 10,000");
        }
        for shift in [0, 8, 32, 50] {
            let ways = steps(seed, (0..10_000_u64).map(|n| ConnId(n << shift)));
            assert!(ways < 20_000, "{seed} {shift}: {ways} steps to find each of 10,000");
        }
    }
}

#[test]
fn what_is_removed_leaves_its_room_to_the_next() {
    let mut table: Table<ConnId, u64> = Table::new(7);
    for n in 0..100_000_u64 {
        table.insert(ConnId(n), n);
        if n >= 100 {
            assert_eq!(table.remove(&ConnId(n - 100)), Some(n - 100));
        }
    }
    assert_eq!(table.len(), 100);
    let slots: usize = table.blocks.iter().map(Vec::len).sum();
    assert!(slots <= 101 && table.index.len() <= 256, "{slots} {}", table.index.len());
}
