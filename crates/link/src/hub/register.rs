//! Who may come in: registration, take-over by challenge, and every way a connection ends.

use alloc::boxed::Box;
use core::mem;

use super::Hub;
use super::admission::Applicant;
use super::connection::{Closing, ConnState, Connection, Farewell};
use super::leave::Serving;
use super::member::{Life, Member};
use super::session::{Attached, Attachment, Challenge, Session, Stage};
use crate::{ComeBack, ConnId, Dismissal, Hello, Instant, Reason, SessionId, WorkerId};

/// What becomes of a Hello.
enum Judgement {
    /// It is refused.
    Refuse(Reason, ComeBack),
    /// It waits until the incumbent of its identity has had the chance to prove that it lives.
    Challenge,
    /// The process that holds the session speaks on another connection.
    Move,
    /// Nobody is in its way: it gets a new session.
    Admit,
}

impl Hub {
    pub(super) fn accept(&mut self, conn: ConnId) {
        let now = self.clock.last();
        let settings = self.config.settings();
        let close = |reason, farewell| {
            let until = now + settings.farewell_timeout;
            ConnState::Closing(Box::new(Closing { reason, farewell, refused: false, until }))
        };
        let state = if let Serving::Stopped { .. } = self.serving {
            // A stranger: its own time follows from its connection.
            let dismissal = self.farewell(WorkerId(u128::from(conn.0)));
            close(dismissal.reason, Some(Farewell::Refused(dismissal)))
        } else if self.index.0.greeting >= settings.max_greeting {
            self.admission.unheard();
            close(Reason::CoordinatorOverloaded, None)
        } else {
            self.index.0.greeting += 1;
            ConnState::Greeting { until: now + settings.register_timeout }
        };
        self.conns.insert(conn, Connection::new(state));
        self.note_conn(conn);
    }

    /// The transport says that a connection ended.
    pub(super) fn closed(&mut self, conn: ConnId, reason: Reason) {
        let Some(connection) = self.conns.get(&conn) else { return };
        match connection.state {
            ConnState::Greeting { .. } | ConnState::Closing(_) => {}
            ConnState::Held { worker } => self.drop_challenge(worker),
            ConnState::Attached { worker } => {
                let held = self.leave(worker, reason);
                self.remove_conn(conn);
                self.note_worker(worker);
                self.admit_held(held);
            }
        }
        self.remove_conn(conn);
    }

    /// Ends a connection from our side, whatever it is, and tells it why.
    pub(super) fn expel(&mut self, conn: ConnId, reason: Reason) {
        let Some(connection) = self.conns.get(&conn) else { return };
        match connection.state {
            ConnState::Greeting { .. } => {
                let dismissal = self.dismissal(WorkerId(u128::from(conn.0)), reason);
                self.shut(conn, reason, Some(Farewell::Refused(dismissal)), false);
            }
            ConnState::Held { worker } => {
                self.drop_challenge(worker);
                let dismissal = self.dismissal(worker, reason);
                self.refuse(conn, dismissal);
            }
            ConnState::Attached { worker } => self.dismiss(worker, reason),
            ConnState::Closing(_) => {}
        }
    }

    /// Ends a worker's connection, if it has one; the session stays.
    pub(super) fn dismiss(&mut self, worker: WorkerId, reason: Reason) {
        self.dismiss_with(worker, self.dismissal(worker, reason));
    }

    /// The same, with a word of its own on when to come back.
    pub(super) fn dismiss_with(&mut self, worker: WorkerId, dismissal: Dismissal) {
        let held = self.detach(worker, dismissal, true);
        self.admit_held(held);
    }

    /// What a connection of this worker that ends for this reason is told.
    fn dismissal(&self, worker: WorkerId, reason: Reason) -> Dismissal {
        if reason == Reason::CoordinatorStopping {
            self.farewell(worker)
        } else {
            by_reason(reason)
        }
    }

