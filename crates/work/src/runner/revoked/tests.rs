use super::*;
use crate::{Attempt, TaskId};

fn key(n: usize) -> TaskKey {
    TaskKey { task: TaskId(n as u128), attempt: Attempt(1) }
}

#[test]
fn the_oldest_key_is_forgotten_when_the_bound_is_reached() {
    let mut keys = RevokedKeys::default();
    for n in 0..=RevokedKeys::MAX {
        keys.insert(key(n));
    }
    assert_eq!(keys.order_of.len(), RevokedKeys::MAX);
    assert_eq!(keys.by_order.len(), RevokedKeys::MAX);
    assert!(!keys.remove(key(0)));
    assert!(keys.remove(key(1)));
    assert!(keys.remove(key(RevokedKeys::MAX)));
}

#[test]
fn a_key_that_is_inserted_twice_counts_once() {
    let mut keys = RevokedKeys::default();
    keys.insert(key(1));
    keys.insert(key(1));
    assert!(keys.remove(key(1)));
    assert!(!keys.remove(key(1)));
    assert!(keys.by_order.is_empty());
}
