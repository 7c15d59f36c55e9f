//! Losing a connection, and when to dial again: one flight, one backoff, one place that decides.

use core::mem;
use core::time::Duration;

use super::wish::not_before;
use super::{Candidate, Kick, Link, LinkRejection, LinkVerdict};
use crate::backoff::mix;
use crate::{
    ComeBack, ConnId, Dismissal, Instant, LinkEvent, Reason, Reconnect, Retry, Spread, State,
    Ticket, Timer,
};

/// Kicks are accepted at most this often (P06).
const KICK_SPACING: Duration = Duration::from_secs(1);

/// Where the backoff stands. It starts again only after a stable connection (P04).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Attempts {
    /// Dials since the last stable connection.
    pub(super) made: u32,
    /// Those of them that a coordinator answered with a slot: it is there and well, so they do not let
    /// the delays grow.
    pub(super) put_off: u32,
    /// The delay drawn before the next or the last dial.
    pub(super) delay: Duration,
    /// The delay drawn before that one: what decorrelated jitter reads.
    pub(super) previous: Duration,
    /// Not active since then.
    down_since: Option<Instant>,
    /// How long it has not been active since the last stable connection, without the time that goes on.
    down: Duration,
    /// What was known when the last delay was drawn.
    pub(super) spread: Spread,
    /// Stable connections so far: each outage draws its own delays.
    round: u64,
    /// The slot the coordinator reserved: shown in the next Hello, once.
    pub(super) ticket: Option<Ticket>,
    /// A refused credential was renewed.
    renewed: bool,
    last_dial: Option<Instant>,
    last_kick: Option<Instant>,
    /// The time allowed for reconnecting ends here.
    give_up_at: Option<Instant>,
}

impl Attempts {
    pub(super) fn new(reconnect: &Reconnect) -> Self {
        let initial = reconnect.backoff.initial_delay();
        Self {
            made: 0,
            put_off: 0,
            delay: initial,
            previous: initial,
            down_since: None,
            down: Duration::ZERO,
            spread: Spread::default(),
            round: 0,
            ticket: None,
            renewed: false,
            last_dial: None,
            last_kick: None,
            give_up_at: None,
        }
    }

    pub(super) fn reset(&mut self, reconnect: &Reconnect) {
        self.made = 0;
        self.put_off = 0;
        self.delay = reconnect.backoff.initial_delay();
        self.previous = self.delay;
        self.down_since = None;
        self.down = Duration::ZERO;
        self.round += 1;
        self.renewed = false;
        self.give_up_at = None;
    }

    /// The seed of this outage's delays.
    pub(super) fn seed(&self, seed: u64) -> u64 {
        mix(seed ^ self.round)
    }

    pub(super) const KICK_SPACING: Duration = KICK_SPACING;

    pub(super) const fn last_dial(&self) -> Option<Instant> {
        self.last_dial
    }

    pub(super) const fn last_kick(&self) -> Option<Instant> {
        self.last_kick
    }

    pub(super) const fn give_up_at(&self) -> Option<Instant> {
        self.give_up_at
    }

    fn exhausted(&self, reconnect: &Reconnect) -> bool {
        reconnect.max_attempts > 0 && self.made >= reconnect.max_attempts
    }

    /// How long it has not been active since the last stable connection.
    pub(super) fn down(&self, now: Instant) -> Duration {
        let goes_on = self.down_since.map_or(Duration::ZERO, |since| now.since(since));
        self.down.saturating_add(goes_on)
    }

    /// It is active.
    pub(super) fn end_outage(&mut self, now: Instant) {
        self.down = self.down(now);
        self.down_since = None;
    }

    /// The number that the next delay is drawn by.
    pub(super) fn next(&self) -> u32 {
        self.made.saturating_sub(self.put_off).saturating_add(1)
    }
}

impl Link {
    /// The clock of `give_up_after` runs from the start of an outage, and on through connections
    /// that were not stable.
    pub(super) fn begin_outage(&mut self, now: Instant) {
        self.attempts.down_since.get_or_insert(now);
        if let Some(limit) = self.config.reconnect.give_up_after {
            let end = *self.attempts.give_up_at.get_or_insert(now + limit);
            self.timers.arm(Timer::GiveUp, end);
        }
    }

