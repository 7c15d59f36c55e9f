//! A link on the walk of its law tests, with the bytes as the steps.

#[path = "../../../crates/link/tests/support/mod.rs"]
mod support;

use moorline_link::{ConnId, Lane, Link, LinkInput, Wake};
use support::walk::{Walk, ends_well};

use crate::source::Source;

/// Longer walks reach nothing new and cost much.
const MOST: usize = 400;

/// Lets a link through whatever the bytes say happens to it: everything that a driver, an embedder and a
/// hostile coordinator can do. After each step L1 to L4 hold, and at the end it comes back to `Active`
/// over a good network, or has ended (L9).
pub fn link(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let Some(choice) = source.byte() else { return };
    let mut walk = Walk::new(choice, u64::from(choice) * 31 + 5);
    for _ in 0..MOST {
        let Some((kind, a)) = source.byte().zip(source.short()) else { break };
        let Some(b) = source.word() else { break };
        walk.step((kind, u32::from(a), b));
        laws(&walk);
    }
    if let Err(error) = ends_well(&walk) {
        panic!("{error}");
    }
}

fn laws(walk: &Walk) {
    let mut link = walk.link.clone();
    assert_eq!(link.next_wake() == Wake::Now, link.poll_action().is_some(), "L1");
    while link.poll_action().is_some() {}
    let Wake::At { deadline, .. } = link.next_wake() else { return };
    if deadline > walk.now {
        let mut early = link.clone();
        early.handle(walk.now, LinkInput::Timeout);
        assert_eq!(early, link, "L4");
    }
    let now = walk.now.max(deadline);
    let mut served = link.clone();
    served.handle(now, LinkInput::Timeout);
    while served.poll_action().is_some() {}
    if let Wake::At { deadline: next, timer } = served.next_wake() {
        assert!(next > now, "L2: {timer:?} at {next:?}, now {now:?}");
    }
    drained(link, walk);
}

fn drained(mut link: Link, walk: &Walk) {
    let conns = walk.newest.saturating_sub(3)..=walk.newest + 1;
    for _ in 0..20_000 {
        let acted = link.poll_action().is_some();
        let wrote = conns.clone().any(|conn| {
            Lane::ALL.iter().any(|lane| link.poll_transmit(walk.now, ConnId(conn), *lane).is_some())
        });
        if !acted && !wrote {
            let before = link.clone();
            assert!(conns.clone().all(|conn| !link.wants_transmit(ConnId(conn))), "L3");
            assert_eq!(link.poll_action(), None, "L3");
            assert_eq!(link, before, "L3");
            return;
        }
    }
    panic!("L3: it never has enough");
}
