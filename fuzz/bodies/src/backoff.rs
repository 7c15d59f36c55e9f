//! Policies of reconnecting: B1, B2, B4 and B8 for whatever can be written down.

use std::time::Duration;

use moorline_link::{Backoff, First, Jitter, Spread};

use crate::source::Source;

/// Makes a policy of any numbers and draws delays from it. What the constructor takes keeps its bounds for
/// every attempt and seed; what it refuses is refused for what it says.
pub fn backoff(bytes: &[u8]) {
    let _ = draws(&mut Source::new(bytes));
}

fn duration(source: &mut Source<'_>) -> Option<Duration> {
    let unit = source.byte()?;
    let number = source.number()?;
    Some(match unit % 4 {
        0 => Duration::from_nanos(number),
        1 => Duration::from_millis(number % 1_000_000),
        2 => Duration::from_secs(number % 700_000),
        _ => Duration::from_secs(number),
    })
}

fn draws(source: &mut Source<'_>) -> Option<()> {
    let (initial, max) = (duration(source)?, duration(source)?);
    let multiplier = source.word()?;
    let jitter = match source.byte()? % 5 {
        0 => Jitter::None,
        1 => Jitter::Full { floor: duration(source)? },
        2 => Jitter::Proportional { ppm: source.word()? },
        3 => Jitter::Equal,
        _ => Jitter::Decorrelated,
    };
    let first = [First::Window, First::Backoff, First::Immediate][usize::from(source.byte()? % 3)];
    let made = Backoff::new(initial, max, multiplier, jitter, first);
    let policy = match made {
        Ok(policy) => policy,
        Err(error) => {
            assert!(is_impossible(initial, max, multiplier, jitter), "{error} of a good policy");
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    assert!(!is_impossible(initial, max, multiplier, jitter), "{policy:?} was taken");
    assert_eq!((policy.initial_delay(), policy.max_delay()), (initial, max));
    let exact = Backoff::new(initial, max, multiplier, Jitter::None, first).ok()?;
    while let Some(seed) = source.number() {
        let (attempt, previous) = (source.word()?, duration(source)?);
        let window = Some(duration(source)?).filter(|window| !window.is_zero());
        let delay = policy.delay(seed, attempt, previous);
        assert_eq!(delay, policy.delay(seed, attempt, previous), "B4");
        let ceiling = exact.delay(seed, attempt, previous);
        let floor = match jitter {
            Jitter::None => ceiling,
            Jitter::Full { floor } => floor,
            Jitter::Proportional { ppm } => {
                let spread = ceiling.as_nanos() * u128::from(ppm) / 1_000_000;
                ceiling
                    .saturating_sub(Duration::from_nanos(u64::try_from(spread).expect("a share")))
            }
            Jitter::Equal => ceiling / 2 - Duration::from_nanos(1).min(ceiling / 2),
            Jitter::Decorrelated => initial,
        };
        assert!((floor..=max).contains(&delay), "B1: {delay:?} of {policy:?} at {attempt}");
        if !matches!(jitter, Jitter::Proportional { .. } | Jitter::Decorrelated) {
            assert!(delay <= ceiling, "B1: {delay:?} above {ceiling:?}");
        }
        let later = exact.delay(seed, attempt.saturating_add(1), previous);
        // The fixed point may lose a billionth.
        assert!(later + ceiling / 100_000_000 >= ceiling, "B2: {ceiling:?} then {later:?}");
        assert!(ceiling >= initial.min(max), "B2");
        let spread = Spread { window, lasted: previous };
        let among = policy.delay_with(spread, seed, attempt, previous);
        match (jitter, first) {
            (Jitter::Full { floor }, First::Window) => {
                assert!((floor..=max).contains(&among), "B1: {among:?} in a fleet");
            }
            // Only full jitter behind a window knows of a fleet.
            (
                Jitter::None
                | Jitter::Full { .. }
                | Jitter::Proportional { .. }
                | Jitter::Equal
                | Jitter::Decorrelated,
                First::Window | First::Backoff | First::Immediate,
            ) => assert_eq!(among, delay),
        }
        assert!(policy.first_delay(seed, window) <= window.unwrap_or(max).max(max), "B1");
        let slow = policy.slow_delay(seed, attempt);
        assert!((max..=max + max / 4).contains(&slow), "B1: {slow:?}");
    }
    Some(())
}

/// What no policy can be.
fn is_impossible(initial: Duration, max: Duration, multiplier: u32, jitter: Jitter) -> bool {
    initial < Backoff::INITIAL_MIN
        || initial > max
        || max > Backoff::MAX_MAX
        || !(1_000..=1_000_000).contains(&multiplier)
        || match jitter {
            Jitter::Full { floor } => floor > initial,
            Jitter::Proportional { ppm } => ppm >= 1_000_000,
            Jitter::None | Jitter::Equal | Jitter::Decorrelated => false,
        }
}
