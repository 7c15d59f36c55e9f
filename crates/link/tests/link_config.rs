//! Settings that make no sense cannot be built, and the error has the numbers.

use std::time::Duration;

use moorline_link::{
    Backoff, ConfigError, First, Heartbeat, Jitter, Lane, LaneLimits, Lanes, Reconnect, Timeouts,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn heartbeats_that_could_never_work_are_refused() {
    assert_eq!(
        Heartbeat::new(SECOND, 999 * MS),
        Err(ConfigError::HeartbeatTimeoutBelowInterval { timeout: 999 * MS, interval: SECOND })
    );
    let outside =
        ConfigError::HeartbeatIntervalOutside { interval: 9 * MS, min: 10 * MS, max: DAY };
    assert_eq!(Heartbeat::new(9 * MS, SECOND), Err(outside));
    assert_eq!(outside.to_string(), "the heartbeat interval 9ms is not within 10ms and 86400s");
    let standard = Heartbeat::default();
    assert_eq!(standard.with_misses(0), Err(ConfigError::NoMisses));
    let (min, max) = (15 * SECOND, SECOND);
    assert_eq!(standard.assignable(min, max), Err(ConfigError::HeartbeatBounds { min, max }));
    let (interval, min, max) = (5 * SECOND, 6 * SECOND, 15 * SECOND);
    assert_eq!(
        standard.assignable(min, max),
        Err(ConfigError::HeartbeatIntervalOutside { interval, min, max })
    );
}

#[test]
fn an_assigned_interval_is_kept_within_the_bounds_and_the_wish_is_always_within() {
    let standard = Heartbeat::default();
    assert_eq!(standard.clamp(Duration::ZERO), SECOND);
    assert_eq!(standard.clamp(Duration::MAX), 15 * SECOND);
    let short = Heartbeat::new(20 * MS, SECOND).expect("in bounds");
    assert_eq!((short.clamp(MS), short.clamp(20 * MS)), (20 * MS, 20 * MS));
    let long = Heartbeat::new(60 * SECOND, 200 * SECOND).expect("in bounds");
    assert_eq!(long.clamp(DAY), 60 * SECOND);
    let free = short.assignable(10 * MS, DAY).expect("in bounds");
    assert_eq!(free.clamp(3_600 * SECOND), 3_600 * SECOND);
}

#[test]
fn the_hard_timeout_leaves_time_for_all_misses() {
    let standard = Heartbeat::default();
    assert_eq!(standard.silence(SECOND), 15 * SECOND);
    assert_eq!(standard.silence(15 * SECOND), 45 * SECOND);
    assert_eq!(standard.with_misses(5).expect("some").silence(5 * SECOND), 25 * SECOND);
}

#[test]
fn timeouts_spacing_and_lanes_have_bounds_too() {
    let error = Timeouts::new(SECOND, Duration::ZERO, SECOND, SECOND).expect_err("no time at all");
    assert_eq!(error.to_string(), "the register timeout 0ns is not within 1ms and 86400s");
    assert!(Timeouts::new(SECOND, SECOND, SECOND, 2 * DAY).is_err());
    assert!(Timeouts::new(MS, MS, MS, MS).is_ok());
    assert!(Reconnect::default().min_spacing(Duration::ZERO).is_err());
    let open = LaneLimits::default();
    for closed in [
        LaneLimits { outbox_messages: 0, ..open },
        LaneLimits { outbox_bytes: 0, ..open },
        LaneLimits { window_messages: 0, ..open },
        LaneLimits { window_bytes: 0, ..open },
    ] {
        let error = Lanes::new(open, closed);
        assert_eq!(error, Err(ConfigError::LaneClosed { lane: Lane::B, limits: closed }));
    }
}

#[test]
fn bounds_of_intervals_may_be_the_wish_itself_and_are_what_is_kept() {
    let standard = Heartbeat::default();
    let fixed = standard.assignable(5 * SECOND, 5 * SECOND).expect("the wish is within");
    assert_eq!((fixed.shortest(), fixed.clamp(SECOND)), (5 * SECOND, 5 * SECOND));
    assert_eq!(fixed.clamp(60 * SECOND), 5 * SECOND);
    let wide = standard.assignable(2 * SECOND, 8 * SECOND).expect("the wish is within");
    assert_eq!(
        (wide.shortest(), wide.interval(), wide.clamp(DAY)),
        (2 * SECOND, 5 * SECOND, 8 * SECOND)
    );
    let (interval, min, max) = (5 * SECOND, SECOND, 4 * SECOND);
    let outside = ConfigError::HeartbeatIntervalOutside { interval, min, max };
    assert_eq!(standard.assignable(min, max), Err(outside));
}

#[test]
fn a_day_is_the_longest_of_all_times_but_delays_and_those_may_be_a_week() {
    let nano = Duration::from_nanos(1);
    let timeouts = |time| Timeouts::new(time, time, time, time);
    assert!(timeouts(DAY).is_ok() && timeouts(DAY + nano).is_err());
    assert!(timeouts(MS).is_ok() && timeouts(MS - nano).is_err());
    assert!(Heartbeat::new(DAY, DAY).is_ok() && Heartbeat::new(DAY, DAY + nano).is_err());
    let delays = |max| Backoff::new(SECOND, max, 2_000, Jitter::None, First::Backoff);
    assert!(delays(7 * DAY).is_ok() && delays(7 * DAY + nano).is_err());
}

#[test]
fn what_was_set_is_what_is_said() {
    let timeouts = Timeouts::new(MS, 2 * MS, 3 * MS, 4 * MS).expect("in bounds");
    assert_eq!((timeouts.connect(), timeouts.register()), (MS, 2 * MS));
    assert_eq!((timeouts.restore(), timeouts.goodbye()), (3 * MS, 4 * MS));
    let backoff = Backoff::new(SECOND, 9 * SECOND, 2_000, Jitter::None, First::Backoff);
    let backoff = backoff.expect("in bounds");
    assert_eq!((backoff.initial_delay(), backoff.max_delay()), (SECOND, 9 * SECOND));
    let reconnect = Reconnect::new(backoff)
        .max_attempts(7)
        .stable_after(11 * SECOND)
        .max_first_window(12 * SECOND)
        .min_spacing(300 * MS)
        .expect("in bounds");
    assert_eq!((reconnect.attempts_allowed(), reconnect.backoff()), (7, &backoff));
    assert_eq!((reconnect.stability(), reconnect.spacing()), (11 * SECOND, 300 * MS));
    assert_eq!(
        (reconnect.longest_first_window(), reconnect.longest_hint()),
        (12 * SECOND, 12 * SECOND)
    );
}
