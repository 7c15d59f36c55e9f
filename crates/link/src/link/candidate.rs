//! The connection that is not registered yet: dialled, greeted, welcomed or refused.

use super::presence::Beats;
use super::{Attachment, Connection, Link, LinkVerdict, Violation};
use crate::{
    ComeBack, ConnId, CoordinatorFrame, Credit, Dismissal, Hello, Inbox, Instant, Lane, LinkEvent,
    Reason, Resume, SessionId, Standing, State, Timer, Welcome,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Candidate {
    pub(super) conn: ConnId,
    pub(super) attempt: u32,
    pub(super) phase: Phase,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    /// The driver was not told to dial yet.
    Due,
    /// The driver dials.
    Dialling,
    /// Open; Hello is to be written.
    Open,
    /// Hello was written then; what it said of the session, if it asked to resume one.
    Greeted { at: Instant, resume: Option<(SessionId, [Standing; 2])> },
}

impl Candidate {
    pub(super) fn new(conn: ConnId, attempt: u32) -> Self {
        Self { conn, attempt, phase: Phase::Due }
    }

    /// The driver knows of it.
    pub(super) fn is_issued(&self) -> bool {
        match self.phase {
            Phase::Due => false,
            Phase::Dialling | Phase::Open | Phase::Greeted { .. } => true,
        }
    }

    pub(super) fn is_dialling(&self) -> bool {
        self.phase == Phase::Dialling
    }

    pub(super) fn is_open(&self) -> bool {
        match self.phase {
            Phase::Due | Phase::Dialling => false,
            Phase::Open | Phase::Greeted { .. } => true,
        }
    }

    pub(super) fn is_greeted(&self) -> bool {
        matches!(self.phase, Phase::Greeted { .. })
    }
}

impl Link {
    pub(super) fn on_opened(&mut self, now: Instant) -> LinkVerdict {
        if let Some(candidate) = &mut self.candidate {
            candidate.phase = Phase::Open;
            self.timers.disarm(Timer::Connect);
            self.timers.arm(Timer::Register, now + self.config.timeouts.register);
        }
        LinkVerdict::Accepted
    }

    pub(super) fn on_dial_failed(&mut self, now: Instant, reason: Reason) -> LinkVerdict {
        self.candidate_gone(now, LinkEvent::DialFailed, reason, ComeBack::ByReason);
        LinkVerdict::Accepted
    }

    /// What Hello says now.
    pub(super) fn hello(&self) -> Hello {
        let lanes = &self.config.lanes;
        let credit: [Credit; 2] = Lane::ALL.map(|lane| Inbox::first_credit(lanes.of(lane)));
        Hello {
            versions: self.identity.versions,
            features: self.identity.features,
            worker: self.identity.worker,
            incarnation: self.identity.incarnation,
            name: self.identity.name,
            resume: self.attachment.as_ref().map(|attachment| Resume {
                session: attachment.session,
                lanes: Lane::ALL
                    .map(|lane| attachment.inboxes[lane.index()].standing(lanes.of(lane))),
            }),
            credit,
            beat_interval: self.config.heartbeat.interval(),
            ticket: self.attempts.ticket,
            holds_work: self.report.owes,
        }
    }

    /// Hello was written: the credit in it counts, whatever becomes of this connection.
    pub(super) fn greeted(&mut self, now: Instant, hello: &Hello) {
        self.attempts.ticket = None;
        if let (Some(attachment), Some(resume)) = (&mut self.attachment, hello.resume) {
            for lane in Lane::ALL {
                attachment.inboxes[lane.index()].grant(resume.lanes[lane.index()].credit);
            }
        }
        if let Some(candidate) = &mut self.candidate {
            let resume = hello.resume.map(|resume| (resume.session, resume.lanes));
            candidate.phase = Phase::Greeted { at: now, resume };
        }
    }

    pub(super) fn candidate_frame(
        &mut self,
        now: Instant,
        frame: &CoordinatorFrame,
    ) -> LinkVerdict {
        let Some(candidate) = &self.candidate else { return LinkVerdict::Stale };
        let conn = candidate.conn;
        let greeted = match &candidate.phase {
            Phase::Due | Phase::Dialling | Phase::Open => None,
            Phase::Greeted { at, resume } => Some((*at, *resume)),
        };
        match (frame, greeted) {
            (CoordinatorFrame::Welcome(welcome), Some((greeted, resume))) => {
                match self.welcome_violates(welcome, resume) {
                    Some(violation) => self.violated(now, conn, violation),
                    None => {
                        self.welcomed(now, conn, welcome, resume);
                        self.proven(greeted);
                        LinkVerdict::Accepted
                    }
                }
            }
            (CoordinatorFrame::Refused(dismissal) | CoordinatorFrame::GoAway(dismissal), _) => {
                let Dismissal { reason, come_back } = *dismissal;
                self.notices.close(conn, reason);
                self.candidate_gone(now, LinkEvent::Refused, reason, come_back);
                LinkVerdict::Accepted
            }
            (
                CoordinatorFrame::Welcome(_)
                | CoordinatorFrame::InventoryAnswer { .. }
                | CoordinatorFrame::Active
                | CoordinatorFrame::BeatAnswer(_)
                | CoordinatorFrame::Probe
                | CoordinatorFrame::Ack(_)
                | CoordinatorFrame::Message(_),
                _,
            ) => self.violated(now, conn, Violation::OutOfPlace),
        }
    }

    /// A Welcome must continue what Hello asked for, or begin from nothing.
    fn welcome_violates(
        &self,
        welcome: &Welcome,
        resume: Option<(SessionId, [Standing; 2])>,
    ) -> Option<Violation> {
        let versions = self.identity.versions;
        let spoken = (versions.min..=versions.max).contains(&welcome.version);
        let offered = welcome.features & !self.identity.features == 0;
        let asked =
            !welcome.resumed || resume.is_some_and(|(session, _)| session == welcome.session);
        if !spoken || !offered || !asked {
            return Some(Violation::OutOfPlace);
        }
        let truthful = match &self.attachment {
            Some(attachment) if welcome.resumed => Lane::ALL.iter().all(|lane| {
                attachment.outboxes[lane.index()].has_numbered(welcome.lanes[lane.index()].received)
            }),
            Some(_) | None => welcome.lanes.iter().all(|standing| standing.received.0 == 0),
        };
        (!truthful).then_some(Violation::FalseAck)
    }

    /// The candidate becomes the connection; the old one, if any, has done its duty.
    fn welcomed(
        &mut self,
        now: Instant,
        conn: ConnId,
        welcome: &Welcome,
        resume: Option<(SessionId, [Standing; 2])>,
    ) {
        self.drop_candidate();
        self.close_connection(Reason::Moved);
        let terms = self.terms(welcome);
        match (&mut self.attachment, resume) {
            (Some(attachment), Some((_, told))) if welcome.resumed => {
                attachment.resume(terms, told, welcome.lanes);
            }
            (Some(_) | None, _) => {
                self.attachment = Some(Attachment::new(terms, welcome, &self.config.lanes));
            }
        }
        let silence = self.config.heartbeat.silence(terms.beat_interval);
        let beats = Beats::new(terms.beat_interval, self.config.heartbeat.shortest(), silence, now);
        self.connection = Some(Connection::new(conn, welcome.features, beats));
        self.statistics.dial_succeeded();
        self.timers.arm(Timer::Restore, now + self.config.timeouts.restore);
        self.start_beats(now);
        match self.state {
            State::Connecting => self.enter(now, LinkEvent::Welcomed, None),
            State::Active if !welcome.resumed => self.enter(now, LinkEvent::Replaced, None),
            State::Disconnected
            | State::Registered
            | State::Active
            | State::Failed
            | State::Shutdown => {}
        }
    }

    /// We give the candidate up.
    pub(super) fn give_candidate_up(&mut self, now: Instant, event: LinkEvent, reason: Reason) {
        if let Some(candidate) = &self.candidate {
            if candidate.is_issued() {
                self.notices.close(candidate.conn, reason);
            }
            self.candidate_gone(now, event, reason, ComeBack::ByReason);
        }
    }

    /// The candidate failed. Beside a connection that is no loss, but it is told.
    pub(super) fn candidate_gone(
        &mut self,
        now: Instant,
        event: LinkEvent,
        reason: Reason,
        come_back: ComeBack,
    ) {
        let Some(Candidate { conn, .. }) = self.drop_candidate() else { return };
        self.statistics.dial_failed();
        if self.connection.is_some() {
            self.notices.candidate_lost(conn, reason);
        } else {
            self.lose(now, event, reason, come_back);
        }
    }

    /// Cancels the candidate, if there is one, without a word on the state.
    pub(super) fn close_candidate(&mut self, reason: Reason) {
        if let Some(candidate) = &self.candidate {
            if candidate.is_issued() {
                self.notices.close(candidate.conn, reason);
            }
            self.drop_candidate();
        }
    }

    fn drop_candidate(&mut self) -> Option<Candidate> {
        self.timers.disarm(Timer::Connect);
        self.timers.disarm(Timer::Register);
        self.candidate.take()
    }
}
