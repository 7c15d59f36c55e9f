//! What every policy of reconnecting promises, B1 to B8, over policies nobody thought of: each property
//! against arithmetic of its own, and the link that uses a policy against a model of ten lines.

#![allow(clippy::wildcard_enum_match_arm, reason = "a property looks at some actions only")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use moorline_link::{
    Backoff, ConfigError, First, Instant, Jitter, LinkAction, LinkConfig, LinkInput, Reason,
    Reconnect, State,
};
use proptest::prelude::*;
use support::{Bench, MS, SECOND};

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("short")
}

/// `min(max, initial * multiplier^(n-1))`, step by step with nine digits more than it has.
fn ceiling(policy: &Policy, n: u32) -> u64 {
    let max = u128::from(nanos(policy.max)) * 1_000_000_000;
    let mut at = u128::from(nanos(policy.initial)) * 1_000_000_000;
    if policy.multiplier > 1_000 {
        for _ in 1..n {
            at = at * u128::from(policy.multiplier) / 1_000;
            if at >= max {
                at = max;
                break;
            }
        }
    }
    u64::try_from(at / 1_000_000_000).expect("at most a week")
}

/// What the fixed point may be off after `n` steps.
fn slack(ceiling: u64, n: u32) -> u64 {
    let parts = u128::from(ceiling) * u128::from(n) * 4 / 1_000_000_000;
    u64::try_from(parts).unwrap_or(u64::MAX).saturating_add(2)
}

/// From where to where a delay is uniform.
fn law(policy: &Policy, n: u32, previous: Duration) -> (u64, u64) {
    let (cap, initial, max) = (ceiling(policy, n), nanos(policy.initial), nanos(policy.max));
    match policy.jitter {
        Jitter::None => (cap, cap),
        Jitter::Full { floor } => (nanos(floor), cap),
        Jitter::Proportional { ppm } => {
            let share = u128::from(cap) * u128::from(ppm) / 1_000_000;
            let share = u64::try_from(share).expect("a share");
            (cap - share, (cap + share).min(max))
        }
        Jitter::Equal => (cap / 2, cap),
        Jitter::Decorrelated => {
            (initial, nanos(previous).clamp(initial, max).saturating_mul(3).min(max))
        }
    }
}

/// A policy that can be made.
#[derive(Clone, Copy, Debug)]
struct Policy {
    initial: Duration,
    max: Duration,
    multiplier: u32,
    jitter: Jitter,
}

