use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use moorline_link::Instant;
use moorline_store::WallTime;

use super::Wall;
use crate::log::tests::lines;
use crate::runtime::Runtime;

/// Both clocks are set by the test: milliseconds of the system's, microseconds of the one that only goes on.
#[derive(Clone, Default)]
struct Clocks(Arc<Mutex<(u64, u64)>>);

impl Clocks {
    fn set(&self, wall: u64, now: u64) {
        self.set_micros(wall, now * 1_000);
    }

    fn set_micros(&self, wall: u64, now: u64) {
        *self.0.lock().unwrap() = (wall, now);
    }
}

impl Runtime for Clocks {
    fn now(&self) -> Instant {
        Instant::ZERO + Duration::from_micros(self.0.lock().unwrap().1)
    }

    fn wall(&self) -> WallTime {
        WallTime(self.0.lock().unwrap().0)
    }

    fn sleep_until(&self, _: Instant) -> BoxFuture<'static, ()> {
        unreachable!("nothing sleeps here")
    }

    fn spawn(&self, _: BoxFuture<'static, ()>) {
        unreachable!("nothing runs here")
    }
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn started() -> (Clocks, Wall<Clocks>) {
    let clocks = Clocks::default();
    clocks.set(100 * DAY, 5_000);
    let wall = Wall::new(clocks.clone());
    (clocks, wall)
}

#[test]
fn a_clock_that_is_set_back_an_hour_does_not_stop_the_time() {
    let (clocks, wall) = started();
    clocks.set(100 * DAY + 1_000, 6_000);
    assert_eq!(wall.now(), WallTime(100 * DAY + 1_000));
    clocks.set(100 * DAY + 2_000 - HOUR, 7_000);
    assert_eq!(wall.now(), WallTime(100 * DAY + 2_000), "a second has passed");
    clocks.set(100 * DAY + 1_802_000 - HOUR, 1_807_000);
    assert_eq!(wall.now(), WallTime(100 * DAY + 1_802_000), "half an hour has");
    // When the system's clock has caught up it leads again.
    clocks.set(100 * DAY + 2 * HOUR, 1_808_000);
    assert_eq!(wall.now(), WallTime(100 * DAY + 2 * HOUR));
}

#[test]
fn a_clock_that_is_set_forward_a_day_is_followed() {
    let (clocks, wall) = started();
    clocks.set(101 * DAY, 6_000);
    assert_eq!(wall.now(), WallTime(101 * DAY));
    // And back again: nothing goes back.
    clocks.set(100 * DAY + 2_000, 7_000);
    assert_eq!(wall.now(), WallTime(101 * DAY + 1_000));
}

#[test]
fn a_clock_that_is_corrected_a_little_stands_still_until_it_has_caught_up() {
    let (clocks, wall) = started();
    clocks.set(100 * DAY - 1_500, 5_100);
    assert_eq!(wall.now(), WallTime(100 * DAY));
    clocks.set(100 * DAY + 10, 6_610);
    assert_eq!(wall.now(), WallTime(100 * DAY + 10));
}

#[test]
fn readings_within_a_millisecond_lose_no_time() {
    let (clocks, wall) = started();
    clocks.set(99 * DAY, 5_000);
    // Asked every millisecond for a second, and once at its end, it says the same.
    for millis in 1..=1_000 {
        clocks.set(99 * DAY, 5_000 + millis);
        wall.now();
    }
    assert_eq!(wall.now(), WallTime(100 * DAY + 1_000));

    // Nor when it is asked at odd times.
    let (clocks, wall) = started();
    for micros in (0..1_000_000).step_by(1_700) {
        clocks.set_micros(99 * DAY, 5_000_000 + micros);
        wall.now();
    }
    clocks.set(99 * DAY, 6_000);
    assert_eq!(wall.now(), WallTime(100 * DAY + 1_000));
}

#[test]
fn what_is_kept_for_an_hour_is_kept_for_half_of_it_at_least_after_a_leap_forward() {
    let (clocks, wall) = started();
    clocks.set(100 * DAY + 1_000, 6_000);
    assert_eq!(wall.aged(), WallTime(100 * DAY + 1_000), "as the clock, while nobody sets it");
    // A day forward: ages go on from where they were, ...
    clocks.set(101 * DAY + 2_000, 7_000);
    assert_eq!(wall.now(), WallTime(101 * DAY + 2_000));
    assert_eq!(wall.aged(), WallTime(100 * DAY + 3_000));
    clocks.set(101 * DAY + 2_000 + HOUR / 2, 7_000 + HOUR / 2);
    assert_eq!(wall.aged(), WallTime(100 * DAY + 3_000 + HOUR), "twice as fast");
    // ... until they have caught up, and then keep step.
    clocks.set(103 * DAY, 5_000 + 2 * DAY);
    assert_eq!(wall.aged(), WallTime(103 * DAY));
    clocks.set(103 * DAY + 1_000, 6_000 + 2 * DAY);
    assert_eq!(wall.aged(), WallTime(103 * DAY + 1_000));
}

#[test]
fn ages_go_on_while_the_clock_is_set_back() {
    let (clocks, wall) = started();
    clocks.set(100 * DAY - HOUR, 6_000);
    assert_eq!(wall.aged(), WallTime(100 * DAY + 1_000));
}

#[test]
fn a_clock_that_is_set_has_one_line_for_each_time() {
    let (clocks, wall) = started();
    let told = |system, now| {
        clocks.set(system, now);
        lines(|| {
            wall.now();
            wall.now();
        })
    };
    assert!(told(100 * DAY + 30_000, 6_000).is_empty(), "half a minute is nothing");
    let back = told(100 * DAY - HOUR, 7_000);
    assert!(back.len() == 1 && back[0].contains("set back by 1h00m"), "{back:?}");
    assert!(back[0].contains(r#"event="clock.set""#), "{back:?}");
    let again = told(100 * DAY + 1_000, 8_000);
    assert!(again.len() == 1 && again[0].contains("set forward by 1h00m"), "{again:?}");
    let forward = told(101 * DAY + 60_000, 67_000);
    assert!(forward.len() == 1 && forward[0].contains("set forward by 24h00m"), "{forward:?}");
}
