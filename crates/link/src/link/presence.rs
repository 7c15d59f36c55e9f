//! Heartbeats: sent, answered, missed; and what the coordinator believes of us.

use core::hash::{Hash, Hasher};
use core::time::Duration;

use super::pace::Pace;
use super::suspicion::{Arrivals, Suspicion};
use super::{Link, LinkVerdict, Violation};
use crate::backoff::mix;
use crate::canonical::View;
use crate::{Beat, BeatAnswer, ConnId, Flags, Instant, LinkEvent, Reason, Timer};

/// Answers that may be told apart: beats under way at the same time.
const UNDER_WAY: usize = 8;
/// A beat is missed on a good path after four times its p99, but not before this.
const ANSWER_MIN: Duration = Duration::from_secs(1);
/// Disagreements in a row that end a connection.
const DIFFERENCES: u8 = 3;

/// The heartbeats of one connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Beats {
    pub(super) pace: Pace,
    /// Number of the last one written; 0 = none.
    last: u32,
    /// Number of the last one answered; 0 = none.
    answered: u32,
    /// One waits to be written.
    due: bool,
    /// It is one of those that come at the assigned interval.
    regular: bool,
    sent: [Option<Sent>; UNDER_WAY],
    /// The beat that [`Timer::Answer`] judges.
    judged: Option<Asked>,
    /// The beat that decides whether the connection stands, by [`Timer::Probe`].
    pub(super) probe: Option<Probe>,
    pub(super) suspicion: Suspicion,
    pub(super) arrivals: Arrivals,
    /// The last sign of life on this connection.
    pub(super) heard: Instant,
    missed: u8,
    differences: u8,
}

/// A beat that was written and not answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Sent {
    at: Instant,
    beat: Beat,
    /// We were run all the time since: the answer measures the path.
    timed: bool,
    /// It came at the assigned interval.
    regular: bool,
}

/// A beat that must be answered soon.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Probe {
    asked: Asked,
    pub(super) why: Why,
}

/// What a probe is to find out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Why {
    /// Whether the connection survived that we were not run: only the answer says so.
    Stall,
    /// Whether a silent peer lives: any sign of life does.
    Silence,
}

impl Probe {
    pub(super) const fn unwritten(why: Why) -> Self {
        Self { asked: Asked::Unwritten, why }
    }
}

/// A beat that must be answered in time, whether or not it could be written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Asked {
    Unwritten,
    /// This one or a later one must be answered.
    Written(u32),
}

impl Asked {
    /// Whether the answer to beat `seq` is an answer to this.
    fn answered_by(self, seq: u32) -> bool {
        match self {
            Self::Unwritten => false,
            Self::Written(asked) => !is_after(asked, seq),
        }
    }
}

impl Beats {
    /// `interval` is what the coordinator assigned, `shortest` what we would keep at the least,
    /// `silence` the hard timeout.
    pub(super) fn new(
        interval: Duration,
        shortest: Duration,
        silence: Duration,
        now: Instant,
    ) -> Self {
        Self {
            pace: Pace::new(interval, shortest),
            last: 0,
            answered: 0,
            due: false,
            regular: false,
            sent: [None; UNDER_WAY],
            judged: None,
            probe: None,
            suspicion: Suspicion::Calm,
            arrivals: Arrivals::new(interval, silence),
            heard: now,
            missed: 0,
            differences: 0,
        }
    }

    /// The assigned interval: what all deadlines are measured by.
    pub(super) fn interval(&self) -> Duration {
        self.pace.assigned
    }

    pub(super) fn is_suspected(&self) -> bool {
        self.suspicion != Suspicion::Calm
    }

    /// A beat is due, that is not counted if it is missed.
    pub(super) fn ask(&mut self) {
        self.due = true;
    }

    /// Another interval was assigned: arrivals are expected by it from now on. Whether the path is in
    /// doubt stays as it is.
    pub(super) fn assign(&mut self, interval: Duration, shortest: Duration, silence: Duration) {
        self.pace.assign(interval, shortest);
        self.arrivals = Arrivals::new(interval, silence);
    }

    pub(super) fn missed(&self) -> u8 {
        self.missed
    }

    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// After a gap nothing of a backlog is sent before the probe was answered (P78).
    pub(super) fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    pub(super) fn next_seq(&self) -> u32 {
        // Zero is "none yet".
        self.last.wrapping_add(1).max(1)
    }

    fn written(&mut self, now: Instant, beat: Beat) {
        self.last = beat.seq;
        self.due = false;
        let regular = core::mem::take(&mut self.regular);
        let sent = Sent { at: now, beat, timed: true, regular };
        self.sent[beat.seq as usize % UNDER_WAY] = Some(sent);
        if let Some(Probe { asked: asked @ Asked::Unwritten, .. }) = &mut self.probe {
            *asked = Asked::Written(beat.seq);
        }
    }

    /// We were not run: a beat is due that finds out, and only from it on round trips are measured.
    fn stalled(&mut self) {
        self.due = true;
        self.probe = Some(Probe::unwritten(Why::Stall));
        self.arrivals.interrupt();
        for sent in self.sent.iter_mut().flatten() {
            sent.timed = false;
        }
    }