impl Policy {
    fn made(&self, first: First) -> Backoff {
        Backoff::new(self.initial, self.max, self.multiplier, self.jitter, first).expect("it can")
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    // Each decade as likely as another.
    let initial =
        (0..7_u32, 1..10_u64).prop_map(|(zeros, digit)| MS * 10_u32.pow(zeros) * digit as u32);
    let multiplier = prop_oneof![
        Just(1_000_u32),
        Just(2_000),
        1_001..1_100_u32,
        1_100..4_000_u32,
        4_000..=1_000_000_u32
    ];
    (initial, 0..5_u32, 1..10_u32, multiplier, 0..5_u8, 0..1_000_000_u32).prop_map(
        |(initial, zeros, digit, multiplier, kind, part)| {
            let jitter = match kind {
                0 => Jitter::None,
                1 => Jitter::Full { floor: initial / 1_000_000 * part },
                2 => Jitter::Proportional { ppm: part },
                3 => Jitter::Equal,
                _ => Jitter::Decorrelated,
            };
            let max =
                (initial * digit * 10_u32.pow(zeros)).clamp(initial, Backoff::MAX_MAX.max(initial));
            Policy { initial, max, multiplier, jitter }
        },
    )
}

fn attempt() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 1..12_u32, 2 => 12..70_u32, 1 => 70..3_000_u32]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b1_every_delay_lies_within_its_law(
        policy in policy(), seed in any::<u64>(), n in attempt(), previous in 0..700_000_u64,
    ) {
        let previous = Duration::from_secs(previous);
        let delay = nanos(policy.made(First::Backoff).delay(seed, n, previous));
        let (low, high) = law(&policy, n, previous);
        prop_assert!(delay + slack(low, n) >= low, "{delay} below {low}");
        prop_assert!(delay <= high + slack(high, n), "{delay} above {high}");
        prop_assert!(delay <= nanos(policy.max), "{delay} above the longest");
    }

    #[test]
    fn b2_the_ceiling_grows_by_the_factor_until_the_cap_and_never_overflows(
        policy in policy(), n in attempt(), far in any::<u32>(),
    ) {
        let exact = Policy { jitter: Jitter::None, ..policy }.made(First::Backoff);
        let at = |n: u32| nanos(exact.delay(7, n, SECOND));
        let expected = ceiling(&policy, n);
        prop_assert!(at(n).abs_diff(expected) <= slack(expected, n), "{} is not {expected}", at(n));
        let max = nanos(policy.max);
        prop_assert!(at(n + 1) + slack(at(n), n) >= at(n), "it shrinks");
        prop_assert!(at(far) <= max && at(far) >= nanos(policy.initial).min(max));
        // For ever at the cap, once there.
        if ceiling(&policy, n) == max && at(n) == max {
            prop_assert_eq!(at(n.max(far)), max);
            prop_assert_eq!(at(u32::MAX), max);
        }
        prop_assert_eq!(at(0), at(1), "dial 0 is dial 1");
    }

    #[test]
    fn b4_the_same_seed_agrees_and_two_seeds_differ(
        policy in policy(), seed in any::<u64>(), n in attempt(), apart in 1..u64::MAX,
    ) {
        let made = policy.made(First::Window);
        let (one, other) = (seed, seed.wrapping_add(apart));
        let draws = |seed: u64| -> Vec<Duration> {
            (0..8).map(|k| made.delay(seed, n + k, policy.max)).collect()
        };
        prop_assert_eq!(draws(one), draws(one));
        prop_assert_eq!(made.first_delay(one, None), made.first_delay(one, None));
        prop_assert_eq!(made.slow_delay(one, n), made.slow_delay(one, n));
        let (low, high) = law(&policy, n, policy.max);
        if high - low > 1_000_000 {
            prop_assert_ne!(draws(one), draws(other));
        }
        prop_assert_ne!(made.first_delay(one, Some(SECOND)), made.first_delay(other, Some(SECOND)));
    }

    #[test]
    fn b8_the_builder_refuses_what_no_policy_can_be_and_nothing_else(
        initial in duration(), max in duration(), floor in duration(),
        multiplier in prop_oneof![any::<u32>(), 0..1_100_u32, 999_990..1_000_010_u32],
        kind in 0..5_u8, ppm in prop_oneof![any::<u32>(), 999_990..1_000_010_u32],
        n in any::<u32>(), seed in any::<u64>(), previous in duration(),
    ) {
        let jitter = match kind {
            0 => Jitter::None,
            1 => Jitter::Full { floor },
            2 => Jitter::Proportional { ppm },
            3 => Jitter::Equal,
            _ => Jitter::Decorrelated,
        };
        let expected = if initial < MS {
            Err(ConfigError::BackoffBaseTooShort { base: initial, min: MS })
        } else if initial > max {
            Err(ConfigError::BackoffBaseAboveCap { base: initial, cap: max })
        } else if max > Duration::from_secs(7 * 86_400) {
            Err(ConfigError::BackoffCapTooLong { cap: max, max: Duration::from_secs(7 * 86_400) })
        } else if !(1_000..=1_000_000).contains(&multiplier) {
            Err(ConfigError::BackoffMultiplier { multiplier, min: 1_000, max: 1_000_000 })
        } else if kind == 1 && floor > initial {
            Err(ConfigError::JitterFloorAboveBase { floor, base: initial })
        } else if kind == 2 && ppm >= 1_000_000 {
            Err(ConfigError::JitterTooWide { ppm })
        } else {
            Ok(())
        };
        let made = Backoff::new(initial, max, multiplier, jitter, First::Window);
        prop_assert_eq!(made.map(|_| ()), expected);
        if let Ok(policy) = made {
            prop_assert!(policy.delay(seed, n, previous) <= max);
            prop_assert!(policy.first_delay(seed, Some(previous)) <= previous);
            prop_assert!(policy.slow_delay(seed, n) >= max);
            prop_assert_eq!((policy.jitter(), policy.first()), (jitter, First::Window));
        }
    }
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<u64>().prop_map(Duration::from_nanos),
        (999_990..1_000_010_u64).prop_map(Duration::from_nanos),
        (1..700_000_u64).prop_map(Duration::from_secs),
        (604_790..604_810_u64).prop_map(Duration::from_secs),
        (1..100_000_u64).prop_map(Duration::from_millis),
        Just(Duration::ZERO),
        Just(Duration::MAX),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bounds alone are kept by a policy that always says its floor.
    #[test]
    fn b3_the_median_of_each_step_is_within_ten_percent_of_its_law(
        policy in policy(), n in attempt(), base in any::<u64>(),
    ) {
        const DRAWS: u64 = 4_001;
        let made = policy.made(First::Backoff);
        let previous = policy.max / 2;
        let draw = |k: u64| nanos(made.delay(base.wrapping_add(k * 0x9e37_79b9), n, previous));
        let mut drawn: Vec<u64> = (0..DRAWS).map(draw).collect();
        drawn.sort_unstable();
        let (low, high) = law(&policy, n, previous);
        let (median, expected) = (drawn[DRAWS as usize / 2], low.midpoint(high));
        prop_assert!(
            median.abs_diff(expected) <= expected / 10 + slack(expected, n),
            "median {median}, by its law {expected}"
        );
    }
}