    /// The connection, or the candidate that stood for it, is gone.
    pub(super) fn lose(
        &mut self,
        now: Instant,
        event: LinkEvent,
        reason: Reason,
        come_back: ComeBack,
    ) {
        let dismissal = Dismissal { reason, come_back };
        if dismissal.is_final() {
            self.fail(now, LinkEvent::RefusedForGood, reason);
            return;
        }
        self.enter(now, event, Some(reason));
        if self.candidate.is_some() {
            self.candidate_takes_over(now);
            return;
        }
        if !self.config.reconnect.auto {
            self.fail(now, LinkEvent::GivenUp, Reason::DeadlineExceeded);
        } else if self.attempts.exhausted(&self.config.reconnect) {
            self.fail(now, LinkEvent::GivenUp, Reason::AttemptsExhausted);
        } else {
            self.plan(now, reason, come_back);
        }
    }

    /// What was dialled beside the lost connection now counts as the dial of this outage.
    fn candidate_takes_over(&mut self, now: Instant) {
        self.attempts.made = self.attempts.made.saturating_add(1);
        self.enter(now, LinkEvent::CandidateLeft, None);
    }

    pub(super) fn plan_first(&mut self, now: Instant) {
        let seed = self.attempts.seed(self.seed);
        let delay = self.config.reconnect.backoff.first_delay(seed, self.first_window());
        self.wait(now, delay);
    }

    fn plan(&mut self, now: Instant, reason: Reason, come_back: ComeBack) {
        let lasted = self.attempts.down(now);
        self.attempts.spread = Spread { window: self.first_window(), lasted };
        let reconnect = &self.config.reconnect;
        let backoff = &reconnect.backoff;
        let seed = self.attempts.seed(self.seed);
        let next = self.attempts.next();
        // A fresh credential helps once, if at all.
        let again =
            reason.retry() == Retry::Renew && mem::replace(&mut self.attempts.renewed, true);
        let retry = if again { Retry::Slow } else { reason.retry() };
        let delay = match (come_back, retry) {
            // A coordinator may ask for patience, but cannot park a worker (P84).
            // Our own spacing holds even where it is longer than any hint we would follow.
            (ComeBack::After(after) | ComeBack::Slot { after, .. }, _) => {
                after.min(reconnect.longest_hint()).max(reconnect.min_spacing)
            }
            (ComeBack::ByReason | ComeBack::Never, Retry::Slow | Retry::Never) => {
                backoff.slow_delay(seed, next)
            }
            // Many may have lost theirs at once.
            (ComeBack::ByReason | ComeBack::Never, Retry::Backoff | Retry::Renew) if next == 1 => {
                backoff.first_delay(seed, self.first_window())
            }
            // The dial that was refused was spread already.
            (ComeBack::ByReason | ComeBack::Never, Retry::Renew) => Duration::ZERO,
            (ComeBack::ByReason | ComeBack::Never, Retry::Backoff) => {
                backoff.delay_with(self.attempts.spread, seed, next, self.attempts.delay)
            }
        };
        if let ComeBack::Slot { ticket, .. } = come_back {
            self.attempts.ticket = Some(ticket);
            self.attempts.put_off = self.attempts.put_off.saturating_add(1);
        }
        self.wait(now, delay);
    }

    fn wait(&mut self, now: Instant, delay: Duration) {
        self.attempts.previous = mem::replace(&mut self.attempts.delay, delay);
        #[cfg(moorline_planted = "LIVE-1")]
        if self.attempts.made == 2 {
            return;
        }
        self.timers.arm(Timer::Retry, (now + delay).max(self.earliest_dial(now)));
    }

    /// The coordinator's hint for the first dial, within our own bounds.
    pub(super) fn first_window(&self) -> Option<Duration> {
        let hint = self.attachment.as_ref()?.terms.first_window?;
        Some(hint.min(self.config.reconnect.max_first_window))
    }

