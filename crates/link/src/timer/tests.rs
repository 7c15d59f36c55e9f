use core::time::Duration;

use super::{Timer, Timers};
use crate::Instant;

const NOON: Instant = Instant::from_nanos(12_000);

#[test]
fn equal_deadlines_are_served_in_the_order_of_declaration_and_each_once() {
    let mut timers = Timers::new();
    for timer in Timer::ALL.iter().rev() {
        timers.arm(*timer, NOON);
    }
    let served: Vec<Timer> =
        core::iter::from_fn(|| timers.take_due(NOON)).map(|due| due.1).collect();
    assert_eq!(served, Timer::ALL);
    assert_eq!(timers.next(), None);
}

#[test]
fn the_earliest_deadline_is_first_and_nothing_fires_early() {
    let mut timers = Timers::new();
    timers.arm(Timer::Drain, NOON + Duration::from_nanos(1));
    timers.arm(Timer::Beat, NOON);
    assert_eq!(timers.next(), Some((NOON, Timer::Beat)));
    assert_eq!(timers.take_due(Instant::from_nanos(11_999)), None);
    assert_eq!(timers.take_due(NOON), Some((NOON, Timer::Beat)));
    assert_eq!(timers.take_due(NOON), None);
    assert!(timers.is_armed(Timer::Drain) && !timers.is_armed(Timer::Beat));
}

#[test]
fn a_stall_moves_what_judges_the_peer_and_nothing_that_was_promised() {
    let mut timers = Timers::new();
    for timer in Timer::ALL {
        timers.arm(*timer, NOON);
    }
    timers.disarm(Timer::Probe);
    timers.arm(Timer::Silence, NOON + Duration::from_nanos(3));
    timers.forgive(Duration::from_nanos(5), NOON + Duration::from_nanos(7));
    let unmoved: Vec<Timer> =
        Timer::ALL.iter().copied().filter(|timer| timers.deadline(*timer) == Some(NOON)).collect();
    assert_eq!(
        unmoved,
        [Timer::Drain, Timer::Goodbye, Timer::GiveUp, Timer::Wish, Timer::Retry, Timer::Leases]
    );
    assert!(!timers.is_armed(Timer::Probe), "what was not armed is not armed now");
    // By as much as we were late, but none to before the earliest time that is fair.
    assert_eq!(timers.deadline(Timer::Silence), Some(NOON + Duration::from_nanos(8)));
    assert_eq!(timers.deadline(Timer::Answer), Some(NOON + Duration::from_nanos(7)));
}

#[test]
fn the_timer_that_is_kept_as_the_first_is_the_one_that_a_search_finds() {
    let mut timers = Timers::new();
    let mut random = 1_u64;
    for _ in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let timer = Timer::ALL[(random >> 40) as usize % Timer::ALL.len()];
        // Few times for many timers: equal ones are common.
        match (random >> 50) % 12 {
            0..=3 => timers.disarm(timer),
            later => timers.arm(timer, NOON + Duration::from_nanos(later)),
        }
        let armed = |timer: &Timer| Some((timers.deadline(*timer)?, *timer));
        let searched = Timer::ALL.iter().filter_map(armed).min_by_key(|(deadline, _)| *deadline);
        assert_eq!(timers.next(), searched);
    }
}
