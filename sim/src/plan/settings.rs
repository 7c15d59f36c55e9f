//! How both sides and the world are set: from close to the limits to leisurely.

use std::time::Duration;

use moorline_link::{
    Backoff, First, Heartbeat, HubConfig, HubSettings, Jitter, LaneLimits, Lanes, LinkConfig,
    Reconnect, Timeouts,
};
use moorline_work::{DispatcherConfig, DispatcherSettings};

use super::{MS, SEC};
use crate::decide::{Decide, Site};

/// The law of a latency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Latency {
    /// Uniform between two bounds.
    Uniform {
        /// The shortest.
        min: u64,
        /// The longest.
        max: u64,
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
}

impl Latency {
    /// The latency of the `k`-th packet of a pipe.
    #[must_use]
    pub fn of(&self, draws: &dyn Decide, pipe: u64, k: u64) -> u64 {
        match *self {
            Self::Uniform { min, max } => draws.between(Site::Latency, pipe, k, min, max),
            Self::Bimodal { fast, slow, ppm } => {
                let long = draws.chance(Site::Latency, pipe, k ^ (1 << 62), ppm);
                let (low, high) = if long { (fast, slow) } else { (fast / 4, fast) };
                draws.between(Site::Latency, pipe, k, low, high)
            }
        }
    }

    /// The longest there is.
    #[must_use]
    pub const fn max(&self) -> u64 {
        match *self {
            Self::Uniform { max, .. } => max,
            Self::Bimodal { slow, .. } => slow,
        }
    }
}

/// How both sides and the world are set. Times are in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// After how long a silent worker's work is given away.
    pub lost_after: u64,
    /// How long a coordinator waits for workers of earlier lives.
    pub start_grace: u64,
    /// How often a task may be lost.
    pub lost_cap: u32,
    /// How long an assignment may stay unanswered.
    pub accept_timeout: u64,
    /// How long a question about a task may stay unanswered.
    pub answer_timeout: u64,
    /// The heartbeat interval workers wish for.
    pub beat: u64,
    /// The longest delay of the backoff.
    pub max_delay: u64,
    /// The longest delay before a retry of a task.
    pub retry_delay: u64,
    /// The latency of packets.
    pub latency: Latency,
    /// Bytes that may be under way on a connection before it takes no more.
    pub buffer: usize,
    /// How long a commit takes at most, without a fault.
    pub commit: u64,
    /// How many operations one commit takes at most.
    pub group: u64,
    /// How late timers fire at most.
    pub late: u64,
    /// How many finished tasks the store keeps; none: all of them.
    pub keeps: Option<u64>,
    /// Settings of the workers' links.
    pub link: LinkConfig,
    /// Settings of the coordinator's hub.
    pub hub: HubConfig,
    /// Settings of the coordinator's dispatcher.
    pub dispatcher: DispatcherConfig,
    /// Delays between the attempts of a task.
    pub retry: Backoff,
}

/// Time to open a connection, and to answer a Hello.
pub(crate) const CONNECT: u64 = 10 * SEC;
/// Time a restore may stand still.
pub(crate) const RESTORE: u64 = 30 * SEC;

/// The longest latency with which heartbeats are answered in time: their deadline is their interval,
/// or a second if that is shorter.
pub(crate) fn good_path(beat: u64) -> u64 {
    beat.min(SEC) / 8
}

const fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

