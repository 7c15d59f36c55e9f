use super::{Latency, exp2, log2};
use crate::decide::{Base, Draws, Overridden};

const MS: u64 = 1_000_000;

#[test]
fn logarithms_and_powers_are_right_to_the_last_bits() {
    for (number, log) in [(1, 0), (2, 1 << 16), (3, 103_872), (10, 217_705), (1 << 31, 31 << 16)] {
        assert!(log2(number).abs_diff(log) <= 1, "{number}: {}", log2(number));
    }
    for (power, right) in [(0, 1_u128 << 32), (1 << 16, 2 << 32), (1 << 15, 6_074_000_999)] {
        assert!(exp2(power).abs_diff(right) < 100, "{power}: {}", exp2(power));
    }
    // There and back again.
    for number in [5_u64, 77, 1_234, 999_999] {
        let back = exp2(log2(number)) >> 32;
        assert!(back.abs_diff(u128::from(number)) <= 1 + u128::from(number) / 10_000, "{back}");
    }
}

fn all(law: Latency) -> Vec<u64> {
    let draws = Draws::new(3);
    let mut all: Vec<u64> = (0..20_000).map(|k| law.of(&draws, 9, k)).collect();
    all.sort_unstable();
    all
}

#[test]
fn each_law_has_its_shape() {
    let (min, cap) = (MS, 20_000 * MS);
    let share = |all: &[u64], below: u64| all.partition_point(|at| *at < below) * 1_000 / all.len();

    assert_eq!(all(Latency::Fixed { at: 5 })[19_999], 5);

    let law = all(Latency::Exponential { min, mean: 11 * MS, cap });
    // Half are below ln 2 of what is added on average, and one in e is above it.
    assert!((490..510).contains(&share(&law, min + 6_931_472)), "{}", share(&law, 7 * MS));
    assert!((622..642).contains(&share(&law, 11 * MS)), "{}", share(&law, 11 * MS));

    let law = all(Latency::Pareto { min, shape: 1_000, cap });
    assert_eq!(law[0] / MS, 1);
    for (below, part) in [(2 * MS, 500), (4 * MS, 750), (10 * MS, 900), (100 * MS, 990)] {
        assert!(share(&law, below).abs_diff(part) < 12, "{below}: {}", share(&law, below));
    }
    let steeper = all(Latency::Pareto { min, shape: 2_000, cap });
    assert!(share(&steeper, 2 * MS).abs_diff(750) < 12, "{}", share(&steeper, 2 * MS));
}

#[test]
fn the_benign_latency_is_the_shortest_and_none_is_above_the_longest() {
    let laws = [
        (Latency::Fixed { at: 7 * MS }, 7 * MS),
        (Latency::Uniform { min: MS, max: 9 * MS }, MS),
        (Latency::Exponential { min: MS, mean: 400 * MS, cap: 900 * MS }, MS),
        (Latency::Bimodal { fast: 4 * MS, slow: 80 * MS, ppm: 10_000 }, MS),
        (Latency::Pareto { min: MS, shape: 300, cap: 900 * MS }, MS),
    ];
    let benign = Overridden::new(1, Base::Benign, &[]);
    for (law, shortest) in laws {
        assert_eq!(law.of(&benign, 1, 1), shortest, "{law:?}");
        let all = all(law);
        assert!(all[0] >= shortest && all[all.len() - 1] <= law.max(), "{law:?}");
        assert!(all[all.len() - 1] > law.max() / 2, "{law:?} reaches its end");
    }
}
