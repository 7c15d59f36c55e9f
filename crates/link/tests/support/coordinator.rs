//! A coordinator for one worker that does everything right, on scripted terms.

use std::time::Duration;

use moorline_link::{
    Ack, Arrival, BeatAnswer, ConnId, CoordinatorFrame, Dismissal, Epoch, Flags, Inbox, Lane,
    LaneLimits, LinkTransmit, MessageHead, Outbox, SessionId, Tag, Welcome, WorkerFrame,
};

pub struct Coordinator {
    pub epoch: Epoch,
    /// What it agrees to.
    pub features: u64,
    pub interval: Duration,
    pub first_window: Option<Duration>,
    pub limits: LaneLimits,
    /// Answers beats; else it is frozen for them.
    pub answers_beats: bool,
    /// What it says in answers beside what it learned from the beat.
    pub known: bool,
    pub waiting: bool,
    /// What it tells anew of the fleet: window and interval.
    pub retells: (Option<Duration>, Option<Duration>),
    /// What it answers every Hello instead of a Welcome.
    pub refuses: Option<Dismissal>,
    /// What it believes, if not what the worker says.
    pub free: Option<u16>,
    /// Panics when the worker breaks the protocol. On a walk somebody else may have told the worker
    /// things in this coordinator's name.
    pub strict: bool,
    pub session: Option<Session>,
    pub sessions: u64,
}

pub struct Session {
    pub id: SessionId,
    pub conn: ConnId,
    pub inboxes: [Inbox; 2],
    pub outboxes: [Outbox; 2],
    pub active: bool,
    /// What the worker told of its link last.
    pub statistics: Option<moorline_link::Statistics>,
    items: u32,
    answered: u32,
}

impl Coordinator {
    pub fn new() -> Self {
        Self {
            epoch: Epoch(1),
            features: moorline_link::Features::SPOKEN,
            interval: Duration::from_secs(5),
            first_window: None,
            limits: LaneLimits::default(),
            answers_beats: true,
            known: true,
            waiting: false,
            retells: (None, None),
            refuses: None,
            free: None,
            strict: true,
            session: None,
            sessions: 0,
        }
    }

    /// A new life: nothing is remembered.
    pub fn restart(&mut self) {
        self.epoch = Epoch(self.epoch.0 + 1);
        self.session = None;
    }

