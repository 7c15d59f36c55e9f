use std::time::Duration;

use moorline_link::{Degraded, Flapping, Reason, Statistics};

use super::{share, worker_flapping, worker_link};

/// What a worker tells that was active for three quarters of 80 s.
fn told() -> Statistics {
    Statistics {
        rtt_mean_micros: 1_500,
        rtt_deviation_micros: 250,
        rtt_p50_micros: 1_200,
        rtt_p99_micros: 9_876,
        connected_micros: 60_000_000,
        disconnected_micros: 20_000_000,
        recent_stability_ppm: 912_345,
        dials: 9,
        successes: 3,
        failures: 5,
        outages: 2,
        degraded: Degraded { stability: true, queue: true, ..Degraded::NOT },
    }
}

#[test]
fn a_workers_link_is_told_in_milliseconds_and_shares() {
    let link = worker_link(&told());
    assert_eq!(link.stability, Some(0.75));
    assert_eq!(link.recent_stability, 0.912_345);
    assert_eq!(link.rtt_mean_ms, Some(1.5));
    assert_eq!(link.rtt_p50_ms, Some(1.2));
    assert_eq!(link.rtt_p99_ms, Some(9.876));
    assert_eq!(link.jitter_ms, Some(0.25));
    assert_eq!((link.dials, link.successes), (9, 3));
    assert_eq!(link.success_rate, Some(0.375), "the ninth dial has not ended");
    assert_eq!((link.connected_ms, link.disconnected_ms), (60_000, 20_000));
    assert_eq!(link.outages, 2);
    assert_eq!(link.degraded, ["stability", "queue"]);
}

#[test]
fn what_was_not_measured_is_no_zero() {
    let link = worker_link(&Statistics {
        rtt_mean_micros: 0,
        rtt_deviation_micros: 0,
        rtt_p50_micros: 0,
        rtt_p99_micros: 0,
        connected_micros: 0,
        disconnected_micros: 0,
        recent_stability_ppm: 1_000_000,
        dials: 1,
        successes: 0,
        failures: 0,
        outages: 0,
        degraded: Degraded::NOT,
    });
    let json = serde_json::to_value(&link).unwrap();
    let names =
        ["rtt_mean_ms", "rtt_p50_ms", "rtt_p99_ms", "jitter_ms", "stability", "success_rate"];
    for name in names {
        assert!(json[name].is_null(), "{name}: {json}");
    }
    assert_eq!(json["degraded"], serde_json::json!([]));
    // A jitter of nothing is a measurement.
    let steady = Statistics { rtt_deviation_micros: 0, ..told() };
    assert_eq!(worker_link(&steady).jitter_ms, Some(0.0));
}

#[test]
fn shares_are_exact_also_of_large_numbers() {
    assert_eq!(share(0, 0), None);
    assert_eq!(share(0, 1), Some(0.0));
    assert_eq!(share(1, 0), Some(1.0));
    assert_eq!(share(1, 2), Some(0.333_333));
    assert_eq!(share(u64::MAX, u64::MAX), Some(0.5));
}

#[test]
fn a_worker_that_comes_and_goes_is_told_with_what_it_lost() {
    let median_life = Duration::from_millis(61_500);
    let flapping = Flapping { losses: 6, reason: Reason::HalfOpen, median_life };
    let json = serde_json::to_value(worker_flapping(&flapping)).unwrap();
    let told = serde_json::json!({"losses": 6, "reason": "half_open", "median_life_ms": 61_500});
    assert_eq!(json, told);
}
