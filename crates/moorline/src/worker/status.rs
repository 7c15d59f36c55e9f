//! What a worker's link looks like, for people and programs.

use std::time::Duration;

use moorline_driver::WorkerStatus;
use moorline_link::{Reason, State};

/// What a worker's link looks like at one moment. All durations count from that moment.
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    /// Attempts that run.
    pub running: u32,
    /// Attempts it could start now.
    pub free_slots: u16,
    /// Results that are kept until the coordinator has answered them.
    pub kept_results: u32,
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
            running: 0,
            free_slots: 0,
            kept_results: 0,
        }
    }
}

impl From<WorkerStatus> for LinkStatus {
    fn from(status: WorkerStatus) -> Self {
        let WorkerStatus { link, free_slots, running, kept_results, at, .. } = status;
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
            running,
            free_slots,
            kept_results,
        }
    }
}
