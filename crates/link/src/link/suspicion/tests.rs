use core::time::Duration;

use super::{Arrivals, PROBED, SUSPECTED};
use crate::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// The upper tail of the standard normal distribution, by Simpson's rule: a second opinion.
fn tail(k: f64) -> f64 {
    let steps = 200_000;
    let width = 12.0 / f64::from(steps);
    let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let sum: f64 = (0..=steps)
        .map(|i| {
            let weight = if i == 0 || i == steps {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            };
            weight * density(k + f64::from(i) * width)
        })
        .sum();
    sum * width / 3.0
}

#[test]
fn the_deadlines_lie_where_the_normal_tail_is_one_in_ten_to_the_phi() {
    for (thousandths, phi) in [(SUSPECTED, 3.0), (PROBED, 8.0)] {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let k = thousandths as f64 / 1_000.0;
        let found = -tail(k).log10();
        assert!((found - phi).abs() < 0.002, "phi {found} at {k} deviations");
    }
}

#[test]
fn on_a_calm_path_the_deviation_counts_as_a_quarter_of_the_interval() {
    let mut arrivals = Arrivals::new(5 * SECOND, 15 * SECOND);
    let mut now = Instant::ZERO;
    for _ in 0..100 {
        arrivals.record(now);
        now = now + 5 * SECOND;
    }
    assert_eq!(arrivals.suspected, Duration::from_micros(5_000_000 + 1_250_000 * 3_090 / 1_000));
    assert_eq!(arrivals.probed, Duration::from_micros(5_000_000 + 1_250_000 * 5_612 / 1_000));
}

#[test]
fn on_an_unsteady_path_both_deadlines_move_away_and_come_back_when_it_is_calm() {
    let mut arrivals = Arrivals::new(5 * SECOND, 15 * SECOND);
    let calm = (arrivals.suspected, arrivals.probed);
    let mut now = Instant::ZERO;
    for round in 0..60 {
        arrivals.record(now);
        now = now + if round % 2 == 0 { 2 * SECOND } else { 8 * SECOND };
    }
    // Mean 5 s, deviation 3 s.
    let close = |got: Duration, want: u64| got.abs_diff(Duration::from_millis(want)) < SECOND;
    assert!(close(arrivals.suspected, 14_270), "{:?}", arrivals.suspected);
    assert!(close(arrivals.probed, 21_836), "{:?}", arrivals.probed);
    for _ in 0..200 {
        arrivals.record(now);
        now = now + 5 * SECOND;
    }
    assert_eq!((arrivals.suspected, arrivals.probed), calm);
}

#[test]
fn a_pause_of_our_own_is_no_arrival_and_a_day_does_not_overflow() {
    let mut arrivals = Arrivals::new(5 * SECOND, 15 * SECOND);
    let calm = arrivals.clone();
    arrivals.record(Instant::ZERO);
    arrivals.interrupt();
    arrivals.record(Instant::ZERO + 3_600 * SECOND);
    assert_eq!((arrivals.suspected, arrivals.probed), (calm.suspected, calm.probed));
    for _ in 0..100 {
        arrivals.record(Instant::ZERO);
        arrivals.record(Instant::FAR);
    }
    assert!(arrivals.probed > arrivals.suspected && arrivals.suspected > 5 * SECOND);
}

#[test]
fn who_asked_for_a_patient_link_is_probed_late() {
    let arrivals = Arrivals::new(SECOND, 60 * SECOND);
    assert_eq!(
        (arrivals.suspected, arrivals.probed),
        (Duration::from_micros(1_772_500), 48 * SECOND)
    );
}