    fn was_written(&self, seq: u32) -> bool {
        seq != 0 && !is_after(seq, self.last)
    }

    /// A message passed: the free slots of beats that are under way are not those of a quiet cut any
    /// more, because order is promised inside a lane only.
    pub(super) fn disturbed(&mut self) {
        for sent in self.sent.iter_mut().flatten() {
            sent.beat.quiet = false;
        }
    }

    /// What of it decides: not when the peer was heard last, which only events tell.
    pub(super) fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        let Self {
            pace,
            last,
            answered,
            due,
            regular,
            sent,
            judged,
            probe,
            suspicion,
            arrivals,
            heard: _,
            missed,
            differences,
        } = self;
        (pace, last, answered, due, regular, judged, probe, suspicion, missed, differences)
            .hash(state);
        for sent in sent {
            let Some(Sent { at, beat, timed, regular }) = sent else {
                state.write_u8(0);
                continue;
            };
            (1_u8, view.at(*at), beat.seq, beat.flags, beat.free, beat.quiet).hash(state);
            (timed, regular).hash(state);
        }
        arrivals.feed(view, state);
    }

    fn take(&mut self, seq: u32) -> Option<Sent> {
        self.sent[seq as usize % UNDER_WAY].take_if(|sent| sent.beat.seq == seq)
    }
}

/// Whether `a` was numbered after `b`, also around the end of the numbers.
fn is_after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) <= u32::MAX / 2
}

impl Link {
    /// The first beat of a connection comes at this worker's own phase.
    pub(super) fn start_beats(&mut self, now: Instant) {
        let Some(connection) = &self.connection else { return };
        let interval = connection.beats.interval();
        let id = self.identity.worker.0;
        #[expect(clippy::cast_possible_truncation, reason = "both halves are hashed")]
        let hash = mix(mix(id as u64) ^ (id >> 64) as u64);
        let nanos = (interval.as_nanos() * u128::from(hash >> 32)) >> 32;
        // Less than an interval of at most a day.
        let phase = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        self.timers.arm(Timer::Beat, now + phase + Duration::from_nanos(1));
        self.heard(now);
    }

    /// Any frame received proves life (P22).
    pub(super) fn heard(&mut self, now: Instant) {
        #[cfg(moorline_planted = "LIVE-4")]
        if self.timers.is_armed(Timer::Silence) {
            return;
        }
        if let Some(connection) = &self.connection {
            self.timers.arm(Timer::Silence, now + connection.beats.arrivals.silence);
            self.trust(now);
        }
    }

    /// How long a beat may take to be answered: found half-open sooner than an interval where the
    /// path is known to be good (P21).
    pub(super) fn answer_deadline(&self, interval: Duration) -> Duration {
        interval.min((self.statistics.path().p99() * 4).max(ANSWER_MIN))
    }

    /// The regular beat. If the last one was not answered by now, it is missed: no deadline is longer
    /// than an interval.
    pub(super) fn beat_due(&mut self, now: Instant, deadline: Instant) {
        let Some(connection) = &self.connection else { return };
        let interval = connection.beats.interval();
        let on_time = deadline + interval;
        self.timers.arm(Timer::Beat, if on_time > now { on_time } else { now + interval });
        if connection.beats.judged.is_some() {
            self.timers.disarm(Timer::Answer);
            self.beat_unanswered(now);
        }
        self.request_beat(now);
        if let Some(connection) = &mut self.connection {
            connection.beats.regular = true;
        }
        self.judge_quality(now);
    }

    /// A beat is due now; its answer is due in time even if it can never be written.
    pub(super) fn request_beat(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        connection.beats.due = true;
        if connection.beats.judged.is_none() {
            connection.beats.judged = Some(Asked::Unwritten);
            let interval = connection.beats.interval();
            let deadline = self.answer_deadline(interval);
            self.timers.arm(Timer::Answer, now + deadline);
        }
    }

    /// After our own stall: a beat at once, and a short time for its answer. Until then no earlier
    /// beat is judged, because its answer may wait unread (`Timers::forgive`).
    pub(super) fn probe(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        connection.beats.stalled();
        let interval = connection.beats.interval();
        let deadline = self.answer_deadline(interval);
        self.timers.arm(Timer::Probe, now + deadline);
    }

    pub(super) fn flags(&self) -> Flags {
        Flags {
            active: self.connection.as_ref().is_some_and(|c| c.restore.is_done()),
            draining: self.draining,
            paused: self.report.paused,
        }
    }

    pub(super) fn next_beat(&self, seq: u32) -> Beat {
        Beat {
            seq,
            flags: self.flags(),
            free: self.report.free,
            quiet: self.attachment.as_ref().is_some_and(|a| a.is_quiet(&self.config.lanes)),
            rtt_micros: self.statistics.path().last_micros(),
        }
    }

