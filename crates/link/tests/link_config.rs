//! Settings that make no sense cannot be built, and the error has the numbers.

use std::time::Duration;

use moorline_link::{ConfigError, Heartbeat, Lane, LaneLimits, Lanes, Reconnect, Timeouts};

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