impl Settings {
    /// The settings of a seed.
    ///
    /// # Panics
    /// Never: every value that is drawn is one that the settings take.
    #[must_use]
    pub fn draw(draws: &dyn Decide, calm: bool) -> Self {
        let draw = |k, bound| draws.draw(Site::Plan, 2, k, bound);
        let lost_after = [90, 30, 12, 6][usize::try_from(draw(0, 4)).unwrap_or(0)] * SEC;
        let hub = HubSettings::for_lost_after(nanos(lost_after));
        let beat = lost_after / 18;
        let start_grace = lost_after * draws.between(Site::Plan, 2, 1, 1, 2);
        let accept_timeout = draws.log_between(Site::Plan, 2, 2, SEC, 10 * SEC);
        let answer_timeout = 30 * SEC;
        let max_delay = draws.log_between(Site::Plan, 2, 3, SEC, 60 * SEC);
        let lost_cap = 1 + u32::try_from(draw(9, 4)).unwrap_or(2);
        let retry_delay = 5 * SEC;
        // A path that is slower than the heartbeats allow is a fault.
        let longest = if calm { good_path(beat) } else { (beat * 2).min(2 * SEC) };
        let latency = if draw(4, 2) == 0 {
            let max = draws.log_between(Site::Plan, 2, 5, MS.min(longest), longest);
            Latency::Uniform { min: max / 4, max }
        } else {
            let fast = draws.log_between(Site::Plan, 2, 6, MS / 10, longest / 4);
            Latency::Bimodal { fast, slow: longest, ppm: 10_000 }
        };
        let buffer = [128 << 10, 128 << 10, 70_000][usize::try_from(draw(7, 3)).unwrap_or(0)];
        let small = draw(8, 4) == 3;
        let lanes = if small {
            LaneLimits { window_messages: 2, window_bytes: 4 << 10, ..LaneLimits::default() }
        } else {
            LaneLimits::default()
        };
        let link = link(draws, beat, max_delay, lanes);
        let hub = HubConfig::new(HubSettings { lanes, ..hub }).expect("in proportion");
        let dispatcher = DispatcherConfig::new(DispatcherSettings {
            lost_after: nanos(lost_after),
            start_grace: nanos(start_grace),
            accept_timeout: nanos(accept_timeout),
            lost_cap,
            answer_timeout: nanos(answer_timeout),
            window: [256, 256, 1, 3][usize::try_from(draw(10, 4)).unwrap_or(0)],
            ..DispatcherSettings::default()
        })
        .expect("above zero");
        let (first, longest) = (nanos(100 * MS), nanos(retry_delay));
        let retry = Backoff::new(first, longest, 2_000, Jitter::FULL, First::Backoff)
            .expect("in proportion");
        Self {
            lost_after,
            start_grace,
            lost_cap,
            accept_timeout,
            answer_timeout,
            beat,
            max_delay,
            retry_delay,
            latency,
            buffer,
            commit: draws.log_between(Site::Plan, 2, 11, MS / 10, 50 * MS),
            group: draws.log_between(Site::Plan, 2, 12, 1, 256),
            late: draws.log_between(Site::Plan, 2, 13, 1, 20 * MS),
            keeps: (draw(14, 4) == 3).then(|| draw(15, 4)),
            link,
            hub,
            dispatcher,
            retry,
        }
    }
}

fn link(draws: &dyn Decide, beat: u64, max_delay: u64, lanes: LaneLimits) -> LinkConfig {
    let draw = |k, bound| draws.draw(Site::Plan, 3, k, bound);
    let jitter = match draw(0, 5) {
        0 | 1 => Jitter::FULL,
        2 => Jitter::Equal,
        3 => Jitter::Decorrelated,
        _ => Jitter::Proportional { ppm: 200_000 },
    };
    let first =
        [First::Window, First::Backoff, First::Immediate][usize::try_from(draw(1, 3)).unwrap_or(0)];
    let initial = draws.log_between(Site::Plan, 3, 2, 100 * MS, SEC);
    let backoff = Backoff::new(nanos(initial), nanos(max_delay), 2_000, jitter, first)
        .expect("in proportion");
    let heartbeat = Heartbeat::new(nanos(beat), nanos(beat * 3))
        .and_then(|heartbeat| heartbeat.assignable(nanos(10 * MS), nanos(15 * SEC)))
        .expect("in proportion");
    let (connect, restore) = (nanos(CONNECT), nanos(RESTORE));
    let timeouts = Timeouts::new(connect, connect, restore, nanos(5 * SEC)).expect("within a day");
    LinkConfig {
        heartbeat,
        reconnect: Reconnect::new(backoff),
        timeouts,
        lanes: Lanes::new(lanes, lanes).expect("open"),
        ..LinkConfig::default()
    }
}