    /// Takes a worker's session off its connection and closes that, with or without a farewell.
    /// Returns the newcomer that waited for this incumbent: the way is free for it.
    #[must_use]
    pub(super) fn detach(
        &mut self,
        worker: WorkerId,
        dismissal: Dismissal,
        say: bool,
    ) -> Option<Box<Challenge>> {
        let reason = dismissal.reason;
        let attached = self.workers.get(&worker).and_then(Member::attached);
        let conn = attached.map(|attached| attached.conn)?;
        let held = self.leave(worker, reason);
        self.shut(conn, reason, say.then_some(Farewell::GoAway(dismissal)), false);
        self.note_worker(worker);
        held
    }

    /// The session has no connection any more.
    fn leave(&mut self, worker: WorkerId, reason: Reason) -> Option<Box<Challenge>> {
        let since = self.clock.last();
        let member = self.workers.get_mut(&worker)?;
        let session = member.session_mut()?;
        let gone = Attachment::Detached { reason, since };
        match mem::replace(&mut session.attachment, gone) {
            Attachment::Attached(attached) => {
                session.evict_at = Instant::FAR;
                session.suspect = false;
                if attached.is_restoring() {
                    self.index.0.handshakes.remove(&(attached.since, worker));
                }
                self.index.0.attached -= 1;
                if attached.is_active() && reason != Reason::Moved {
                    member.goes_away(since);
                }
                let life = since.since(attached.since);
                member.loses(since, life, reason, &self.config);
                attached.challenge
            }
            was @ Attachment::Detached { .. } => {
                session.attachment = was;
                None
            }
        }
    }

    /// Begins to close a connection that carries nothing (any more).
    fn shut(&mut self, conn: ConnId, reason: Reason, farewell: Option<Farewell>, refused: bool) {
        let until = self.clock.last() + self.config.settings().farewell_timeout;
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let state = ConnState::Closing(Box::new(Closing { reason, farewell, refused, until }));
        let was = mem::replace(&mut connection.state, state);
        self.index.0.greeting -= u32::from(matches!(was, ConnState::Greeting { .. }));
        self.note_conn(conn);
    }

    pub(super) fn give_up_farewell(&mut self, conn: ConnId) {
        if let Some(connection) = self.conns.get_mut(&conn)
            && let ConnState::Closing(closing) = &mut connection.state
        {
            closing.farewell = None;
        }
        self.note_conn(conn);
    }

    pub(super) fn refuse(&mut self, conn: ConnId, dismissal: Dismissal) {
        self.shut(conn, dismissal.reason, Some(Farewell::Refused(dismissal)), true);
    }

    /// A Hello on a connection that waits for one.
    pub(super) fn hello(&mut self, conn: ConnId, hello: &Hello) {
        let judgement = match self.judge(hello) {
            refusal @ Judgement::Refuse(..) => refusal,
            judgement @ (Judgement::Challenge | Judgement::Move | Judgement::Admit) => {
                match self.admission(hello) {
                    Ok(()) => judgement,
                    Err(come_back) => Judgement::Refuse(Reason::RateLimited, come_back),
                }
            }
        };
        self.place(conn, hello, judgement);
    }

    /// A Hello that was not refused for other reasons: whether it may come in now.
    fn admission(&mut self, hello: &Hello) -> Result<(), ComeBack> {
        let now = self.clock.last();
        let most = self.admission.handshakes(&self.config);
        let under_way = &self.index.0.handshakes;
        let crowded = under_way.len() >= most && {
            // One that makes no progress does not keep others out for ever.
            let recent = now.before(self.config.settings().register_timeout);
            under_way.range((recent, WorkerId(0))..).take(most).count() == most
        };
        let first = self.comes_first(hello);
        let applicant = Applicant { worker: hello.worker, ticket: hello.ticket, first, crowded };
        self.admission.admit(now, self.epoch, applicant, &self.config)
    }

