//! A worker's log: what its node says, with what the driver knows beside it.

mod elsewhere;
pub(crate) mod journal;
mod tasks;

use std::time::Duration;

use moorline_link::{
    Degraded, Epoch, Instant, LinkSnapshot, LinkStatistics, Reason, State, Transition,
};
use moorline_node::{Name, WorkerEvent};
use moorline_transport::Endpoint;
use tracing::{debug, error, info, warn};

use super::{Code, Key, REPEAT_EVERY, Session, Time, millis, plural};

/// A connection that stood this long was stable: that it ends is no warning yet, for it may be back
/// at the first try (a rolling restart, a proxy that limits the life of connections).
const STABLE: Duration = Duration::from_secs(30);

/// Parts per million as a ratio.
fn ratio(ppm: u32) -> f64 {
    f64::from(ppm) / 1e6
}

/// Writes a worker's log. It remembers what a line needs of earlier events, and decides nothing.
pub(crate) struct WorkerLog {
    worker: Name,
    handlers: Vec<Name>,
    /// Session and epoch of the last registration, as they are written. An epoch may be larger than
    /// the numbers that every reader of JSON can hold.
    registered: Option<(String, String)>,
    /// It was active before: from then on a dial is a *re*connection.
    was_active: bool,
    /// Since when it is active.
    up: Option<Instant>,
    down: Option<Down>,
    repeat_every: Duration,
    missed: u8,
    hint: String,
}

/// A time without an active link.
struct Down {
    since: Instant,
    /// Why the link was lost; `None` before it was there for the first time.
    reason: Option<Reason>,
    /// Why the last dial failed.
    last: Option<Reason>,
    failed: u32,
    announced: bool,
    /// The loss was said so softly that a first failure has to say it louder.
    soft: bool,
    /// The last thing a coordinator said about a refusal in this outage.
    dismissed: Option<Reason>,
    next_summary: Instant,
}

impl Down {
    fn new(now: Instant, reason: Option<Reason>, repeat_every: Duration) -> Self {
        let next_summary = now + repeat_every;
        Self {
            since: now,
            reason,
            last: None,
            failed: 0,
            announced: false,
            soft: false,
            dismissed: None,
            next_summary,
        }
    }
}

impl WorkerLog {
    pub(crate) fn new(worker: Name, handlers: Vec<Name>, now: Instant) -> Self {
        Self {
            worker,
            handlers,
            registered: None,
            was_active: false,
            up: None,
            down: Some(Down::new(now, None, REPEAT_EVERY)),
            repeat_every: REPEAT_EVERY,
            missed: 0,
            hint: String::new(),
        }
    }

    fn session(&self) -> Option<&str> {
        self.registered.as_ref().map(|(session, _)| session.as_str())
    }

    fn epoch(&self) -> Option<&str> {
        self.registered.as_ref().map(|(_, epoch)| epoch.as_str())
    }

    /// An outage is summed up this often from now on, at least a millisecond apart.
    pub(crate) fn repeat_every(&mut self, now: Instant, every: Duration) {
        self.repeat_every = every.max(Duration::from_millis(1));
        if let Some(down) = &mut self.down {
            down.next_summary = (down.since + self.repeat_every).max(now);
        }
    }

    /// What the coordinator said last about a refusal.
    pub(crate) fn hint(&self) -> Option<&str> {
        Some(self.hint.as_str()).filter(|hint| !hint.is_empty())
    }

