//! Laws of latencies, in whole numbers: the same on every machine.

use crate::decide::{Decide, Site};

/// The law of a latency; times in nanoseconds. A decision of 0 is the shortest one.
///
/// ```
/// use moorline_sim::{Draws, Latency};
///
/// const MS: u64 = 1_000_000;
/// let law = Latency::Exponential { min: 2 * MS, mean: 10 * MS, cap: 100 * MS };
/// let draws = Draws::new(7);
/// let all: Vec<u64> = (0..1_000).map(|k| law.of(&draws, 1, k)).collect();
/// assert!(all.iter().all(|latency| (2 * MS..=law.max()).contains(latency)));
/// let mean = all.iter().sum::<u64>() / 1_000;
/// assert!((9 * MS..11 * MS).contains(&mean), "{mean}");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Latency {
    /// Always the same.
    Fixed {
        /// Which.
        at: u64,
    },
    /// Uniform between two bounds.
    Uniform {
        /// The shortest.
        min: u64,
        /// The longest.
        max: u64,
    },
    /// As if each moment were as likely to be the last as any other.
    Exponential {
        /// The shortest.
        min: u64,
        /// On average, but for the cap; at least `min`.
        mean: u64,
        /// The longest.
        cap: u64,
    },
    /// Mostly short, sometimes long.
    Bimodal {
        /// The longest of the short ones.
        fast: u64,
        /// The longest of the long ones.
        slow: u64,
        /// How many of a million are long.
        ppm: u64,
    },
    /// A heavy tail: of those above any length a fixed share is above twice that.
    Pareto {
        /// The shortest.
        min: u64,
        /// The exponent, in thousandths, at least 1: at 1,000 half are above twice the shortest.
        shape: u32,
        /// The longest.
        cap: u64,
    },
}

/// One, where 32 bits are behind the point.
const ONE: u64 = 1 << 32;
/// The natural logarithm of 2, likewise.
const LN_2: u128 = 2_977_044_472;

/// 2 to the powers of 1/2, 1/4, 1/8, ..., with 32 bits behind the point.
const ROOTS: [u64; 16] = {
    let mut roots = [0; 16];
    let mut root: u128 = 2 << 32;
    let mut place = 0;
    while place < roots.len() {
        root = (root << 32).isqrt();
        // A root of 2 is below 2.
        roots[place] = root as u64;
        place += 1;
    }
    roots
};

/// The logarithm to the base 2 of a number from 1, with 16 bits behind the point.
fn log2(number: u64) -> u64 {
    let whole = number.max(1).ilog2();
    // From 1 to 2, with 32 bits behind the point.
    let mut rest = (u128::from(number.max(1)) << 32) >> whole;
    let mut log = u64::from(whole);
    for _ in 0..16 {
        rest = (rest * rest) >> 32;
        let is_above = rest >= u128::from(2 * ONE);
        rest >>= u32::from(is_above);
        log = log << 1 | u64::from(is_above);
    }
    log
}

/// 2 to this power, with 16 bits behind its point; the result has 32 of them, and ends at 2^63.
fn exp2(power: u64) -> u128 {
    let whole = u32::try_from(power >> 16).unwrap_or(u32::MAX).min(63);
    let bits = (0..16).filter(|bit| power & (1 << (15 - bit)) != 0);
    let part = bits.fold(u128::from(ONE), |part, bit| (part * u128::from(ROOTS[bit])) >> 32);
    part << whole
}

fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}

impl Latency {
    /// The latency of the `k`-th packet of a pipe.
    #[must_use]
    pub fn of(&self, draws: &dyn Decide, pipe: u64, k: u64) -> u64 {
        // How often a fair coin would fall the same way, on average once: with 16 bits behind the point.
        let tail = || 32 * (1 << 16) - log2(ONE - draws.draw(Site::Latency, pipe, k, ONE));
        match *self {
            Self::Fixed { at } => at,
            Self::Uniform { min, max } => draws.between(Site::Latency, pipe, k, min, max),
            Self::Exponential { min, mean, cap } => {
                let scale = u128::from(mean.saturating_sub(min)) * LN_2;
                let above = (scale * u128::from(tail())) >> 48;
                min.saturating_add(narrow(above)).min(cap)
            }
            Self::Bimodal { fast, slow, ppm } => {
                let long = draws.chance(Site::Latency, pipe, k ^ (1 << 62), ppm);
                let (low, high) = if long { (fast, slow) } else { (fast / 4, fast) };
                draws.between(Site::Latency, pipe, k, low, high)
            }
            Self::Pareto { min, shape, cap } => {
                let power = tail().saturating_mul(1_000) / u64::from(shape.max(1));
                let scaled = u128::from(min).saturating_mul(exp2(power)) >> 32;
                narrow(scaled).min(cap)
            }
        }
    }

    /// The longest there is.
    #[must_use]
    pub const fn max(&self) -> u64 {
        match *self {
            Self::Fixed { at } => at,
            Self::Uniform { max, .. } => max,
            Self::Exponential { cap, .. } | Self::Pareto { cap, .. } => cap,
            Self::Bimodal { slow, .. } => slow,
        }
    }
}

#[cfg(test)]
mod tests;