/// Dials in the busiest tenth of a second, of workers that lost their coordinator in one instant and find
/// it for the first time after `dials` dials.
fn peak(policy: &Backoff, workers: u64, dials: u32) -> u64 {
    let mut busy = BTreeMap::<u128, u64>::new();
    for worker in 0..workers {
        let seed = worker.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (mut at, mut previous) = (Duration::ZERO, policy.initial_delay());
        for n in 1..=dials {
            previous = if n == 1 {
                policy.first_delay(seed, None)
            } else {
                policy.delay(seed, n, previous)
            };
            at += previous;
            *busy.entry(at.as_millis() / 100).or_default() += 1;
        }
    }
    busy.into_values().max().unwrap_or(0)
}

/// No more than the width of each step allows, and six standard deviations. Without jitter all of them
/// come together: that is why it is for a single worker only.
#[test]
fn b6_of_workers_released_at_once_few_dial_in_the_same_tenth_of_a_second() {
    const WORKERS: u64 = 3_000;
    const DIALS: u32 = 6;
    let (base, cap) = (SECOND, 60 * SECOND);
    let spread = |jitter, first| Backoff::new(base, cap, 2_000, jitter, first).expect("it can");
    // Widths of the steps in tenths of a second: at most that share of all is in one tenth, in each.
    let proportional = Jitter::Proportional { ppm: 500_000 };
    let kinds: [(Jitter, &[u64]); 4] = [
        (Jitter::FULL, &[9, 19, 39, 79, 159, 319]),
        (proportional, &[10, 20, 40, 80, 160, 200]),
        (Jitter::Equal, &[5, 10, 20, 40, 80, 160]),
        (Jitter::Decorrelated, &[20, 20, 20, 20, 20, 20]),
    ];
    for (jitter, widths) in kinds {
        let limit: u64 = widths.iter().map(|width| WORKERS / width).sum();
        let limit = limit + 6 * WORKERS.isqrt();
        let peak = peak(&spread(jitter, First::Backoff), WORKERS, DIALS);
        assert!(peak <= limit, "{jitter:?}: {peak} in a tenth of a second, allowed are {limit}");
        assert!(peak >= WORKERS / widths[0] / 2, "{jitter:?}: {peak}? they dial so often");
    }
    assert_eq!(peak(&spread(Jitter::None, First::Backoff), WORKERS, DIALS), WORKERS);
    // The first window is what spreads those who would come together.
    let windowed = peak(&spread(Jitter::None, First::Window), WORKERS, DIALS);
    assert!(windowed <= WORKERS / 10 + 6 * WORKERS.isqrt(), "{windowed}");
    assert_eq!(peak(&spread(Jitter::FULL, First::Immediate), WORKERS, 1), WORKERS);
}

