//! Leaving on purpose: drain, goodbye, end. Bounded in time, in every state (P12, P47, P56).

use core::time::Duration;

use super::{Link, LinkVerdict};
use crate::{Instant, LinkEvent, Reason, State, Timer};

impl Link {
    pub(super) fn on_stop(&mut self, now: Instant, within: Duration) -> LinkVerdict {
        if self.state != State::Shutdown && !self.draining {
            self.draining = true;
            self.timers.arm(Timer::Drain, now + within);
            // The coordinator learns it from the next beat: let that be now.
            self.request_beat(now);
        }
        LinkVerdict::Accepted
    }

    /// Something runs, is not answered, or is still on its way.
    pub(super) fn owes(&self) -> bool {
        self.report.owes
            || self
                .attachment
                .as_ref()
                .is_some_and(|a| a.outboxes.iter().any(|outbox| !outbox.is_idle()))
    }

    /// Says goodbye, or ends, as soon as nothing is owed.
    pub(super) fn settle_drain(&mut self, now: Instant) {
        if !self.draining || self.state == State::Shutdown {
            return;
        }
        if self.owes() {
            self.timers.disarm(Timer::Goodbye);
        } else if self.connection.is_some() {
            if !self.timers.is_armed(Timer::Goodbye) {
                self.timers.arm(Timer::Goodbye, now + self.config.timeouts.goodbye);
            }
        } else {
            match self.state {
                // The session is moving; the Welcome is under way.
                State::Registered | State::Active => {}
                State::Disconnected | State::Connecting | State::Failed | State::Shutdown => {
                    self.shut_down(now);
                }
            }
        }
    }

    /// Ends, and stays ended.
    pub(super) fn shut_down(&mut self, now: Instant) {
        self.close_connection(Reason::WorkerStopping);
        self.close_candidate(Reason::WorkerStopping);
        self.attachment = None;
        self.enter(now, LinkEvent::Stopped, Some(Reason::WorkerStopping));
        for timer in Timer::ALL {
            self.timers.disarm(*timer);
        }
    }
}
