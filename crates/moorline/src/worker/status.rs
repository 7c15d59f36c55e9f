//! What a worker's link looks like, for people and programs.

use std::time::Duration;

use moorline_driver::WorkerStatus;
use moorline_link::{Degraded, Instant, LinkStatistics, OutageEnd, Reason, State};

/// What a worker's link looks like at one moment. All durations count from that moment.
///
/// What is counted begins with the worker, or with
/// [`WorkerHandle::reset_statistics`](crate::WorkerHandle::reset_statistics).
///
/// ```
/// # fn example(handle: &moorline::WorkerHandle) {
/// use moorline::LinkState;
///
/// let link = handle.link();
/// if link.state == LinkState::Disconnected {
///     println!("{:?}: dial {} in {:?}", link.reason, link.attempts + 1, link.next_attempt);
/// }
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct LinkStatus {
    /// The state.
    pub state: State,
    /// For how long.
    pub since: Duration,
    /// Why the last connection ended, or the link has failed.
    pub reason: Option<Reason>,
    /// Dials since the last stable connection.
    pub attempts: u32,
    /// How long until the next dial, while waiting for it.
    pub next_attempt: Option<Duration>,
    /// The round trip of the last heartbeat that was answered.
    pub rtt: Option<Duration>,
    /// Heartbeats missed in a row.
    pub missed: u8,
    /// How long ago the coordinator was heard.
    pub last_contact: Option<Duration>,
    /// It takes nothing new.
    pub draining: bool,
    /// The share of all the time that the link was active: 0 to 1. It moves also while it is down.
    pub stability: f64,
    /// The same of the last 10 min since the first connection: 0 to 1.
    pub recent_stability: f64,
    /// Mean round trip of the last heartbeats, at most 100.
    pub rtt_mean: Option<Duration>,
    /// Their median.
    pub rtt_p50: Option<Duration>,
    /// Their 99th percentile.
    pub rtt_p99: Option<Duration>,
    /// Their smoothed mean deviation (RFC 6298).
    pub jitter: Option<Duration>,
    /// Dials that were begun, ever; [`LinkStatus::attempts`] are those since the last stable
    /// connection.
    pub dials: u64,
    /// Dials that ended in a registration.
    pub successes: u64,
    /// Their share of all that have ended: 0 to 1; `None` before the first.
    pub success_rate: Option<f64>,
    /// How long it was active.
    pub connected_time: Duration,
    /// How long it was not.
    pub disconnected_time: Duration,
    /// Times that it was lost.
    pub outage_count: u64,
    /// It was down for too much of the last 10 min, its answers take too long, or too much waits to be
    /// sent.
    pub degraded: Degraded,
    /// The coordinator has been silent for longer than usual: a word of warning, nothing is lost yet.
    pub suspected: bool,
    /// The interval of heartbeats that is kept now, while there is a connection.
    pub heartbeat_interval: Option<Duration>,
    /// Attempts that run.
    pub running: u32,
    /// Attempts it could start now.
    pub free_slots: u16,
    /// Results that are kept until the coordinator has answered them.
    pub kept_results: u32,
    pub(crate) statistics: Option<(LinkStatistics, Instant)>,
}

/// A time in which a worker's link was down after it had been up.
///
/// ```
/// # fn example(handle: &moorline::WorkerHandle) {
/// for outage in handle.link().outages() {
///     println!("{}: {:?}, {} dials", outage.reason, outage.duration, outage.attempts);
/// }
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OutageStatus {
    /// Why the link was lost.
    pub reason: Reason,
    /// How long ago it began.
    pub began: Duration,
    /// How long it lasted, or lasts so far.
    pub duration: Duration,
    /// Dials it took so far.
    pub attempts: u32,
    /// How it ended; `None` while it goes on.
    pub end: Option<OutageEnd>,
}