    pub(super) fn beat_written(&mut self, now: Instant, beat: Beat) {
        let Some(connection) = &mut self.connection else { return };
        connection.beats.written(now, beat);
        self.figures_with_beat(now, beat.seq);
        let Some(connection) = &mut self.connection else { return };
        if connection.beats.judged == Some(Asked::Unwritten) {
            connection.beats.judged = Some(Asked::Written(beat.seq));
            let interval = connection.beats.interval();
            let deadline = self.answer_deadline(interval);
            self.timers.arm(Timer::Answer, now + deadline);
        }
    }

    pub(super) fn beat_unanswered(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        let limit = self.config.heartbeat.misses();
        let reason = match connection.beats.judged.take() {
            Some(Asked::Unwritten) => Reason::FlowStalled,
            Some(Asked::Written(_)) | None => Reason::HeartbeatUnacked,
        };
        connection.beats.missed += 1;
        let missed = connection.beats.missed;
        self.notices.missed(missed, limit, reason);
        if missed >= limit {
            self.abandon(now, LinkEvent::LivenessLost, reason);
        } else {
            self.hurry();
        }
    }

    /// The hard timeout counts as the last miss, so that detection is never later than documented
    /// (P29).
    pub(super) fn silence_too_long(&mut self, now: Instant) {
        let limit = self.config.heartbeat.misses();
        self.notices.missed(limit, limit, Reason::HeartbeatTimeout);
        self.abandon(now, LinkEvent::LivenessLost, Reason::HeartbeatTimeout);
    }

    pub(super) fn on_beat_answer(
        &mut self,
        now: Instant,
        conn: ConnId,
        answer: &BeatAnswer,
    ) -> LinkVerdict {
        let (Some(connection), Some(attachment)) = (&mut self.connection, &self.attachment) else {
            return LinkVerdict::Stale;
        };
        let beats = &mut connection.beats;
        if !beats.was_written(answer.seq) {
            return self.violated(now, conn, Violation::OutOfPlace);
        }
        if answer.epoch != attachment.session.epoch {
            self.abandon(now, LinkEvent::Disowned, Reason::CoordinatorRestarted);
            return LinkVerdict::Accepted;
        }
        if !answer.known {
            self.abandon(now, LinkEvent::Disowned, Reason::SessionUnknown);
            return LinkVerdict::Accepted;
        }
        let is_new = beats.answered == 0 || is_after(answer.seq, beats.answered);
        if is_new {
            beats.answered = answer.seq;
        }
        let Some(sent) = beats.take(answer.seq) else {
            // Answered twice, or so late that it was forgotten: life, and nothing about the path. What
            // is told once counts however late it is.
            if is_new {
                self.retold(now, answer);
            }
            return LinkVerdict::Accepted;
        };
        if beats.judged.take_if(|asked| asked.answered_by(answer.seq)).is_some() {
            self.timers.disarm(Timer::Answer);
        }
        if beats.probe.take_if(|probe| probe.asked.answered_by(answer.seq)).is_some() {
            self.timers.disarm(Timer::Probe);
        }
        if core::mem::take(&mut beats.missed) > 0 {
            self.notices.recovered();
        }
        if sent.timed && sent.regular {
            beats.arrivals.record(now);
            self.timers.arm(Timer::Suspicion, now + beats.arrivals.suspected);
        }
        if sent.timed {
            self.statistics.answered(now.since(sent.at));
        }
        self.keep_pace(now);
        self.proven(sent.at);
        self.believed = answer.flags;
        self.store_waits(now, answer.waiting);
        self.retold(now, answer);
        self.compare(now, &sent.beat, answer);
        LinkVerdict::Accepted
    }

    /// While the coordinator waits for its store, a restore without progress is not stalled.
    fn store_waits(&mut self, now: Instant, waiting: bool) {
        let Some(connection) = &mut self.connection else { return };
        let waited = core::mem::replace(&mut connection.store_waits, waiting);
        if waiting {
            self.timers.disarm(Timer::Restore);
        } else if waited {
            self.restore_progressed(now);
        }
    }

    /// Alive means *can receive work*: what both sides say is compared on every beat, free slots only
    /// when neither side has anything outstanding (P24, P30).
    fn compare(&mut self, now: Instant, beat: &Beat, answer: &BeatAnswer) {
        let Some(connection) = &mut self.connection else { return };
        let (said, believed) = (beat.flags, answer.flags);
        // Before we are active ourselves, the two words are still under way.
        let flags = (said.active && !believed.active)
            || said.draining != believed.draining
            || said.paused != believed.paused;
        let quiet = beat.quiet && answer.quiet && said.active && !said.draining;
        let differs = flags || (quiet && beat.free != answer.free);
        let beats = &mut connection.beats;
        if !differs {
            if core::mem::take(&mut beats.differences) > 0 {
                self.notices.recovered();
            }
            return;
        }
        beats.differences += 1;
        let differences = beats.differences;
        self.notices.missed(differences, DIFFERENCES, Reason::OutOfStep);
        if differences >= DIFFERENCES {
            self.abandon(now, LinkEvent::OutOfStep, Reason::OutOfStep);
        }
    }
}

#[cfg(test)]
mod tests;
