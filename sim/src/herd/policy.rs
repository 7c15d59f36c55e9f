//! When a worker dials, by our policy and by those it is compared with.

use std::time::Duration;

use moorline_link::{Backoff, First, Jitter, LinkConfig, Reconnect};

/// A policy of coming back.
///
/// Those that [`Backoff`] can express are set with it. The others dial by a schedule of their own: the
/// link is the same, its own delays are set longer than any run, and it is told to reconnect when the
/// schedule says so. A schedule counts the dials since the loss, and keeps none of the usual distance
/// between two dials.
///
/// Where no slots are reserved, nothing is told to who comes too early: the coordinator takes the first
/// [`RATE`](super::RATE) dials of each second and refuses the others as if nobody listened, and its own
/// admission lets everybody in. Else the real admission decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Policy {
    /// 1 s, doubled, at most 60 s, without jitter.
    NoJitter,
    /// The default of async-nats: at once, then 2 ms, doubled, at most 4 s, without jitter.
    AsyncNats,
    /// The default of socket.io: 1 s, doubled, plus or minus half, and of that at most 5 s.
    SocketIo,
    /// As gRPC does: at once, then 1 s, times 1.6, at most 120 s, and then plus or minus a fifth.
    Grpc,
    /// 1 s, doubled, at most 60 s, and then plus or minus a fifth.
    PlusMinus,
    /// Between half and all of 1 s, doubled, at most 60 s.
    Equal,
    /// Between 1 s and three times the last delay, at most 60 s.
    Decorrelated,
    /// Up to 1 s, doubled, at most 60 s.
    Full,
    /// The same, and who comes too early gets a slot of its own.
    FullWithSlots,
    /// The same, and the first dial is anywhere in the time that the fleet needs to come in.
    WindowWithSlots,
    /// The defaults of this library.
    Ours,
}

const SECOND: Duration = Duration::from_secs(1);
/// The longest delay of most of them.
const CAP: Duration = Duration::from_secs(60);
/// The longest delay of gRPC.
const GRPC_CAP: Duration = Duration::from_secs(120);
/// The longest delay of socket.io.
const SOCKET_IO_CAP: Duration = Duration::from_secs(5);
/// The longest delay of async-nats.
const NATS_CAP: Duration = Duration::from_secs(4);
/// The shortest distance of two dials that can be set.
const SPACING: Duration = Duration::from_millis(1);

const MADE_FIT: &str = "these settings are within their bounds";

impl Policy {
    /// Every one, as they stand in tables.
    pub const ALL: [Self; 11] = [
        Self::NoJitter,
        Self::AsyncNats,
        Self::SocketIo,
        Self::Grpc,
        Self::PlusMinus,
        Self::Equal,
        Self::Decorrelated,
        Self::Full,
        Self::FullWithSlots,
        Self::WindowWithSlots,
        Self::Ours,
    ];