impl LinkStatus {
    /// Registered, restored, and proven by a round trip: work may flow.
    ///
    /// ```
    /// # fn example(handle: &moorline::WorkerHandle) {
    /// let ready = handle.link().is_active() && !handle.link().draining;
    /// # let _ = ready;
    /// # }
    /// ```
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// The last outages, at most 16, the oldest first; one that goes on comes last.
    ///
    /// ```
    /// # fn example(handle: &moorline::WorkerHandle) {
    /// for outage in handle.link().outages() {
    ///     println!("{} for {:?}, {} dials", outage.reason, outage.duration, outage.attempts);
    /// }
    /// # }
    /// ```
    pub fn outages(&self) -> impl Iterator<Item = OutageStatus> + '_ {
        self.statistics.iter().flat_map(|(statistics, at)| {
            let ended = statistics.outages().iter().copied();
            ended.chain(statistics.outage(*at)).map(|outage| OutageStatus {
                reason: outage.reason,
                began: at.since(outage.began),
                duration: outage.duration,
                attempts: outage.attempts,
                end: outage.end,
            })
        })
    }

    /// The same once nobody is left to keep it up to date: a loop that was only just told to end must
    /// not be shown as active ever after.
    pub(crate) fn ended(self) -> Self {
        match self.state {
            State::Failed | State::Shutdown => self,
            State::Disconnected | State::Connecting | State::Registered | State::Active => Self {
                state: State::Shutdown,
                since: Duration::ZERO,
                reason: Some(Reason::WorkerStopping),
                next_attempt: None,
                missed: 0,
                running: 0,
                free_slots: 0,
                suspected: false,
                heartbeat_interval: None,
                ..self
            },
        }
    }

    /// Before the worker runs.
    pub(crate) fn before() -> Self {
        Self {
            state: State::Disconnected,
            since: Duration::ZERO,
            reason: None,
            attempts: 0,
            next_attempt: None,
            rtt: None,
            missed: 0,
            last_contact: None,
            draining: false,
            stability: 0.0,
            recent_stability: 0.0,
            rtt_mean: None,
            rtt_p50: None,
            rtt_p99: None,
            jitter: None,
            dials: 0,
            successes: 0,
            success_rate: None,
            connected_time: Duration::ZERO,
            disconnected_time: Duration::ZERO,
            outage_count: 0,
            degraded: Degraded::NOT,
            suspected: false,
            heartbeat_interval: None,
            running: 0,
            free_slots: 0,
            kept_results: 0,
            statistics: None,
        }
    }
}

impl From<WorkerStatus> for LinkStatus {
    fn from(status: WorkerStatus) -> Self {
        let WorkerStatus { link, statistics, free_slots, running, kept_results, at, .. } = status;
        let trips = statistics.round_trips();
        let ratio = |ppm: u32| f64::from(ppm) / 1e6;
        Self {
            state: link.state,
            since: at.since(link.since),
            reason: link.reason,
            attempts: link.attempts,
            next_attempt: link.next_attempt.map(|next| next.since(at)),
            rtt: link.rtt,
            missed: link.missed,
            last_contact: link.last_received.map(|last| at.since(last)),
            draining: link.draining,
            stability: ratio(statistics.stability_ppm(at)),
            recent_stability: ratio(statistics.recent_stability_ppm(at)),
            rtt_mean: trips.map(|trips| trips.mean),
            rtt_p50: trips.map(|trips| trips.p50),
            rtt_p99: trips.map(|trips| trips.p99),
            jitter: trips.map(|trips| trips.deviation),
            dials: statistics.dials(),
            successes: statistics.successes(),
            success_rate: statistics.success_ppm().map(ratio),
            connected_time: statistics.connected(at),
            disconnected_time: statistics.disconnected(at),
            outage_count: statistics.outages_count(),
            degraded: link.degraded,
            suspected: link.suspected,
            heartbeat_interval: link.interval,
            running,
            free_slots,
            kept_results,
            statistics: Some((statistics, at)),
        }
    }
}