    /// Takes what the worker wrote, and says what to answer. A message is told by its tag.
    pub fn receive(
        &mut self,
        conn: ConnId,
        transmit: &LinkTransmit,
        delivered: &mut Vec<(Lane, Tag)>,
    ) -> Vec<CoordinatorFrame> {
        let strict = self.strict;
        let frame = match transmit {
            LinkTransmit::Frame(frame) => *frame,
            LinkTransmit::Message { head, tag } => {
                let limits = self.limits;
                let Some(session) = self.on(conn) else { return vec![] };
                assert!(session.active || !strict, "a message before both sides were active");
                match session.inboxes[head.lane.index()].arrive(head.seq, head.len) {
                    Arrival::Deliver => delivered.push((head.lane, *tag)),
                    Arrival::Duplicate => {}
                    broken @ (Arrival::Gap | Arrival::OverCredit | Arrival::TooLarge) => {
                        assert!(!strict, "the worker broke its lane: {broken:?} {head:?}");
                    }
                }
                session.inboxes[head.lane.index()].release(1, u64::from(head.len));
                return session.acks(&limits);
            }
        };
        if let (WorkerFrame::Hello(_), Some(dismissal)) = (frame, self.refuses) {
            return vec![CoordinatorFrame::Refused(dismissal)];
        }
        match frame {
            WorkerFrame::Hello(hello) => {
                let resume = hello.resume.filter(|resume| {
                    self.session.as_ref().is_some_and(|session| session.id == resume.session)
                });
                let limits = self.limits;
                match (&mut self.session, resume) {
                    (Some(session), Some(resume)) => {
                        for lane in Lane::ALL {
                            let standing = resume.lanes[lane.index()];
                            let resumed = session.outboxes[lane.index()].resume(standing);
                            assert!(resumed || !strict, "{hello:?}");
                        }
                        (session.conn, session.active) = (conn, false);
                        (session.items, session.answered) = (u32::MAX, 0);
                    }
                    (_, _) => {
                        self.sessions += 1;
                        self.session = Some(Session {
                            id: SessionId { epoch: self.epoch, n: self.sessions },
                            conn,
                            inboxes: Lane::ALL.map(|lane| Inbox::new(lane, &limits)),
                            outboxes: Lane::ALL
                                .map(|lane| Outbox::new(lane, hello.credit[lane.index()])),
                            active: false,
                            items: u32::MAX,
                            answered: 0,
                            statistics: None,
                        });
                    }
                }
                let session = self.session.as_mut().expect("just made");
                let lanes = Lane::ALL.map(|lane| {
                    session.inboxes[lane.index()].commit_ack(&limits);
                    session.inboxes[lane.index()].standing(&limits)
                });
                vec![CoordinatorFrame::Welcome(Welcome {
                    version: 1,
                    features: hello.features & self.features,
                    session: session.id,
                    resumed: resume.is_some(),
                    lanes,
                    beat_interval: self.interval,
                    first_window: self.first_window,
                    lost_after: Duration::from_secs(90),
                })]
            }
            WorkerFrame::InventoryItem { index } => {
                let Some(session) = self.on(conn) else { return vec![] };
                assert!(index == session.answered || !strict, "items are indexed from 0");
                session.answered += 1;
                vec![CoordinatorFrame::InventoryAnswer { index }]
            }
            WorkerFrame::InventoryEnd { count } => {
                let Some(session) = self.on(conn) else { return vec![] };
                assert!(count == session.answered || !strict);
                session.items = count;
                vec![]
            }
            WorkerFrame::Active => {
                let Some(session) = self.on(conn) else { return vec![] };
                assert!(
                    session.items == session.answered || !strict,
                    "active before all was answered"
                );
                session.active = true;
                vec![CoordinatorFrame::Active]
            }
            WorkerFrame::Beat(beat) => {
                let (answers, known, waiting) = (self.answers_beats, self.known, self.waiting);
                let (epoch, free, limits) = (self.epoch, self.free, self.limits);
                let retells = self.retells;
                let Some(session) = self.on(conn) else { return vec![] };
                let quiet = Lane::ALL.iter().all(|lane| {
                    session.outboxes[lane.index()].is_idle()
                        && !session.inboxes[lane.index()].owes_ack(&limits)
                });
                let answer = BeatAnswer {
                    seq: beat.seq,
                    epoch,
                    known,
                    flags: Flags { active: session.active, ..beat.flags },
                    free: free.unwrap_or(beat.free),
                    quiet,
                    waiting,
                    first_window: retells.0,
                    beat_interval: retells.1,
                };
                if answers { vec![CoordinatorFrame::BeatAnswer(answer)] } else { vec![] }
            }
            WorkerFrame::Statistics(statistics) => {
                let Some(session) = self.on(conn) else { return vec![] };
                session.statistics = Some(statistics);
                vec![]
            }
            WorkerFrame::Ack(ack) => {
                let Some(session) = self.on(conn) else { return vec![] };
                let known = session.outboxes[ack.lane.index()].acknowledge(ack.standing);
                assert!(known || !strict, "the worker acknowledged what was never sent: {ack:?}");
                session.release();
                vec![]
            }
            WorkerFrame::Message(head) => panic!("a message without its tag: {head:?}"),
            WorkerFrame::Goodbye { .. } => {
                self.session = None;
                vec![]
            }
        }
    }

    /// Messages that may be sent now.
    pub fn messages(&mut self) -> Vec<(ConnId, CoordinatorFrame)> {
        let mut frames = Vec::new();
        if let Some(session) = self.session.as_mut().filter(|session| session.active) {
            for lane in Lane::ALL {
                while let Some((seq, _, len)) = session.outboxes[lane.index()].next() {
                    session.outboxes[lane.index()].commit();
                    let head = MessageHead { lane, seq, len };
                    frames.push((session.conn, CoordinatorFrame::Message(head)));
                }
            }
        }
        frames
    }

    fn on(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.conn == conn)
    }
}

impl Session {
    fn acks(&mut self, limits: &LaneLimits) -> Vec<CoordinatorFrame> {
        let mut acks = Vec::new();
        for lane in Lane::ALL {
            let inbox = &mut self.inboxes[lane.index()];
            if inbox.owes_ack(limits) {
                acks.push(CoordinatorFrame::Ack(Ack { lane, standing: inbox.standing(limits) }));
                inbox.commit_ack(limits);
            }
        }
        acks
    }

    fn release(&mut self) {
        for outbox in &mut self.outboxes {
            while outbox.released().is_some() {
                outbox.pop_released();
            }
        }
    }
}