    /// Two dials keep their distance, whatever asked for them (P07).
    fn earliest_dial(&self, now: Instant) -> Instant {
        let spacing = self.config.reconnect.min_spacing;
        self.attempts.last_dial.map_or(now, |last| (last + spacing).max(now))
    }

    /// From `Disconnected`: dials now. There is no other dial in flight (P10).
    pub(super) fn dial(&mut self, now: Instant, event: LinkEvent) {
        self.timers.disarm(Timer::Retry);
        self.attempts.made = self.attempts.made.saturating_add(1);
        self.start_candidate(now, self.attempts.made);
        self.enter(now, event, None);
    }

    fn start_candidate(&mut self, now: Instant, attempt: u32) {
        self.last_conn = ConnId(self.last_conn.0 + 1);
        self.attempts.last_dial = Some(now);
        self.forgiven = 0;
        self.statistics.dialled();
        self.candidate = Some(Candidate::new(self.last_conn, attempt));
        self.timers.arm(Timer::Connect, now + self.config.timeouts.connect);
    }

    pub(super) fn on_kick(&mut self, now: Instant, kick: Kick) -> LinkVerdict {
        match self.state {
            State::Disconnected => {
                let kicked = self.attempts.last_kick.map_or(now, |last| last + KICK_SPACING);
                if let Some(later) = not_before(now, kicked.max(self.earliest_dial(now))) {
                    return later;
                }
                self.attempts.last_kick = Some(now);
                self.dial(now, LinkEvent::Kicked);
                LinkVerdict::Accepted
            }
            // A dial is under way already.
            State::Connecting => LinkVerdict::Accepted,
            State::Registered | State::Active => {
                match kick {
                    // Find out soon whether the connection survived.
                    Kick::Network => self.request_beat(now),
                    Kick::Operator => {}
                }
                LinkVerdict::Accepted
            }
            State::Failed | State::Shutdown => {
                LinkVerdict::Rejected(LinkRejection::State(self.state))
            }
        }
    }

    pub(super) fn on_reconnect(&mut self, now: Instant) -> LinkVerdict {
        if matches!(self.state, State::Failed | State::Shutdown) {
            return LinkVerdict::Rejected(LinkRejection::State(self.state));
        }
        if let Some(later) = not_before(now, self.earliest_dial(now)) {
            // Several that ask at once get one dial: the one that has just begun is what is asked for
            // (P10).
            return match self.state {
                State::Connecting => LinkVerdict::Accepted,
                State::Disconnected
                | State::Registered
                | State::Active
                | State::Failed
                | State::Shutdown => later,
            };
        }
        let had_connection = self.connection.is_some();
        self.close_connection(Reason::Forced);
        if !had_connection {
            self.close_candidate(Reason::Forced);
        }
        if self.state != State::Disconnected {
            self.enter(now, LinkEvent::Forced, Some(Reason::Forced));
        }
        if self.candidate.is_some() {
            self.candidate_takes_over(now);
        } else if self.attempts.exhausted(&self.config.reconnect) {
            self.fail(now, LinkEvent::GivenUp, Reason::AttemptsExhausted);
        } else {
            self.dial(now, LinkEvent::Forced);
        }
        LinkVerdict::Accepted
    }

    pub(super) fn on_migrate(&mut self, now: Instant) -> LinkVerdict {
        if self.connection.is_none() {
            return LinkVerdict::Rejected(LinkRejection::State(self.state));
        }
        if self.candidate.is_none() {
            if let Some(later) = not_before(now, self.earliest_dial(now)) {
                return later;
            }
            // It does not count as an attempt unless the connection is lost meanwhile.
            self.start_candidate(now, self.attempts.made.saturating_add(1));
        }
        LinkVerdict::Accepted
    }

    pub(super) fn on_restart(&mut self, now: Instant) -> LinkVerdict {
        if self.state != State::Failed {
            return LinkVerdict::Rejected(LinkRejection::State(self.state));
        }
        self.attempts.reset(&self.config.reconnect);
        self.enter(now, LinkEvent::Restarted, None);
        self.begin_outage(now);
        self.wait(now, Duration::ZERO);
        LinkVerdict::Accepted
    }
}