    /// When the next summary of an outage is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.down.as_ref().map(|down| down.next_summary)
    }

    /// A dial begins.
    pub(crate) fn dials(&self, attempt: u32) {
        debug!(
            event = "link.dial", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), attempts = attempt,
            "Connection attempt {attempt}"
        );
    }

    /// Something the node finds worth a line.
    pub(crate) fn event(
        &mut self,
        now: Instant,
        event: &WorkerEvent,
        link: &LinkSnapshot,
        statistics: &LinkStatistics,
        coordinator: Option<&Endpoint>,
    ) {
        match event {
            WorkerEvent::Link(transition) => self.link(now, *transition, link),
            WorkerEvent::Registered { resumed, held, epoch, session, coordinator: software } => {
                let session = Session(Epoch(*epoch), *session).to_string();
                self.registered = Some((session.clone(), epoch.to_string()));
                let at = coordinator.map_or_else(|| "?".to_owned(), ToString::to_string);
                let kind = if *resumed { "resumed" } else { "new" };
                info!(
                    event = "worker.registered", role = "worker", worker = %self.worker,
                    session = self.session(), epoch = self.epoch(),
                    remote = at, kind, coordinator = %software,
                    "Worker '{}' registered successfully with coordinator at {at} (session {session}, epoch {epoch}, {kind})",
                    self.worker
                );
                if *resumed {
                    info!(
                        event = "worker.resumed", role = "worker", worker = %self.worker,
                        session = self.session(), epoch = self.epoch(), held,
                        "Session resumed: {held} attempt{} held", plural(u64::from(*held))
                    );
                }
                self.announce_handlers();
            }
            WorkerEvent::Dismissed { reason, hint } => self.dismissed(*reason, hint),
            WorkerEvent::BeatMissed { missed, limit, reason } => {
                self.missed(*missed, *limit, *reason)
            }
            WorkerEvent::BeatRecovered => {
                self.missed = 0;
                info!(
                    event = "heartbeat.recovered", role = "worker", worker = %self.worker,
                    session = self.session(), epoch = self.epoch(),
                    "Heartbeat recovered, connection stable"
                );
            }
            WorkerEvent::CandidateLost { conn: _, reason } => warn!(
                event = "link.candidate_lost", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(),
                reason = %reason, code = %Code(*reason),
                "Second connection failed: {reason} ({}); the first one stays", Code(*reason)
            ),
            WorkerEvent::Told { endpoints } => self.told(endpoints),
            WorkerEvent::Redirected { to } => self.redirected(to),
            WorkerEvent::RedirectIgnored { followed } => self.redirect_ignored(*followed),
            WorkerEvent::RedirectFailed { reason } => self.redirect_failed(*reason),
            WorkerEvent::Stalled { late } => warn!(
                event = "clock.jump", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), late_ms = millis(*late),
                "Clock jumped {}: treating as suspend", Time(*late)
            ),
            WorkerEvent::ResultKept { key } => info!(
                event = "task.result_cached", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(),
                task = %super::Task(key.task), attempt = key.attempt.0,
                "Result of {} kept until reconnect", Key(*key)
            ),
            WorkerEvent::Settled { key, disposition, resubmitted } => {
                let disposition = disposition.name();
                if *resubmitted {
                    info!(
                        event = "task.result_resubmitted", role = "worker", worker = %self.worker,
                        session = self.session(), epoch = self.epoch(),
                        task = %super::Task(key.task), attempt = key.attempt.0, disposition,
                        "Result of {} resubmitted: {disposition}", Key(*key)
                    );
                } else {
                    debug!(
                        event = "task.result_settled", role = "worker", worker = %self.worker,
                        session = self.session(), epoch = self.epoch(),
                        task = %super::Task(key.task), attempt = key.attempt.0, disposition,
                        "Result of {}: {disposition}", Key(*key)
                    );
                }
            }
            WorkerEvent::HandedBack { key } => info!(
                event = "task.handed_back", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(),
                task = %super::Task(key.task), attempt = key.attempt.0,
                "Handed {} back: the time to finish it is over", Key(*key)
            ),
            WorkerEvent::Suspicion { suspect, silent } => self.suspicion(*suspect, *silent),
            WorkerEvent::Interval { interval } => debug!(
                event = "heartbeat.interval", role = "worker", worker = %self.worker,
                interval_ms = millis(*interval),
                "Heartbeats every {} from now on", Time(*interval)
            ),
            WorkerEvent::Degraded(degraded) => self.degraded(now, *degraded, statistics),
            // The loop knows what is held: see `leases_expired`.
            WorkerEvent::LeasesExpired => {}
            // Newer than this driver: rather a plain line than none.
            other => debug!(
                event = "worker.event", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), "{other:?}"
            ),
        }
    }

    /// That an active link ends is said by the line of its loss; a refusal is said once an outage.
    fn dismissed(&mut self, reason: Reason, hint: &str) {
        hint.clone_into(&mut self.hint);
        let before = self.down.as_mut().map(|down| down.dismissed.replace(reason));
        let code = Code(reason);
        match before {
            Some(before) if before != Some(reason) => warn!(
                event = "link.dismissed", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason, %code,
                "Coordinator refuses the connection: {reason} ({code}). {hint}"
            ),
            Some(_) => debug!(
                event = "link.dismissed", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason, %code,
                "Coordinator still refuses the connection: {reason} ({code}). {hint}"
            ),
            None => info!(
                event = "link.dismissed", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason, %code,
                "Coordinator ends the connection: {reason} ({code}). {hint}"
            ),
        }
    }

    fn suspicion(&self, suspect: bool, silent: Duration) {
        let silent_ms = millis(silent);
        if suspect {
            warn!(
                event = "link.suspect", role = "worker", worker = %self.worker, silent_ms,
                "Coordinator is suspected: nothing heard for {}", Time(silent)
            );
        } else {
            info!(
                event = "link.trusted", role = "worker", worker = %self.worker, silent_ms,
                "Coordinator is heard again after {}", Time(silent)
            );
        }
    }

    fn degraded(&self, now: Instant, degraded: Degraded, statistics: &LinkStatistics) {
        let stability = ratio(statistics.recent_stability_ppm(now));
        let rtt = statistics.round_trips().map_or(Duration::ZERO, |trips| trips.smoothed);
        let rtt_ms = millis(rtt);
        if degraded.is_degraded() {
            let causes = degraded.causes().collect::<Vec<_>>().join(", ");
            warn!(
                event = "link.degraded", role = "worker", worker = %self.worker, causes, stability, rtt_ms,
                "Link degraded ({causes}): rtt {rtt_ms} ms, stability {stability:.2}"
            );
        } else {
            info!(
                event = "link.ok", role = "worker", worker = %self.worker, stability, rtt_ms,
                "Link is good again: rtt {rtt_ms} ms, stability {stability:.2}"
            );
        }
    }

    fn missed(&mut self, missed: u8, limit: u8, reason: Reason) {
        self.missed = missed;
        // Work is pushed into free slots: that the coordinator does not know of them is what a poll
        // that fails was elsewhere.
        let (event, what) = if reason == Reason::OutOfStep {
            ("poll.missed", "Poll")
        } else {
            ("heartbeat.missed", "Heartbeat")
        };
        warn!(
            event, role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), reason = %reason, code = %Code(reason), missed, limit,
            "{what} failed ({missed}/{limit}): {reason}"
        );
    }

    fn announce_handlers(&self) {
        let names: Vec<_> = self.handlers.iter().map(Name::as_str).collect();
        let count = names.len();
        info!(
            event = "handlers.announced", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), handlers = count,
            "Announced {count} handler{}: {}", plural(count as u64), names.join(", ")
        );
    }

    fn link(&mut self, now: Instant, transition: Transition, link: &LinkSnapshot) {
        let Transition { from, to, reason } = transition;
        let up = if to == State::Active { None } else { self.up.take() };
        match to {
            State::Active => self.active(now),
            State::Disconnected => {
                match (from, reason) {
                    (State::Connecting, Some(reason)) => self.attempt_failed(now, link, reason),
                    (State::Registered | State::Active, Some(reason)) => {
                        let stable = up.is_some_and(|up| now.since(up) >= STABLE);
                        self.lost(now, reason, stable);
                    }
                    // From the start, by a restart: nothing was lost.
                    (State::Disconnected | State::Failed | State::Shutdown, _) | (_, None) => {}
                }
                self.backoff(link);
            }
            State::Failed => self.failed(now, reason, link),
            State::Shutdown => info!(
                event = "shutdown.end", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(),
                "Worker '{}' stopped", self.worker
            ),
            State::Connecting | State::Registered => self.up = up,
        }
    }

    fn active(&mut self, now: Instant) {
        if let Some(Down { since, reason, failed, .. }) = self.down.take() {
            // Those of this outage: the link's own number goes on from one that ended just before.
            let (outage, attempts) = (now.since(since), failed.saturating_add(1));
            match reason {
                Some(reason) => info!(
                    event = "link.restored", role = "worker", worker = %self.worker,
                    session = self.session(), epoch = self.epoch(), reason = %reason,
                    code = %Code(reason), attempts, outage_ms = millis(outage),
                    "Reconnected successfully after {attempts} attempts (outage {}, {reason})",
                    Time(outage)
                ),
                None if failed > 0 => info!(
                    event = "link.connected", role = "worker", worker = %self.worker,
                    session = self.session(), epoch = self.epoch(), attempts,
                    outage_ms = millis(outage),
                    "Connected after {attempts} attempts ({} since the start)", Time(outage)
                ),
                None => {}
            }
        }
        self.up.get_or_insert(now);
        self.was_active = true;
        self.missed = 0;
        self.hint.clear();
        debug!(event = "poll.idle", role = "worker", worker = %self.worker,
        session = self.session(), epoch = self.epoch(), "Waiting for tasks");
    }

    fn lost(&mut self, now: Instant, reason: Reason, stable: bool) {
        let code = Code(reason);
        let missed = self.missed;
        let why = if missed > 0 {
            let what = if reason == Reason::OutOfStep { "polls" } else { "heartbeats" };
            format!(" after {missed} failed {what}: {reason}")
        } else {
            format!(": {reason} ({code})")
        };
        // A link that is lost before it was active belongs to the outage that goes on.
        let again = self.down.as_ref().is_some_and(|down| down.reason.is_some() || down.failed > 0);
        if again {
            debug!(
                event = "link.lost", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason, %code, missed,
                "Lost connection to coordinator{why}. Reconnecting..."
            );
        } else if stable {
            info!(
                event = "link.lost", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason, %code, missed,
                "Lost connection to coordinator{why}. Reconnecting..."
            );
        } else {
            warn!(
                event = "link.lost", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason, %code, missed,
                "Lost connection to coordinator{why}. Reconnecting..."
            );
        }
        self.missed = 0;
        match &mut self.down {
            Some(down) => {
                down.last = Some(reason);
                down.failed = down.failed.saturating_add(1);
            }
            None => {
                let down = Down::new(now, Some(reason), self.repeat_every);
                self.down = Some(Down { soft: stable, ..down });
            }
        }
    }

    fn attempt_failed(&mut self, now: Instant, link: &LinkSnapshot, reason: Reason) {
        let attempt = link.attempts;
        let mut louder = false;
        if let Some(down) = &mut self.down {
            down.last = Some(reason);
            down.failed = down.failed.saturating_add(1);
            louder = std::mem::take(&mut down.soft);
        }
        debug!(
            event = "link.attempt_failed", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), reason = %reason,
            code = %Code(reason), attempts = attempt,
            "Connection attempt {attempt} failed: {reason}"
        );
        if louder {
            self.still_down(now, link);
        }
    }

    fn backoff(&mut self, link: &LinkSnapshot) {
        let Some(delay) = link.delay else { return };
        let attempt = link.attempts.saturating_add(1);
        let what = if self.was_active { "Reconnection" } else { "Connection" };
        let seconds = delay.as_secs_f64();
        let first = match &mut self.down {
            Some(down) => !std::mem::replace(&mut down.announced, true),
            None => true,
        };
        // The first one of an outage, then only who asks for it sees them all (P104).
        macro_rules! say {
            ($level:ident) => {
                $level!(
                    event = "link.backoff", role = "worker", worker = %self.worker,
                    session = self.session(), epoch = self.epoch(), attempts = attempt,
                    delay_ms = millis(delay), seed = link.backoff_seed, put_off = link.put_off,
                    window_ms = link.drawn_with.window.map(millis),
                    lasted_ms = millis(link.drawn_with.lasted),
                    "{what} attempt {attempt} in {seconds:.1}s"
                )
            };
        }
        if first { say!(info) } else { say!(debug) }
    }

    fn failed(&mut self, now: Instant, reason: Option<Reason>, link: &LinkSnapshot) {
        let reason = reason.unwrap_or(Reason::DeadlineExceeded);
        let code = Code(reason);
        let attempts = link.attempts;
        let last = self.down.as_ref().and_then(|down| down.last);
        let outage = self.down.as_ref().map_or(Duration::ZERO, |down| now.since(down.since));
        if reason == Reason::AttemptsExhausted {
            error!(
                event = "link.gave_up", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason,
                code = %code, attempts, outage_ms = millis(outage), last = last.map(Reason::name),
                "Max reconnection attempts ({attempts}) reached, stopping worker"
            );
        } else if reason == Reason::DeadlineExceeded {
            error!(
                event = "link.gave_up", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason,
                code = %code, attempts, outage_ms = millis(outage),
                "Auto-reconnect disabled, or its time is over: stopping worker ({reason}, {code})"
            );
        } else {
            let hint = self.hint().unwrap_or(reason.remedy());
            error!(
                event = "link.rejected", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(), reason = %reason, code = %code,
                "Coordinator refused this worker: {reason} ({code}). {hint}"
            );
        }
        self.down = None;
    }

    /// Sums an outage up, if that is due.
    pub(crate) fn tick(&mut self, now: Instant, link: &LinkSnapshot) {
        if self.down.as_ref().is_some_and(|down| down.next_summary <= now) {
            self.still_down(now, link);
        }
    }

    fn still_down(&mut self, now: Instant, link: &LinkSnapshot) {
        let Some(down) = &mut self.down else { return };
        down.next_summary = now + self.repeat_every;
        down.soft = false;
        let (outage, failed) = (now.since(down.since), down.failed);
        let last = down.last.or(down.reason);
        let next = link
            .next_attempt
            .map_or_else(|| "under way".to_owned(), |at| format!("in {}", Time(at.since(now))));
        let name = last.map_or("none yet", Reason::name);
        warn!(
            event = "link.still_down", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), reason = last.map(Reason::name),
            code = last.map(|last| Code(last).to_string()), attempts = failed, outage_ms = millis(outage),
            "Still disconnected after {}: {failed} attempt{}, last {name}, next {next}",
            Time(outage), plural(u64::from(failed))
        );
    }

    pub(crate) fn undecodable(&self, error: &moorline_wire::DecodeError) {
        warn!(
            event = "link.undecodable", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(),
            reason = %Reason::ProtocolError, code = %Code(Reason::ProtocolError),
            "The coordinator sent what is no packet: {error}"
        );
    }

    pub(crate) fn stopping(&self, running: usize, within: Duration) {
        info!(
            event = "shutdown.begin", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), running,
            "Stopping: {running} task{} running, waiting up to {}", plural(running as u64), Time(within)
        );
    }
}

#[cfg(test)]
mod tests;
