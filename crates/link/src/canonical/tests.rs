//! Equal is what does the same, and nothing else.

use core::time::Duration;

use super::Canonical;
use crate::{
    Backoff, ConnId, First, Identity, Incarnation, Instant, Jitter, Link, LinkAction, LinkConfig,
    LinkInput, Reason, Reconnect, Sym, Timer, Versions, Wake, WorkerId,
};

const FAR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

fn link(jitter: Jitter, now: Instant) -> Link {
    let backoff = Backoff::new(SECOND, SECOND, 1_000, jitter, First::Backoff).expect("steady");
    let config = LinkConfig { reconnect: Reconnect::new(backoff), ..LinkConfig::default() };
    let identity = Identity {
        worker: WorkerId(7),
        incarnation: Incarnation(1),
        name: Sym(0),
        versions: Versions::SPOKEN,
        features: 0,
    };
    Link::new(config, identity, 42, now)
}

/// Dials and fails, as often as is said, and returns the time.
fn fail(link: &mut Link, times: u64) -> Instant {
    let mut now = Instant::ZERO;
    for conn in 1..=times {
        let Wake::At { deadline, timer: Timer::Retry } = link.next_wake() else {
            panic!("it waits to dial")
        };
        now = deadline;
        link.handle(now, LinkInput::Timeout);
        while let Some(action) = link.poll_action() {
            assert!(!matches!(action, LinkAction::Dial { conn: other, .. } if other.0 != conn));
        }
        link.handle(
            now,
            LinkInput::DialFailed { conn: ConnId(conn), reason: Reason::ConnectRefused },
        );
        while link.poll_action().is_some() {}
    }
    now
}

#[test]
fn a_link_that_failed_often_is_as_one_that_failed_less_often() {
    let (mut once, mut often) =
        (link(Jitter::None, Instant::ZERO), link(Jitter::None, Instant::ZERO));
    let (now, later) = (fail(&mut once, 1), fail(&mut often, 9));
    assert_ne!(once, often, "plainly they differ");
    assert_eq!(Canonical::new(&once, now, FAR), Canonical::new(&often, later, FAR));
    let fresh = link(Jitter::None, Instant::ZERO);
    assert_ne!(
        Canonical::new(&once, now, FAR),
        Canonical::new(&fresh, Instant::ZERO, FAR),
        "the first dial of an outage is not like the others"
    );
}

#[test]
fn dials_that_are_drawn_tell_how_often_a_link_failed() {
    let (mut twice, mut often) =
        (link(Jitter::Equal, Instant::ZERO), link(Jitter::Equal, Instant::ZERO));
    let (now, later) = (fail(&mut twice, 2), fail(&mut often, 9));
    assert_ne!(Canonical::new(&twice, now, FAR), Canonical::new(&often, later, FAR));
}

#[test]
fn a_deadline_counts_by_its_distance_and_not_at_all_when_it_is_far() {
    let link = link(Jitter::None, Instant::ZERO);
    let later = Instant::ZERO + SECOND / 2;
    assert_ne!(Canonical::new(&link, Instant::ZERO, FAR), Canonical::new(&link, later, FAR));
    let near = SECOND / 4;
    assert_eq!(Canonical::new(&link, Instant::ZERO, near), Canonical::new(&link, later, near));
}
