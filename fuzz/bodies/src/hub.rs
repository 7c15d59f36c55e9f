//! A hub on the walk of its law tests, with the bytes as the steps.

/// The walk calls the machines so.
use moorline_link as link;

#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the crate")]
#[path = "../../../crates/link/src/hub/tests/walk.rs"]
mod walk;

use moorline_link::{HubInput, Wake};
use walk::Walk;

use crate::source::Source;

/// Longer walks reach nothing new and cost much.
const MOST: usize = 500;

/// Lets seven processes of five workers, some of them hostile, loose upon a hub. The walk itself checks
/// what a worker may expect; after each step L1, L2 and L4 hold, and the hub is as one whose caches were
/// built anew.
pub fn hub(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let mut walk = Walk::new();
    for _ in 0..MOST {
        let Some([op, a, b]) = source.take() else { return };
        let Some(pause) = source.byte() else { return };
        walk.step((op, a, b, u16::from(pause)));
        laws(&walk);
    }
}

fn laws(walk: &Walk) {
    let mut hub = walk.hub.clone();
    let mut anew = hub.clone();
    anew.reindex();
    assert_eq!(anew, hub, "its caches are wrong");
    assert_eq!(anew.next_wake(), hub.next_wake(), "its caches are wrong");
    assert_eq!(hub.next_wake() == Wake::Now, hub.poll_action().is_some(), "L1");
    while hub.poll_action().is_some() {}
    let deadline = hub.next_wake().deadline().expect("there is always a pulse");
    if deadline > walk.now {
        let mut early = hub.clone();
        early.handle(walk.now, HubInput::Timeout);
        assert_eq!(early, hub, "L4");
    }
    let now = walk.now.max(deadline);
    hub.handle(now, HubInput::Timeout);
    while hub.poll_action().is_some() {}
    let next = hub.next_wake().deadline().expect("there is always a pulse");
    assert!(next > now, "L2: {next:?} is not after {now:?}");
}
