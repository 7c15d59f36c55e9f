//! Leaving on purpose: a lame duck, a stop, and what workers are told of when to come back.

use alloc::vec::Vec;
use core::time::Duration;

use super::Hub;
use crate::{ComeBack, ConnId, Dismissal, Instant, Reason, WorkerId};

/// Who is sent away without being told when to come back waits for so long, spread.
const COME_BACK_MIN: Duration = Duration::from_secs(1);

/// Whether workers may come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Serving {
    Open,
    /// Nobody comes in any more, and those who are here are sent away one after the other.
    LameDuck {
        /// The last one has been told by then.
        ends: Instant,
        /// Over how long the fleet comes back.
        window: Duration,
    },
    /// Connections are closed.
    Stopped {
        /// Over how long the fleet comes back.
        window: Duration,
    },
}

impl Hub {
    /// Nobody comes in any more: a lame duck or a stop.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.serving != Serving::Open
    }

    /// Sessions that have a connection. For a lame duck zero means that all have left.
    #[must_use]
    pub fn attached(&self) -> usize {
        self.index.0.attached
    }

    /// Sends everybody away, within `spread` after `grace` (P86). A second one replaces the first.
    pub(super) fn lame_duck(&mut self, grace: Duration, spread: Duration) {
        if let Serving::Stopped { .. } = self.serving {
            return;
        }
        let now = self.clock.last();
        let window = self.window();
        self.serving = Serving::LameDuck { ends: now + grace + spread, window };
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        for worker in workers {
            let at = now + grace + self.admission.spread(worker, spread);
            if let Some(session) =
                self.workers.get_mut(&worker).and_then(super::Member::session_mut)
            {
                session.evict_at = at;
                self.note_worker(worker);
            }
        }
    }

    /// The time of this worker has come.
    pub(super) fn send_away(&mut self, worker: WorkerId) {
        let reason = Reason::CoordinatorStopping;
        // There may be another coordinator: it looks soon, and whoever refuses it says when again.
        let window = self.window().max(COME_BACK_MIN);
        let come_back = ComeBack::After(self.admission.spread(worker, window));
        self.dismiss_with(worker, Dismissal { reason, come_back });
    }

    /// Closes every connection.
    pub(super) fn stop(&mut self) {
        self.serving = Serving::Stopped { window: self.window() };
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            self.expel(conn, Reason::CoordinatorStopping);
        }
    }

    /// When to come back to a coordinator that is leaving. A fleet is spread whatever its workers
    /// would do by themselves; a few go by their own policies.
    pub(super) fn farewell(&self, worker: WorkerId) -> Dismissal {
        let reason = Reason::CoordinatorStopping;
        let spread = |window| self.admission.spread(worker, window);
        let come_back = match self.serving {
            Serving::Open => ComeBack::ByReason,
            Serving::LameDuck { ends, window } => {
                let rest = ends.since(self.clock.last());
                ComeBack::After(rest + spread(window.max(COME_BACK_MIN)))
            }
            Serving::Stopped { window } if window < COME_BACK_MIN => ComeBack::ByReason,
            Serving::Stopped { window } => ComeBack::After(spread(window)),
        };
        Dismissal { reason, come_back }
    }

    /// Over how long those who are connected now are to come back, here or elsewhere, when they have to:
    /// as long as it takes to register them all, at most 10 min. A lame duck that sends everybody away
    /// within this time is as gentle as it can be.
    #[must_use]
    pub fn window(&self) -> Duration {
        match self.serving {
            Serving::Open => {
                self.config.first_window(self.index.0.attached, self.admission.rate(&self.config))
            }
            Serving::LameDuck { window, .. } | Serving::Stopped { window } => window,
        }
    }
}
