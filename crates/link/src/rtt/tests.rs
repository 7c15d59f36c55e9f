use core::time::Duration;

use proptest::prelude::*;

use super::RoundTrips;

fn percentile_99(all: &[u32]) -> u64 {
    let mut last: Vec<u32> = all[all.len().saturating_sub(100)..].to_vec();
    last.sort_unstable();
    let rank = (last.len() * 99).div_ceil(100);
    u64::from(last[rank - 1])
}

proptest! {
    #[test]
    fn p99_is_the_nearest_rank_of_the_last_hundred(
        samples in prop::collection::vec(prop_oneof![1u32..20, 1u32..2_000_000], 1..350),
    ) {
        let mut trips = RoundTrips::new();
        for (i, micros) in samples.iter().enumerate() {
            trips.record(Duration::from_micros(u64::from(*micros)));
            prop_assert_eq!(trips.last_micros(), *micros);
            let expected = Duration::from_micros(percentile_99(&samples[..=i]));
            prop_assert_eq!(trips.p99(), expected, "after {} samples", i + 1);
        }
    }
}

#[test]
fn a_round_trip_below_a_microsecond_counts_as_one_and_an_endless_one_saturates() {
    let mut trips = RoundTrips::new();
    assert_eq!(trips.last_micros(), 0);
    trips.record(Duration::ZERO);
    assert_eq!(trips.last_micros(), 1);
    trips.record(Duration::MAX);
    assert_eq!(trips.last_micros(), u32::MAX);
}

proptest! {
    #[test]
    fn the_figures_are_those_of_the_samples_since_the_reset(
        before in prop::collection::vec(1u32..2_000_000, 0..250),
        after in prop::collection::vec(prop_oneof![1u32..20, 1u32..u32::MAX], 1..250),
    ) {
        let mut trips = RoundTrips::new();
        for micros in &before {
            trips.record(Duration::from_micros(u64::from(*micros)));
        }
        let path = trips.p99();
        trips.reset();
        prop_assert_eq!(trips.figures(), None);
        prop_assert_eq!(trips.p99(), path, "the path is the same as before");
        // The definition of RFC 6298 in floating point, as a second opinion.
        let (mut smoothed, mut deviation) = (f64::NAN, f64::NAN);
        for micros in &after {
            trips.record(Duration::from_micros(u64::from(*micros)));
            let r = f64::from(*micros);
            if smoothed.is_nan() {
                (smoothed, deviation) = (r, r / 2.0);
            } else {
                deviation += ((smoothed - r).abs() - deviation) / 4.0;
                smoothed += (r - smoothed) / 8.0;
            }
        }
        let figures = trips.figures().expect("there are samples");
        let mut last: Vec<u32> = after[after.len().saturating_sub(100)..].to_vec();
        let sum: u64 = last.iter().map(|micros| u64::from(*micros)).sum();
        last.sort_unstable();
        let rank = |p: usize| Duration::from_micros(u64::from(last[(last.len() * p).div_ceil(100) - 1]));
        prop_assert_eq!(usize::from(figures.samples), last.len());
        prop_assert_eq!(figures.mean, Duration::from_micros(sum / last.len() as u64));
        prop_assert_eq!((figures.p50, figures.p99), (rank(50), rank(99)));
        prop_assert_eq!(figures.last.as_micros(), u128::from(*after.last().expect("one")));
        let off = |got: Duration, want: f64| (got.as_secs_f64() * 1e6 - want).abs();
        prop_assert!(off(figures.smoothed, smoothed) <= 2.0, "{figures:?} {smoothed}");
        prop_assert!(off(figures.deviation, deviation) <= 6.0, "{figures:?} {deviation}");
    }
}
