//! Leaving on purpose: drain, goodbye, end. Bounded in time, in every state (P12, P47, P56).

use core::time::Duration;

use super::{Link, LinkVerdict};
use crate::{Instant, LinkEvent, Outbox, Reason, State, Timer};

impl Link {
    pub(super) fn on_stop(&mut self, now: Instant, within: Duration) -> LinkVerdict {
        if self.state == State::Shutdown {
            return LinkVerdict::Accepted;
        }
        let end = now + within;
        if !self.draining {
            self.draining = true;
            self.timers.arm(Timer::Drain, end);
            // The coordinator learns it from the next beat: let that be now.
            self.request_beat(now);
        } else if !self.hands_back
            && self.timers.deadline(Timer::Drain).is_none_or(|drain| end < drain)
        {
            self.timers.arm(Timer::Drain, end);
        }
        LinkVerdict::Accepted
    }

    /// Something runs, is not answered, or is still on its way.
    fn owes(&self) -> bool {
        (self.report.owes && !cfg!(moorline_planted = "SAFE-14")) || !self.lanes_are_idle()
    }

    fn lanes_are_idle(&self) -> bool {
        let attachment = self.attachment.as_ref();
        attachment.is_none_or(|a| a.outboxes.iter().all(Outbox::is_idle))
    }

    /// The goodbye is due. What is on its way is never overtaken by it.
    pub(super) fn is_leaving(&self) -> bool {
        self.draining && !self.owes()
    }

    /// What is not finished by now goes back to the queue: the goodbye says so, if there is somebody
    /// to say it to, as soon as it has stopped: it may start elsewhere from then on.
    pub(super) fn drain_is_over(&mut self, now: Instant) {
        if self.connection.is_some() {
            self.hands_back = true;
            self.notices.hand_back();
        } else {
            self.shut_down(now);
        }
    }

    /// Says goodbye, or ends, as soon as nothing is owed or waited for.
    pub(super) fn settle_drain(&mut self, now: Instant) {
        if !self.draining || self.state == State::Shutdown {
            return;
        }
        if self.owes() && !self.hands_back {
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
        self.forget_wish();
        self.enter(now, LinkEvent::Stopped, Some(Reason::WorkerStopping));
        self.statistics.ended(now);
        for timer in Timer::ALL {
            self.timers.disarm(*timer);
        }
    }
}
