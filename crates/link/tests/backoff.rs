//! The delay before a dial: bounds, laws, exact sequences, for every attempt there can be.

use core::time::Duration;

use moorline_link::{Backoff, ConfigError, First, Jitter};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn policy(initial: Duration, max: Duration, jitter: Jitter, first: First) -> Backoff {
    Backoff::new(initial, max, 2_000, jitter, first).expect("a policy of the tests")
}

fn kinds() -> [Jitter; 5] {
    [
        Jitter::None,
        Jitter::FULL,
        Jitter::Proportional { ppm: 200_000 },
        Jitter::Equal,
        Jitter::Decorrelated,
    ]
}

fn sequence(policy: &Backoff, count: u32) -> Vec<u64> {
    let first = policy.first_delay(3, None);
    let later = (2..=count).map(|n| policy.delay(3, n, SECOND));
    std::iter::once(first).chain(later).map(|delay| delay.as_secs()).collect()
}

#[test]
fn without_jitter_the_delays_are_one_two_four_up_to_sixty_seconds() {
    let standard = policy(SECOND, MINUTE, Jitter::None, First::Backoff);
    assert_eq!(sequence(&standard, 10), [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    let agent = policy(5 * SECOND, MINUTE, Jitter::None, First::Backoff);
    assert_eq!(sequence(&agent, 6), [5, 10, 20, 40, 60, 60]);
    let half_more = Backoff::new(4 * SECOND, MINUTE, 1_500, Jitter::None, First::Backoff)
        .expect("a policy of the tests");
    assert_eq!(sequence(&half_more, 8), [4, 6, 9, 13, 20, 30, 45, 60]);
    let constant = Backoff::new(SECOND, MINUTE, 1_000, Jitter::None, First::Backoff)
        .expect("a policy of the tests");
    assert_eq!(constant.delay(0, u32::MAX, SECOND), SECOND);
}

#[test]
fn with_an_immediate_or_windowed_first_dial_the_second_dial_waits_for_the_second_delay() {
    let immediate = policy(SECOND, MINUTE, Jitter::None, First::Immediate);
    assert_eq!(sequence(&immediate, 4), [0, 2, 4, 8]);
    let windowed = policy(SECOND, MINUTE, Jitter::None, First::Window);
    assert_eq!(sequence(&windowed, 4)[1..], [2, 4, 8]);
}

/// Bounds of the law of `jitter` at dial `n`, with `previous` as the delay before.
fn law(policy: &Backoff, n: u32, previous: Duration) -> (u64, u64) {
    let nanos = |d: Duration| u64::try_from(d.as_nanos()).expect("short");
    let (initial, max) = (nanos(policy.initial_delay()), nanos(policy.max_delay()));
    let doublings = 2u64.checked_pow(n.saturating_sub(1)).unwrap_or(u64::MAX);
    let cap = initial.saturating_mul(doublings).min(max);
    match policy.jitter() {
        Jitter::None => (cap, cap),
        Jitter::Full { floor } => (nanos(floor), cap),
        Jitter::Proportional { ppm } => {
            let spread = cap / 1_000 * u64::from(ppm) / 1_000;
            (cap - spread, (cap + spread).min(max))
        }
        Jitter::Equal => (cap / 2, cap),
        Jitter::Decorrelated => (initial, nanos(previous).saturating_mul(3).min(max)),
    }
}

#[test]
fn the_median_of_each_step_is_within_ten_percent_of_its_law() {
    for jitter in kinds() {
        let policy = policy(SECOND, MINUTE, jitter, First::Backoff);
        for n in (1..=12).chain([50, 1_025, u32::MAX - 1, u32::MAX]) {
            let mut previous = Duration::from_secs(3);
            if n >= 50 {
                previous = MINUTE;
            }
            let mut drawn: Vec<u64> = (0..2_001u64)
                .map(|seed| {
                    u64::try_from(policy.delay(seed, n, previous).as_nanos()).expect("short")
                })
                .collect();
            drawn.sort_unstable();
            let (low, high) = law(&policy, n, previous);
            assert!(drawn[0] >= low && drawn[2_000] <= high, "{jitter:?} {n}: out of bounds");
            let (median, expected) = (drawn[1_000], low.midpoint(high));
            assert!(
                median.abs_diff(expected) <= expected / 10,
                "{jitter:?} at dial {n}: median {median}, by its law {expected}"
            );
            let quarter = (drawn[1_500] - drawn[500]).abs_diff((high - low) / 2);
            assert!(quarter <= (high - low) / 8, "{jitter:?} at dial {n}: not uniform");
        }
    }
}

#[test]
fn at_the_cap_the_spread_is_still_there() {
    for jitter in kinds().into_iter().filter(|kind| *kind != Jitter::None) {
        let policy = policy(SECOND, MINUTE, jitter, First::Backoff);
        for n in [7, 50, 1_024, 1_025, 1 << 31, u32::MAX] {
            let drawn: std::collections::BTreeSet<Duration> =
                (0..100u64).map(|seed| policy.delay(seed, n, MINUTE)).collect();
            assert!(drawn.len() > 95, "{jitter:?} at dial {n}: {} of 100 differ", drawn.len());
            let width = *drawn.last().expect("some") - *drawn.first().expect("some");
            assert!(width > 6 * SECOND, "{jitter:?} at dial {n}: within {width:?}");
            assert!(
                *drawn.last().expect("some") <= MINUTE,
                "{jitter:?} at dial {n}: above the cap"
            );
        }
    }
}

#[test]
fn the_first_window_is_the_coordinators_hint_else_one_second() {
    let policy = Backoff::default();
    for (hint, width) in [(None, SECOND), (Some(MINUTE), MINUTE), (Some(10 * MS), 10 * MS)] {
        let mut drawn: Vec<Duration> =
            (0..1_001u64).map(|seed| policy.first_delay(seed, hint)).collect();
        drawn.sort_unstable();
        assert!(drawn[1_000] <= width);
        assert!(drawn[500].abs_diff(width / 2) <= width / 10, "median {:?}", drawn[500]);
    }
    // A lone worker is not held back.
    assert_eq!(policy.first_delay(1, Some(Duration::ZERO)), Duration::ZERO);
}

#[test]
fn where_a_quick_retry_cannot_help_no_delay_is_shorter_than_the_longest() {
    let spread = Backoff::default();
    let drawn: Vec<Duration> = (0..200u64).map(|seed| spread.slow_delay(seed, 1)).collect();
    assert!(drawn.iter().all(|delay| (MINUTE..=75 * SECOND).contains(delay)));
    assert!(drawn.iter().any(|delay| *delay > 70 * SECOND));
    let exact = policy(SECOND, MINUTE, Jitter::None, First::Backoff);
    assert_eq!(exact.slow_delay(9, 9), MINUTE);
}

#[test]
fn two_workers_draw_differently_and_one_draws_the_same_again() {
    let policy = Backoff::default();
    let draw = |seed: u64| (1..=20).map(|n| policy.delay(seed, n, SECOND)).collect::<Vec<_>>();
    assert_eq!(draw(7), draw(7));
    let differ = draw(7).iter().zip(draw(8)).filter(|(a, b)| **a != *b).count();
    assert_eq!(differ, 20);
}

/// SplitMix64 as its authors wrote it.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn a_seed_means_the_same_delays_in_every_version() {
    assert_eq!(split_mix(0), 0xe220_a839_7b1d_cdaf, "the reference says so");
    let spread = policy(SECOND, MINUTE, Jitter::Full { floor: MS }, First::Backoff);
    for seed in (0..200).map(|n: u64| n.wrapping_mul(0x1234_5678_9abc_def1)) {
        let hash = split_mix(split_mix(seed).wrapping_add(3));
        let (low, high) = (1_000_000, 4_000_000_000_u64);
        let offset = u64::try_from((u128::from(hash) * u128::from(high - low + 1)) >> 64);
        let expected = Duration::from_nanos(low + offset.expect("it is below the span"));
        assert_eq!(spread.delay(seed, 3, SECOND), expected);
    }
}

#[test]
fn both_ends_of_a_range_are_drawn() {
    let standard = Backoff::default();
    let shortest = Duration::from_nanos(1);
    let drawn: std::collections::BTreeSet<Duration> =
        (0..64).map(|seed| standard.first_delay(seed, Some(shortest))).collect();
    assert_eq!(Vec::from_iter(drawn), [Duration::ZERO, shortest]);
}

#[test]
fn impossible_policies_are_refused_with_their_numbers() {
    let new = |initial, max, multiplier, jitter| {
        Backoff::new(initial, max, multiplier, jitter, First::Window).expect_err("impossible")
    };
    assert_eq!(
        new(MINUTE, SECOND, 2_000, Jitter::None),
        ConfigError::BackoffBaseAboveCap { base: MINUTE, cap: SECOND }
    );
    assert_eq!(
        new(Duration::ZERO, SECOND, 2_000, Jitter::None),
        ConfigError::BackoffBaseTooShort { base: Duration::ZERO, min: MS }
    );
    assert_eq!(
        new(SECOND, Duration::MAX, 2_000, Jitter::None),
        ConfigError::BackoffCapTooLong { cap: Duration::MAX, max: Backoff::MAX_MAX }
    );
    assert_eq!(
        new(SECOND, MINUTE, 999, Jitter::None),
        ConfigError::BackoffMultiplier { multiplier: 999, min: 1_000, max: 1_000_000 }
    );
    assert_eq!(
        new(10 * MS, MINUTE, 2_000, Jitter::FULL),
        ConfigError::JitterFloorAboveBase { floor: 100 * MS, base: 10 * MS }
    );
    let wide = new(SECOND, MINUTE, 2_000, Jitter::Proportional { ppm: 1_000_000 });
    assert_eq!(wide, ConfigError::JitterTooWide { ppm: 1_000_000 });
    assert_eq!(
        new(MINUTE, SECOND, 2_000, Jitter::None).to_string(),
        "the initial delay 60s is longer than the longest delay 1s"
    );
}

fn jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::None),
        any::<u64>().prop_map(|nanos| Jitter::Full { floor: Duration::from_nanos(nanos) }),
        (0..=u32::MAX).prop_map(|ppm| Jitter::Proportional { ppm }),
        (0..1_000_000u32).prop_map(|ppm| Jitter::Proportional { ppm }),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<u64>().prop_map(Duration::from_nanos),
        (1..700_000u64).prop_map(Duration::from_secs),
        (1..100_000u64).prop_map(Duration::from_millis),
        Just(Duration::ZERO),
        Just(Duration::MAX),
        Just(Backoff::MAX_MAX),
    ]
}

