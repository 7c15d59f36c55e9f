use core::time::Duration;

use proptest::prelude::*;

use super::EffectiveClock;
use crate::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

#[test]
fn lateness_up_to_the_threshold_is_not_a_stall() {
    let mut clock = EffectiveClock::new(at(0));
    assert_eq!(clock.advance(at(2_000), Some(at(1_000)), SECOND), None);
    assert_eq!(clock.last(), at(2_000));
    assert_eq!(clock.stalled(), Duration::ZERO);
}

#[test]
fn a_stall_is_subtracted_for_ever() {
    let mut clock = EffectiveClock::new(at(0));
    assert_eq!(clock.advance(at(5_000), Some(at(1_000)), SECOND), Some(4 * SECOND));
    assert_eq!(clock.effective(at(5_000)), at(1_000));
    assert_eq!(clock.advance(at(9_000), Some(at(2_000)), SECOND), Some(3 * SECOND));
    assert_eq!(clock.effective(at(10_000)), at(3_000));
    assert_eq!(clock.stalled(), 7 * SECOND);
}

#[test]
fn a_deadline_before_the_last_run_cannot_be_blamed_twice() {
    let mut clock = EffectiveClock::new(at(0));
    assert_eq!(clock.advance(at(1_900), Some(at(1_000)), SECOND), None);
    // The same deadline is still asked for, but the machine was run since.
    assert_eq!(clock.advance(at(2_800), Some(at(1_000)), SECOND), None);
    assert_eq!(clock.last(), at(2_800));
}

#[test]
fn a_machine_that_asked_for_nothing_is_never_late() {
    let mut clock = EffectiveClock::new(at(0));
    assert_eq!(clock.advance(at(1_000_000), None, SECOND), None);
}

proptest! {
    #[test]
    fn effective_time_never_goes_back_never_runs_fast_and_converts_both_ways(
        steps in prop::collection::vec((0u64..200_000, prop::option::of(0u64..5_000)), 1..60),
    ) {
        let mut clock = EffectiveClock::new(at(0));
        let (mut now, mut before) = (0, clock.last());
        for (step, ask) in steps {
            let asked = ask.map(|ask| clock.last() + Duration::from_millis(ask));
            let given_before = now;
            now += step;
            let stalled = clock.stalled();
            let late = clock.advance(at(now), asked, SECOND);
            prop_assert!(clock.last() >= before);
            prop_assert!(clock.last().since(before) <= at(now).since(at(given_before)));
            prop_assert_eq!(clock.stalled(), stalled + late.unwrap_or_default());
            prop_assert!(late.is_none_or(|late| late > SECOND));
            prop_assert_eq!(clock.effective(at(now)), clock.last());
            prop_assert_eq!(clock.actual(clock.last()), at(now));
            before = clock.last();
        }
    }
}
