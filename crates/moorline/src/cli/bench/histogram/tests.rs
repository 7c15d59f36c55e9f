use super::*;

#[test]
fn every_value_is_known_to_within_a_hundredth() {
    let mut nanos = 1_u64;
    while nanos < u64::MAX / 3 {
        for value in [nanos, nanos + nanos / 3, nanos * 2 - 1] {
            let known = middle(bucket(value) as u64);
            let error = (known - value as f64).abs() / value as f64;
            assert!(error < 0.01, "{value} is shown as {known}");
        }
        nanos *= 2;
    }
}

#[test]
fn buckets_follow_each_other_without_a_gap() {
    assert_eq!(bucket(0), 0);
    for value in 1..100_000 {
        let step = bucket(value) - bucket(value - 1);
        assert!(step <= 1, "{value}");
    }
}

#[test]
fn percentiles_are_those_of_a_sorted_list() {
    let mut histogram = Histogram::default();
    assert_eq!((histogram.total(), histogram.micros(0.5)), (0, 0.0));
    for micros in (1..=1_000).rev() {
        histogram.record(Duration::from_micros(micros));
    }
    assert_eq!(histogram.total(), 1_000);
    for (share, micros) in
        [(0.001, 1.0), (0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)]
    {
        let known = histogram.micros(share);
        assert!((known - micros).abs() < micros * 0.01, "{share}: {known}");
    }
}