/// What happens to a link.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// The next dial fails.
    Fail,
    /// The next dial succeeds, and both sides are active.
    Succeed,
    /// It goes on as it is for so many milliseconds.
    Stay(u32),
    /// The connection breaks, if there is one.
    Break,
    /// The process is not run for so many milliseconds.
    Jump(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Fail),
        3 => Just(Op::Succeed),
        2 => (0..40_000_u32).prop_map(Op::Stay),
        1 => (0..400_000_u32).prop_map(Op::Stay),
        3 => Just(Op::Break),
        1 => (0..100_000_u32).prop_map(Op::Jump),
    ]
}

/// All there is to know of a backoff.
#[derive(Clone, Copy, Debug)]
struct Model {
    /// Dials since the last stable connection.
    made: u32,
    /// The last delay that was waited for.
    previous: Duration,
    active_since: Option<Instant>,
    /// How often the process was not run since then, and how long in all.
    jumps: (u32, Duration),
    waits_since: Instant,
}

impl Model {
    /// `said` is whether the link counts from one again: taken for what it is where nobody can know,
    /// because a time in which the process was not run proves no connection stable, but is not known to
    /// the nanosecond.
    fn lost(&mut self, now: Instant, stable_after: Duration, initial: Duration, said: bool) {
        let active = self.active_since.take().map_or(Duration::ZERO, |since| now.since(since));
        let (jumps, jumped) = std::mem::take(&mut self.jumps);
        let surely = active >= stable_after + jumped + jumps * 20 * SECOND;
        let maybe = active >= stable_after;
        if surely || (maybe && said) {
            (self.made, self.previous) = (0, initial);
        }
        self.waits_since = now;
    }
}

/// A link that is told what happens, and the model that is told what the link says.
struct Run {
    bench: Bench,
    model: Model,
    policy: Policy,
    stable_after: Duration,
    seen: usize,
    /// Up to here the process was not run: what was due then is late.
    jumped_to: Instant,
}

impl Run {
    fn new(policy: Policy, stable_after: Duration) -> Self {
        let reconnect = Reconnect::new(policy.made(First::Backoff)).stable_after(stable_after);
        let bench = Bench::new(LinkConfig { reconnect, ..LinkConfig::default() });
        let model = Model {
            made: 0,
            previous: policy.initial,
            active_since: None,
            jumps: (0, Duration::ZERO),
            waits_since: bench.now,
        };
        // A link that dies of silence was never stable.
        let stable_after = stable_after.max(15 * SECOND);
        Self { jumped_to: bench.now, bench, model, policy, stable_after, seen: 0 }
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        let bench = &mut self.bench;
        let is_up = bench.link.state() == State::Active;
        match op {
            Op::Fail if !is_up => {
                bench.reachable = false;
                let before = bench.dials().len();
                bench.until(|bench| bench.dials().len() > before);
                let dial = bench.actions.iter().rev().find_map(|(_, action)| match action {
                    LinkAction::Dial { conn, .. } => Some(*conn),
                    _ => None,
                });
                let conn = dial.expect("it dialled");
                bench.input(LinkInput::DialFailed { conn, reason: Reason::ConnectRefused });
                let now = bench.now;
                self.look(now)?;
                self.model.lost(now, self.stable_after, self.policy.initial, false);
            }
            Op::Succeed if !is_up => {
                bench.until_active();
                let now = bench.now;
                self.look(now)?;
            }
            Op::Stay(millis) if is_up => bench.pass(MS * millis),
            Op::Break if is_up => {
                bench.reachable = true;
                let said = bench.link.snapshot().attempts == 0;
                bench.cut(Reason::TransportReset);
                let now = bench.now;
                self.look(now)?;
                self.model.lost(now, self.stable_after, self.policy.initial, said);
            }
            Op::Jump(millis) => {
                bench.reachable = true;
                bench.freeze(MS * millis);
                self.jumped_to = bench.now;
                if is_up {
                    let (jumps, jumped) = self.model.jumps;
                    self.model.jumps = (jumps + 1, jumped + MS * millis);
                }
                bench.input(LinkInput::Timeout);
                let now = bench.now;
                self.look(now)?;
            }
            Op::Fail | Op::Succeed | Op::Stay(_) | Op::Break => {}
        }
        Ok(())
    }

