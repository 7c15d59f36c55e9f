//! Credentials that are refused: shown anew at once, and then slowly.

mod support;

use std::time::Duration;

use moorline_link::{
    Backoff, ComeBack, CoordinatorFrame, Dismissal, First, Jitter, LinkConfig, Reason, Reconnect,
    State,
};
use support::{Bench, SECOND};

/// Exact delays: 1, 2, 4, ... 60 s.
fn config() -> LinkConfig {
    let max = Duration::from_secs(60);
    let backoff = Backoff::new(SECOND, max, 2_000, Jitter::None, First::Backoff);
    let reconnect = Reconnect::new(backoff.expect("in bounds"));
    LinkConfig { reconnect, ..LinkConfig::default() }
}

fn dismissed(bench: &mut Bench, reason: Reason) {
    let come_back = ComeBack::ByReason;
    bench.frame(CoordinatorFrame::GoAway(Dismissal { reason, come_back }));
}

fn refused(bench: &mut Bench, reason: Reason) {
    let come_back = ComeBack::ByReason;
    bench.frame(CoordinatorFrame::Refused(Dismissal { reason, come_back }));
}

#[test]
fn a_credential_that_is_refused_is_renewed_once_and_then_shown_slowly() {
    for reason in [Reason::AuthRejected, Reason::AuthExpired] {
        let mut bench = Bench::active(config());
        bench.pass(60 * SECOND);
        bench.listening = false;
        let mut delays = Vec::new();
        dismissed(&mut bench, reason);
        for _ in 0..2 {
            let delay = bench.link.snapshot().delay.expect("it comes back");
            delays.push(delay);
            bench.pass(delay + SECOND);
            refused(&mut bench, reason);
        }
        delays.extend(bench.link.snapshot().delay);
        // Many may have lost theirs at once, so the first dial is spread as after any loss.
        assert_eq!(delays[0], SECOND, "{reason}");
        assert_eq!(delays[1..], [60 * SECOND; 2], "{reason}");
    }
}

#[test]
fn a_credential_that_is_refused_at_the_door_is_renewed_at_once() {
    let mut bench = Bench::new(config());
    bench.listening = false;
    bench.pass(5 * SECOND);
    refused(&mut bench, Reason::AuthExpired);
    assert_eq!(bench.link.snapshot().delay, Some(Duration::ZERO));
    // No sooner than dials may follow each other.
    let before = bench.dials().len();
    bench.pass(SECOND);
    assert_eq!(bench.dials().len(), before + 1);
    refused(&mut bench, Reason::AuthExpired);
    assert_eq!(bench.link.snapshot().delay, Some(60 * SECOND));
}

#[test]
fn only_after_a_stable_session_another_fresh_credential_is_shown_at_once() {
    for (lasts, delay) in [(60 * SECOND, SECOND), (10 * SECOND, 60 * SECOND)] {
        let mut bench = Bench::active(config());
        bench.pass(60 * SECOND);
        dismissed(&mut bench, Reason::AuthExpired);
        bench.until_active();
        bench.pass(lasts);
        assert_eq!(bench.link.state(), State::Active);
        dismissed(&mut bench, Reason::AuthExpired);
        assert_eq!(bench.link.snapshot().delay, Some(delay), "after {lasts:?}");
    }
}
