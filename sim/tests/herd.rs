//! A fleet of real nodes whose coordinator is killed and started anew. Exact, and the same everywhere.

use std::time::Duration;

use moorline_sim::herd::{Herd, Outcome, Policy};

const SECOND: Duration = Duration::from_secs(1);

/// A thousand, and three seconds without anybody.
fn outage(policy: Policy) -> Outcome {
    Herd::new(policy).run()
}

#[test]
fn a_thousand_come_back_in_order_by_our_defaults() {
    let ours = outage(Policy::Ours);
    // 200 a second come in, and 64 at once: the last one cannot be here much before 8 s.
    assert!(ours.last.is_some_and(|last| last > 7 * SECOND && last <= 8 * SECOND), "{ours:?}");
    assert!(ours.half.is_some_and(|half| half <= 6 * SECOND), "{ours:?}");
    assert!(ours.peak <= 75 && ours.dials <= 2_500, "{ours:?}");
    assert_eq!(ours.back, 1_000);
    assert_eq!(outage(Policy::Ours), ours, "the same each time");
}

#[test]
fn policies_without_jitter_or_slots_do_as_they_are_known_to() {
    let all = outage(Policy::NoJitter);
    // All at once after 1, 3, 7, .. 31 and 63 s, and 200 of them come in each time.
    assert_eq!((all.peak, all.dials, all.while_down), (1_000, 4_000, 1_000), "{all:?}");
    assert!(all.last.is_some_and(|last| last > 63 * SECOND && last < 64 * SECOND), "{all:?}");
    let full = outage(Policy::Full);
    assert!(full.last.is_some_and(|last| last > 20 * SECOND), "{full:?}");
    assert!(full.peak > 100 && full.back == 1_000, "{full:?}");
}

#[test]
fn a_run_ends_with_patience() {
    let herd = Herd { patience: SECOND, ..Herd::new(Policy::NoJitter) };
    let outcome = herd.run();
    assert_eq!((outcome.back, outcome.half, outcome.last), (200, None, None));
}