    /// What the link did since it was looked at, against the model.
    fn look(&mut self, now: Instant) -> Result<(), TestCaseError> {
        let actions = self.bench.actions[self.seen..].to_vec();
        self.seen = self.bench.actions.len();
        for (_, action) in actions {
            match action {
                LinkAction::Dial { attempt, .. } => {
                    self.model.made += 1;
                    prop_assert_eq!(attempt, self.model.made, "the number of the dial");
                    let waited = now.since(self.model.waits_since);
                    let (low, high) = law(&self.policy, attempt, self.model.previous);
                    let slack = slack(high, attempt);
                    // Nothing is dialled sooner than a tenth of a second after the last dial (P07).
                    let spaced = nanos(100 * MS);
                    prop_assert!(nanos(waited) + slack >= low, "dial {attempt} after {waited:?}");
                    let late = now == self.jumped_to;
                    prop_assert!(
                        late || nanos(waited) <= high.max(spaced) + slack,
                        "dial {} after {:?}, at most {} ns",
                        attempt,
                        waited,
                        high
                    );
                    let drawn = self.bench.link.snapshot().delay;
                    self.model.previous = drawn.unwrap_or(waited).min(waited);
                }
                LinkAction::Announce(transition) if transition.to == State::Active => {
                    self.model.active_since = Some(now);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// B5 and B7: dials are numbered from the last connection that was stable, whatever came between, and
    /// each waits by its number.
    #[test]
    fn b5_b7_fail_succeed_stay_break_and_jump_in_any_order_follow_the_model(
        policy in policy(), stable_after in 1..90_u64, ops in prop::collection::vec(op(), 1..60),
    ) {
        // Short enough that a bench waits for it.
        let max = policy.max.min(600 * SECOND);
        let initial = policy.initial.clamp(100 * MS, 60 * SECOND).min(max.max(100 * MS));
        let jitter = match policy.jitter {
            Jitter::Full { floor } => Jitter::Full { floor: floor.min(initial) },
            other => other,
        };
        let policy = Policy { initial, max: max.max(initial), jitter, ..policy };
        let mut run = Run::new(policy, Duration::from_secs(stable_after));
        for op in ops {
            run.step(op)?;
        }
    }
}

/// The runs of the model are worth something: they reset, and they do not.
#[test]
fn runs_of_the_model_meet_stable_and_unstable_connections() {
    let exact =
        Policy { initial: SECOND, max: 60 * SECOND, multiplier: 2_000, jitter: Jitter::None };
    let mut run = Run::new(exact, 30 * SECOND);
    let mut numbers = BTreeSet::new();
    let story = [
        Op::Fail,
        Op::Fail,
        Op::Succeed,
        Op::Stay(29_999),
        Op::Break,
        Op::Fail,
        Op::Succeed,
        Op::Stay(30_000),
        Op::Break,
        Op::Fail,
        Op::Succeed,
        Op::Jump(29_999),
        Op::Break,
        Op::Succeed,
    ];
    for op in story {
        run.step(op).expect("as the model");
        numbers.insert(run.model.made);
    }
    assert_eq!(numbers, BTreeSet::from([0, 1, 2, 3, 4, 5]), "three dials, two more, and anew");
}