    /// Whether it brings something that others wait for (P91): a session of this life that goes on,
    /// or work. To be asked of a worker that has proven who it is, as soon as workers can: until
    /// then it is its word.
    fn comes_first(&self, hello: &Hello) -> bool {
        let session = self.workers.get(&hello.worker).and_then(Member::session);
        let goes_on = hello
            .resume
            .is_some_and(|resume| session.is_some_and(|session| session.id == resume.session));
        hello.holds_work || goes_on
    }

    /// What becomes of a Hello that was judged.
    fn place(&mut self, conn: ConnId, hello: &Hello, judgement: Judgement) {
        match judgement {
            Judgement::Refuse(reason, come_back) => {
                self.refuse(conn, Dismissal { reason, come_back });
            }
            Judgement::Challenge => self.challenge(conn, hello),
            Judgement::Move => self.move_session(conn, hello),
            Judgement::Admit => self.admit(conn, hello),
        }
    }

    /// Every rule of registration, in order. The first Hello after a coordinator's start finds
    /// nobody in its way and is the incumbent from then on.
    fn judge(&self, hello: &Hello) -> Judgement {
        if let Some(refusal) = self.judge_claim(hello) {
            return refusal;
        }
        let Some(member) = self.workers.get(&hello.worker) else {
            let full = self.is_full() && self.index.0.ended.is_empty();
            return if full {
                Judgement::Refuse(Reason::CoordinatorOverloaded, ComeBack::ByReason)
            } else {
                Judgement::Admit
            };
        };
        let Some(session) = member.session() else { return Judgement::Admit };
        if session.incarnation == hello.incarnation {
            return Judgement::Move;
        }
        let outlived =
            !member.may_return(hello.incarnation) && self.granted_before(hello, session.id);
        if outlived || member.is_superseded(hello.incarnation) {
            return Judgement::Refuse(Reason::Superseded, ComeBack::Never);
        }
        let Some(attached) = session.attached() else { return Judgement::Admit };
        if session.is_silent(self.clock.last(), &self.config) {
            return Judgement::Admit;
        }
        match &attached.challenge {
            Some(_) | None if cfg!(moorline_planted = "SAFE-6") => Judgement::Admit,
            // One newcomer at a time; the same process may try again on another connection.
            Some(held) if held.hello.incarnation != hello.incarnation => {
                Judgement::Refuse(Reason::NameConflict, ComeBack::ByReason)
            }
            Some(_) | None => Judgement::Challenge,
        }
    }

    /// The rules that do not depend on who has the identity now.
    fn judge_claim(&self, hello: &Hello) -> Option<Judgement> {
        if self.is_leaving() {
            let Dismissal { reason, come_back } = self.farewell(hello.worker);
            return Some(Judgement::Refuse(reason, come_back));
        }
        if self.config.settings().versions.agree(hello.versions).is_none() {
            return Some(Judgement::Refuse(Reason::VersionUnsupported, ComeBack::Never));
        }
        let holder = self.index.0.names.get(&hello.name);
        if holder.is_some_and(|holder| *holder != hello.worker) {
            return Some(Judgement::Refuse(Reason::NameConflict, ComeBack::ByReason));
        }
        None
    }

    /// Whether it quotes a session of this life that is older than its worker's current one.
    fn granted_before(&self, hello: &Hello, current: SessionId) -> bool {
        let quoted = hello.resume.map(|resume| resume.session);
        quoted.is_some_and(|quoted| {
            quoted.epoch == self.epoch && (self.first_session..current.n).contains(&quoted.n)
        })
    }

