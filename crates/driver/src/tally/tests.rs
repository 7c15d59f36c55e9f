use std::time::Duration;

use moorline_link::{Instant, Reason};
use moorline_work::Disposition;

use super::*;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

#[test]
fn every_reason_and_every_disposition_has_a_count_of_its_own() {
    let reasons = Counts::by_reason();
    for reason in Reason::ALL {
        reasons.add(reason.name());
    }
    assert_eq!(reasons.iter().count(), Reason::ALL.len());
    assert!(reasons.iter().all(|(_, count)| count == 1), "{reasons:?}");
    let results = CoordinatorTally::default().results;
    for disposition in [
        Disposition::Accepted,
        Disposition::LateAccepted,
        Disposition::Duplicate,
        Disposition::Stale,
        Disposition::Unknown,
    ] {
        results.add(disposition.name());
    }
    assert!(results.iter().all(|(_, count)| count == 1), "{results:?}");
}

#[test]
fn a_duration_is_counted_in_the_bucket_whose_end_it_does_not_exceed() {
    static BOUNDS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];
    let histogram = Histogram::new(&BOUNDS);
    for millis in [0, 10, 11, 100, 101] {
        histogram.observe(Duration::from_millis(millis));
    }
    let view = histogram.view();
    assert_eq!(view.cumulative, [(BOUNDS[0], 2), (BOUNDS[1], 4)]);
    assert_eq!((view.count, view.sum), (5, Duration::from_millis(222)));
}

#[test]
fn a_pulse_is_as_old_as_the_last_turn() {
    let pulse = Pulse::default();
    pulse.beat(at(500));
    assert_eq!((pulse.turns(), pulse.age(at(1_700))), (1, Duration::from_millis(1_200)));
    // The clock of another thread may be read before the turn that it is compared with.
    assert_eq!(pulse.age(at(400)), Duration::ZERO);
}

#[test]
fn a_commit_that_hangs_can_be_seen_while_it_does() {
    let tally = CoordinatorTally::default();
    assert_eq!(tally.committing_for(at(10)), None);
    tally.commit_begins(at(10));
    assert_eq!(tally.committing_for(at(5_010)), Some(Duration::from_secs(5)));
    tally.commit_ends(Duration::from_secs(6));
    assert_eq!(tally.committing_for(at(9_000)), None);
    assert_eq!(tally.commits.view().count, 1);
}

#[test]
fn who_is_turned_away_is_counted_by_transport_and_reason() {
    let tally = CoordinatorTally::default();
    assert_eq!(tally.refused_connections(), []);
    for reason in [Reason::TlsFailed, Reason::RegisterTimeout, Reason::TlsFailed] {
        tally.refuses("wss", reason);
    }
    tally.refuses("quic", Reason::TlsFailed);
    assert_eq!(
        tally.refused_connections(),
        [
            ("quic".to_owned(), "tls_failed", 1),
            ("wss".to_owned(), "register_timeout", 1),
            ("wss".to_owned(), "tls_failed", 2),
        ]
    );
}
