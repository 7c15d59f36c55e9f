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
