//! What the clocks of machines show, which need not be right: their rate, and whether they stood still.

use moorline_link::Instant;

use super::{Sabotage, World};
use crate::plan::Who;

/// How much faster or slower than time a clock runs that does not run right at all.
const RATE: u64 = 4;

const MILLION: u64 = 1_000_000;

/// What a clock shows after this time whose rate is wrong by so many millionths.
pub(crate) fn rated(nanos: u64, rate: i32) -> u64 {
    // The whole millions and the rest of them apart: this is asked at every event, and to divide more
    // than 64 bits is slow.
    let (whole, rest) = (i128::from(nanos / MILLION), (nanos % MILLION).cast_signed());
    let wrong =
        whole * i128::from(rate) + i128::from(rest * i64::from(rate) / MILLION.cast_signed());
    u64::try_from(i128::from(nanos) + wrong).unwrap_or(0)
}

/// After which time such a clock shows this, or just more.
fn unrated(shown: u64, rate: i32) -> u64 {
    let shows = MILLION.saturating_add_signed(rate.into());
    if rate == 0 || shows == 0 {
        return shown;
    }
    let nanos =
        (shown / shows).saturating_mul(MILLION).saturating_add(shown % shows * MILLION / shows);
    // Both divisions round.
    (0..=4)
        .map(|more| nanos.saturating_add(more).saturating_sub(1))
        .find(|nanos| rated(*nanos, rate) >= shown)
        .unwrap_or(shown)
}

impl World {
    /// How far a process's machine is with its time: without that in which it was suspended.
    fn awake(&self, who: Who) -> u64 {
        let slept = match who {
            Who::Coordinator => self.coordinator.slept(self.now),
            Who::Worker(index) => self.workers[index].process.slept(self.now),
        };
        self.now.saturating_sub(slept)
    }

    /// What the clock of a worker's machine shows.
    pub(super) fn clock_of(&self, index: usize) -> Instant {
        let plan = &self.plan.workers[index];
        let shown = rated(self.awake(Who::Worker(index)), plan.rate);
        Instant::from_nanos(shown.saturating_add(plan.clock))
    }

    /// The same as a number.
    pub(super) fn time_of(&self, index: usize) -> u64 {
        self.clock_of(index).as_nanos()
    }

    /// What the clock of the coordinator's machine shows.
    pub(super) fn clock_of_coordinator(&self) -> Instant {
        let nanos = rated(self.awake(Who::Coordinator), self.plan.coordinator.rate);
        let nanos = match self.plan.sabotage {
            Some(Sabotage::ClockRaces) => nanos * RATE,
            Some(Sabotage::ClockCrawls) => nanos / RATE,
            Some(_) | None => nanos,
        };
        Instant::from_nanos(nanos)
    }

    /// Time as the coordinator counts it, but for what it was frozen: by this it is judged.
    pub(super) fn judged_at(&self) -> u64 {
        rated(self.now, self.plan.coordinator.rate)
    }

    /// When the clock of a process shows this.
    pub(super) fn real_time_of(&self, who: Who, at: Instant) -> u64 {
        let at = at.as_nanos();
        match who {
            Who::Coordinator => {
                let at = match self.plan.sabotage {
                    Some(Sabotage::ClockRaces) => at.div_ceil(RATE),
                    Some(Sabotage::ClockCrawls) => at.saturating_mul(RATE),
                    Some(_) | None => at,
                };
                let slept = self.coordinator.slept(self.now);
                unrated(at, self.plan.coordinator.rate).saturating_add(slept)
            }
            Who::Worker(index) => {
                let plan = &self.plan.workers[index];
                let slept = self.workers[index].process.slept(self.now);
                unrated(at.saturating_sub(plan.clock), plan.rate).saturating_add(slept)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{rated, unrated};

    #[test]
    fn a_clock_shows_a_time_when_it_is_said_to_and_not_a_moment_before() {
        for rate in [-100_000, -500, -1, 0, 1, 500, 100_000] {
            for shown in [1, 2, 999, 1_000_001, 59_999_999_999, 3_600_000_000_007] {
                let nanos = unrated(shown, rate);
                assert!(rated(nanos, rate) >= shown, "{shown} at {rate}");
                assert!(rated(nanos - 1, rate) < shown, "{shown} at {rate}");
            }
        }
    }
}