    /// What tables call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoJitter => "no jitter",
            Self::AsyncNats => "async-nats default",
            Self::SocketIo => "socket.io default",
            Self::Grpc => "gRPC backoff",
            Self::PlusMinus => "+-20 % after the cap",
            Self::Equal => "equal jitter",
            Self::Decorrelated => "decorrelated",
            Self::Full => "full jitter",
            Self::FullWithSlots => "full jitter + reserved slots",
            Self::WindowWithSlots => "fleet-scaled first window + reserved slots",
            Self::Ours => "ours",
        }
    }

    /// Whether who comes too early is given a slot.
    #[must_use]
    pub const fn has_slots(self) -> bool {
        match self {
            Self::FullWithSlots | Self::WindowWithSlots | Self::Ours => true,
            Self::NoJitter
            | Self::AsyncNats
            | Self::SocketIo
            | Self::Grpc
            | Self::PlusMinus
            | Self::Equal
            | Self::Decorrelated
            | Self::Full => false,
        }
    }

    /// Whether it dials by a schedule of its own.
    pub(super) const fn is_scheduled(self) -> bool {
        match self {
            Self::SocketIo | Self::Grpc | Self::PlusMinus | Self::WindowWithSlots => true,
            Self::NoJitter
            | Self::AsyncNats
            | Self::Equal
            | Self::Decorrelated
            | Self::Full
            | Self::FullWithSlots
            | Self::Ours => false,
        }
    }

    /// How its links are set.
    pub(super) fn link(self) -> LinkConfig {
        let backoff = match self {
            Self::Ours => return LinkConfig::default(),
            Self::NoJitter => doubled(SECOND, CAP, Jitter::None, First::Backoff),
            Self::AsyncNats => doubled(SPACING, NATS_CAP, Jitter::None, First::Immediate),
            Self::Equal => doubled(SECOND, CAP, Jitter::Equal, First::Backoff),
            Self::Decorrelated => doubled(SECOND, CAP, Jitter::Decorrelated, First::Backoff),
            Self::Full | Self::FullWithSlots => {
                doubled(SECOND, CAP, Jitter::Full { floor: Duration::ZERO }, First::Backoff)
            }
            // It never dials by itself.
            Self::SocketIo | Self::Grpc | Self::PlusMinus | Self::WindowWithSlots => {
                doubled(Backoff::MAX_MAX, Backoff::MAX_MAX, Jitter::None, First::Backoff)
            }
        };
        let reconnect = Reconnect::new(backoff).min_spacing(SPACING).expect(MADE_FIT);
        LinkConfig { reconnect, ..LinkConfig::default() }
    }

    /// The delay before the `attempt`-th dial (from 1) since the loss, of a policy with a schedule.
    /// `random` is uniform over all its values; `fleet` is how long all workers need to come in.
    pub(super) fn delay(self, attempt: u32, random: u64, fleet: Duration) -> Duration {
        let before = attempt.saturating_sub(1);
        let around = |delay: Duration, share: u32| {
            between(delay - delay / share, delay + delay / share, random)
        };
        match self {
            Self::SocketIo => around(grown(SECOND, before, (2, 1), CAP), 2).min(SOCKET_IO_CAP),
            Self::Grpc if before == 0 => Duration::ZERO,
            Self::Grpc => around(grown(SECOND, before - 1, (8, 5), GRPC_CAP), 5),
            Self::PlusMinus => around(grown(SECOND, before, (2, 1), CAP), 5),
            Self::WindowWithSlots if before == 0 => between(Duration::ZERO, fleet, random),
            Self::WindowWithSlots => {
                between(Duration::ZERO, grown(SECOND, before, (2, 1), CAP), random)
            }
            Self::NoJitter
            | Self::AsyncNats
            | Self::Equal
            | Self::Decorrelated
            | Self::Full
            | Self::FullWithSlots
            | Self::Ours => Duration::MAX,
        }
    }
}

fn doubled(initial: Duration, max: Duration, jitter: Jitter, first: First) -> Backoff {
    Backoff::new(initial, max, 2_000, jitter, first).expect(MADE_FIT)
}

/// A delay that grew so often by this fraction.
fn grown(initial: Duration, times: u32, (over, under): (u32, u32), cap: Duration) -> Duration {
    let mut delay = initial;
    for _ in 0..times {
        if delay >= cap {
            break;
        }
        delay = delay * over / under;
    }
    delay.min(cap)
}

fn between(low: Duration, high: Duration, random: u64) -> Duration {
    let span = high.saturating_sub(low).as_nanos();
    let nanos = (span * u128::from(random)) >> 64;
    low + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Duration, Policy};

    /// The shortest and the longest delay of the first dials, in milliseconds.
    fn bounds(policy: Policy) -> Vec<(u128, u128)> {
        let fleet = Duration::from_secs(50);
        let delay = |attempt, random| policy.delay(attempt, random, fleet).as_millis();
        (1..=9).map(|attempt| (delay(attempt, 0), delay(attempt, u64::MAX))).collect()
    }

    #[test]
    fn schedules_are_those_of_the_systems_they_are_named_after() {
        let socket_io = bounds(Policy::SocketIo);
        // The longest delay is exact to the nanosecond, and so shown as a millisecond less.
        assert_eq!(socket_io[..3], [(500, 1_499), (1_000, 2_999), (2_000, 5_000)]);
        assert_eq!(socket_io[4..], [(5_000, 5_000); 5], "without jitter at last");
        let grpc = bounds(Policy::Grpc);
        assert_eq!(grpc[..3], [(0, 0), (800, 1_199), (1_280, 1_919)]);
        assert_eq!(Policy::Grpc.delay(99, 0, Duration::ZERO), Duration::from_secs(96));
        let plus_minus = bounds(Policy::PlusMinus);
        assert_eq!(plus_minus[..2], [(800, 1_199), (1_600, 2_399)]);
        assert_eq!(plus_minus[8], (48_000, 71_999));
        let window = bounds(Policy::WindowWithSlots);
        assert_eq!(window[..2], [(0, 49_999), (0, 1_999)]);
        assert_eq!(window[8], (0, 59_999));
    }

    #[test]
    fn every_policy_has_links_and_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Policy::ALL.map(Policy::name).into();
        assert_eq!(names.len(), Policy::ALL.len());
        for policy in Policy::ALL {
            let backoff = *policy.link().reconnect.backoff();
            assert_eq!(policy.is_scheduled(), backoff.initial_delay() > Duration::from_secs(60));
        }
    }
}