    /// Holds a newcomer until the incumbent has answered a probe or had the time for it (P40).
    fn challenge(&mut self, conn: ConnId, hello: &Hello) {
        let worker = hello.worker;
        let until = self.clock.last() + self.config.settings().take_over_probe;
        let stalled = self.clock.stalled();
        let attached = self.workers.get_mut(&worker).and_then(Member::attached_mut);
        let Some(attached) = attached else { return };
        let earlier = match &mut attached.challenge {
            // The same newcomer on a new connection: the incumbent's time runs on.
            Some(challenge) => Some(mem::replace(&mut challenge.conn, conn)),
            empty @ None => {
                let challenge = Challenge { conn, hello: *hello, until, asked: false, stalled };
                *empty = Some(Box::new(challenge));
                None
            }
        };
        if let Some(challenge) = &mut attached.challenge {
            challenge.hello = *hello;
        }
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.state = ConnState::Held { worker };
            self.index.0.greeting -= 1;
        }
        if let Some(earlier) = earlier {
            let farewell = Farewell::GoAway(by_reason(Reason::Moved));
            self.shut(earlier, Reason::Moved, Some(farewell), false);
        }
        self.note_conn(conn);
        self.note_worker(worker);
    }

    /// The newcomer is gone: the incumbent stays undisturbed.
    fn drop_challenge(&mut self, worker: WorkerId) {
        if let Some(attached) = self.workers.get_mut(&worker).and_then(Member::attached_mut) {
            attached.challenge = None;
        }
        self.note_worker(worker);
    }

    /// The incumbent proved that it lives: the newcomer has to go (P41).
    pub(super) fn incumbent_lives(&mut self, worker: WorkerId) {
        let attached = self.workers.get_mut(&worker).and_then(Member::attached_mut);
        let held = attached.and_then(|attached| attached.challenge.take());
        if let Some(held) = held {
            self.refuse(held.conn, by_reason(Reason::NameConflict));
        }
        self.note_worker(worker);
    }

    /// The incumbent did not answer in time: the newcomer takes its place. If the hub itself stalled
    /// meanwhile, the answer may wait unread: then the incumbent gets the whole time once more, since
    /// a stall is measured to within a pulse only, and to be displaced is final.
    pub(super) fn take_over(&mut self, worker: WorkerId) {
        let until = self.clock.last() + self.config.settings().take_over_probe;
        let stalled = self.clock.stalled();
        let attached = self.workers.get_mut(&worker).and_then(Member::attached_mut);
        let held = attached.and_then(|attached| match &mut attached.challenge {
            Some(challenge) if challenge.stalled != stalled => {
                (challenge.until, challenge.stalled) = (until, stalled);
                None
            }
            challenge => challenge.take(),
        });
        self.note_worker(worker);
        let Some(held) = held else { return };
        // Somebody else may have taken its name meanwhile: then nobody is displaced.
        match self.judge_claim(&held.hello) {
            Some(Judgement::Refuse(reason, come_back)) => {
                self.refuse(held.conn, Dismissal { reason, come_back });
            }
            Some(Judgement::Challenge | Judgement::Move | Judgement::Admit) | None => {
                self.admit(held.conn, &held.hello);
            }
        }
        self.note_worker(worker);
    }

    /// The incumbent a newcomer waited for is out of its way.
    pub(super) fn admit_held(&mut self, held: Option<Box<Challenge>>) {
        if let Some(held) = held {
            // It was let in when it said its Hello.
            let judgement = self.judge(&held.hello);
            self.place(held.conn, &held.hello, judgement);
        }
    }

    /// The process that holds the session speaks on another connection: the session goes there,
    /// resumed if both sides know where its lanes stand.
    fn move_session(&mut self, conn: ConnId, hello: &Hello) {
        let worker = hello.worker;
        self.incumbent_lives(worker);
        self.leave_for(worker, Reason::Moved, by_reason(Reason::Moved));
        let attached = self.attach(conn, hello, true);
        let now = self.clock.last();
        let Some(member) = self.workers.get_mut(&worker) else { return };
        let renamed =
            (member.name != hello.name).then_some(mem::replace(&mut member.name, hello.name));
        let resumed = member.session_mut().is_some_and(|session| {
            let resume = hello.resume.filter(|resume| resume.session == session.id);
            resume.filter(|_| session.may_resume()).is_some_and(|resume| {
                let workers = self.index.0.attached;
                session.resume(&resume, hello, attached.clone(), now, &self.config, workers)
            })
        });
        if let Some(old) = renamed {
            self.index.0.names.remove(&old);
            self.index.0.names.insert(hello.name, worker);
        }
        if resumed {
            self.note_conn(conn);
            self.note_worker(worker);
        } else {
            self.begin_session(hello, Attached { resumed: false, ..attached });
        }
    }

    /// A process that nobody is in the way of, or that takes the place of another one.
    fn admit(&mut self, conn: ConnId, hello: &Hello) {
        let worker = hello.worker;
        // It may come back to hear that it is superseded, or to find that the newcomer is no more.
        let reason = Reason::WorkerRestarted;
        self.leave_for(worker, reason, by_reason(reason));
        let now = self.clock.last();
        if self.is_full() && !self.workers.contains_key(&worker) {
            // Who has been gone for longest makes room.
            if let Some((_, oldest)) = self.index.0.ended.first().copied() {
                self.with_member(oldest, |member| member.expiring = true);
            }
        }
        let fresh = || Member::new(hello.name, Life::Expected { since: now });
        let member = self.workers.entry(worker).or_insert_with(fresh);
        let ended = member.ended_since();
        member.expiring = false;
        member.displace(hello.incarnation);
        let old = mem::replace(&mut member.name, hello.name);
        if member.holds_name() && old != hello.name {
            self.index.0.names.remove(&old);
        }
        self.index.0.names.insert(hello.name, worker);
        let attached = self.attach(conn, hello, false);
        self.begin_session(hello, attached);
        self.note_ended(worker, ended);
    }

    fn is_full(&self) -> bool {
        self.workers.len() >= self.config.settings().max_workers as usize
    }

    /// The incumbent's connection, if there is one, gives way to another one of the same worker.
    fn leave_for(&mut self, worker: WorkerId, reason: Reason, dismissal: Dismissal) {
        let attached = self.workers.get(&worker).and_then(Member::attached);
        let Some(conn) = attached.map(|attached| attached.conn) else { return };
        if let Some(held) = self.leave(worker, reason) {
            self.refuse(held.conn, by_reason(Reason::NameConflict));
        }
        self.shut(conn, reason, Some(Farewell::GoAway(dismissal)), false);
    }

    /// The connection carries the worker of its Hello from now on.
    fn attach(&mut self, conn: ConnId, hello: &Hello, resumed: bool) -> Attached {
        let settings = self.config.settings();
        if let Some(connection) = self.conns.get_mut(&conn) {
            let carries = ConnState::Attached { worker: hello.worker };
            let was = mem::replace(&mut connection.state, carries);
            self.index.0.greeting -= u32::from(matches!(was, ConnState::Greeting { .. }));
        }
        let flow = self.fresh_flow(conn);
        self.index.0.attached += 1;
        self.index.0.handshakes.insert((self.clock.last(), hello.worker));
        Attached {
            conn,
            stage: Stage::Welcoming,
            since: self.clock.last(),
            resumed,
            // Agreed: the judgement refused what does not.
            version: settings.versions.agree(hello.versions).unwrap_or(settings.versions.max),
            features: settings.features & hello.features,
            answer: None,
            flow,
            challenge: None,
        }
    }

    /// A new session with empty lanes for a worker that is known by now.
    fn begin_session(&mut self, hello: &Hello, attached: Attached) {
        let id = SessionId { epoch: self.epoch, n: self.next_session };
        self.next_session += 1;
        let now = self.clock.last();
        let (worker, conn) = (hello.worker, attached.conn);
        if let Some(member) = self.workers.get_mut(&worker) {
            let workers = self.index.0.attached;
            let session = Session::new(id, hello, attached, now, &self.config, workers);
            member.life = Life::Present(session);
        }
        self.note_conn(conn);
        self.note_worker(worker);
    }
}

/// A dismissal whose reason says when to come back.
pub(super) fn by_reason(reason: Reason) -> Dismissal {
    Dismissal { reason, come_back: ComeBack::ByReason }
}