fn attempt() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), 0..70u32, Just(1_025), Just(u32::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Whatever the constructor accepts works for every attempt, seed and previous delay.
    #[test]
    fn no_accepted_policy_panics_or_leaves_its_bounds(
        initial in duration(), max in duration(),
        multiplier in prop_oneof![any::<u32>(), 1_000..=1_000_000u32],
        jitter in jitter(),
        first in prop_oneof![Just(First::Window), Just(First::Backoff), Just(First::Immediate)],
        seed in any::<u64>(), attempt in attempt(), previous in duration(), hint in duration(),
    ) {
        let Ok(policy) = Backoff::new(initial, max, multiplier, jitter, first) else {
            return Ok(());
        };
        let delay = policy.delay(seed, attempt, previous);
        prop_assert!(delay <= max, "{delay:?} above {max:?}");
        let positive = match jitter {
            Jitter::Full { floor } => floor > Duration::ZERO,
            Jitter::None | Jitter::Proportional { .. } | Jitter::Equal | Jitter::Decorrelated => true,
        };
        prop_assert!(!positive || delay > Duration::ZERO, "a delay of zero");
        prop_assert_eq!(delay, policy.delay(seed, attempt, previous));
        prop_assert!(policy.first_delay(seed, Some(hint)) <= hint.max(max));
        prop_assert!(policy.first_delay(seed, None) <= max);
        let slow = policy.slow_delay(seed, attempt);
        prop_assert!(slow >= max && slow <= max + max / 4);
    }

    /// Later dials never wait for a smaller cap, and the cap is reached.
    #[test]
    fn the_delay_grows_to_the_cap_and_stays_there(
        initial in 1u64..600_000, factor in 1u64..1_000, multiplier in 1_100u32..100_000, n in 1u32..5_000,
    ) {
        let (initial, max) = (MS * u32::try_from(initial).expect("small"), MS * u32::try_from(initial * factor).expect("small"));
        prop_assume!(max <= Backoff::MAX_MAX);
        let policy = Backoff::new(initial, max, multiplier, Jitter::None, First::Backoff).expect("in bounds");
        let (now, next) = (policy.delay(0, n, MS), policy.delay(0, n + 1, MS));
        // The fixed point may lose a billionth.
        prop_assert!(next + now / 100_000_000 >= now, "{now:?} then {next:?}");
        prop_assert_eq!(policy.delay(0, u32::MAX, MS), max);
    }
}
