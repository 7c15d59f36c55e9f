//! The registered connection and the session it carries.

use core::time::Duration;

use super::presence::Beats;
use super::{Link, LinkRejection, LinkVerdict, Violation};
use crate::{
    Ack, Arrival, BeatAnswer, ComeBack, ConnId, CoordinatorFrame, Dismissal, Inbox, Instant, Lane,
    Lanes, LinkEvent, MessageHead, Outbox, Reason, SessionId, Standing, State, Statistics, Timer,
    Welcome,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Connection {
    pub(super) conn: ConnId,
    pub(super) restore: Restore,
    pub(super) beats: Beats,
    /// The coordinator waits for its store: the restore clock stands still.
    pub(super) store_waits: bool,
    /// What both sides agreed to use.
    pub(super) features: u64,
    /// These statistics are to be told.
    pub(super) figures_due: Option<Statistics>,
}

/// How far the restore of this connection is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Restore {
    /// The embedder was not asked for its inventory yet.
    Due,
    /// The embedder takes its inventory.
    Taking,
    /// Items are sent and answered.
    Answering { items: u32, sent: u32, ended: bool, answered: u32 },
    /// All answers are in and we said Active.
    Saying,
    /// Work may flow. `confirmed`: the coordinator's Active was seen, not only implied.
    Done { confirmed: bool },
}

impl Restore {
    pub(super) const fn is_done(self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

impl Connection {
    pub(super) fn new(conn: ConnId, features: u64, beats: Beats) -> Self {
        let (restore, store_waits, figures_due) = (Restore::Due, false, None);
        Self { conn, restore, beats, store_waits, features, figures_due }
    }
}

/// What the coordinator told at the last Welcome, within our own bounds (P33, P84).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Terms {
    pub(super) beat_interval: Duration,
    pub(super) first_window: Option<Duration>,
    pub(super) lost_after: Duration,
}

/// A session and its lanes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Attachment {
    pub(super) session: SessionId,
    pub(super) terms: Terms,
    pub(super) outboxes: [Outbox; 2],
    pub(super) inboxes: [Inbox; 2],
    /// The embedder does not know of this session yet: what it enqueued before is void.
    pub(super) untold: bool,
}

impl Attachment {
    pub(super) fn new(terms: Terms, welcome: &Welcome, lanes: &Lanes) -> Self {
        Self {
            session: welcome.session,
            terms,
            outboxes: Lane::ALL.map(|lane| Outbox::new(lane, welcome.lanes[lane.index()].credit)),
            inboxes: Lane::ALL.map(|lane| Inbox::new(lane, lanes.of(lane))),
            untold: true,
        }
    }

    /// Goes on over a new connection whose Hello told `told`, and whose Welcome told `lanes`.
    pub(super) fn resume(&mut self, terms: Terms, told: [Standing; 2], lanes: [Standing; 2]) {
        self.terms = terms;
        for (i, outbox) in self.outboxes.iter_mut().enumerate() {
            let resumed = outbox.resume(lanes[i]);
            debug_assert!(resumed, "checked before");
            self.inboxes[i].resume(told[i]);
        }
    }

    /// Nothing of ours is outstanding on either lane.
    pub(super) fn is_quiet(&self, lanes: &Lanes) -> bool {
        Lane::ALL.iter().all(|lane| {
            self.outboxes[lane.index()].is_idle()
                && !self.inboxes[lane.index()].owes_ack(lanes.of(*lane))
        })
    }
}

impl Link {
    pub(super) fn terms(&self, welcome: &Welcome) -> Terms {
        Terms {
            beat_interval: self.config.heartbeat.clamp(welcome.beat_interval),
            first_window: welcome.first_window,
            lost_after: welcome.lost_after,
        }
    }

    /// The coordinator tells again what it said at the Welcome, because the fleet has changed.
    pub(super) fn retold(&mut self, now: Instant, answer: &BeatAnswer) {
        let (Some(connection), Some(attachment)) = (&mut self.connection, &mut self.attachment)
        else {
            return;
        };
        let terms = &mut attachment.terms;
        terms.first_window = answer.first_window.or(terms.first_window);
        if let Some(interval) = answer.beat_interval {
            terms.beat_interval = self.config.heartbeat.clamp(interval);
            let heartbeat = &self.config.heartbeat;
            let silence = heartbeat.silence(terms.beat_interval);
            connection.beats.assign(terms.beat_interval, heartbeat.shortest(), silence);
            // At a new phase: else all beats of a fleet stay in the part of the interval they had.
            self.start_beats(now);
        }
    }

    pub(super) fn on_received(&mut self, now: Instant, conn: ConnId) -> LinkVerdict {
        self.last_received = Some(now);
        self.forgiven = 0;
        if self.is_connection(conn) {
            self.heard(now);
        }
        LinkVerdict::Accepted
    }

    pub(super) fn on_frame(
        &mut self,
        now: Instant,
        conn: ConnId,
        frame: &CoordinatorFrame,
    ) -> LinkVerdict {
        self.last_received = Some(now);
        self.forgiven = 0;
        let Some(connection) = self.connection.as_ref().filter(|c| c.conn == conn) else {
            return self.candidate_frame(now, frame);
        };
        let restore = connection.restore;
        self.heard(now);
        match frame {
            CoordinatorFrame::Welcome(_) | CoordinatorFrame::Refused(_) => {
                self.violated(now, conn, Violation::OutOfPlace)
            }
            CoordinatorFrame::InventoryAnswer { index } => {
                self.on_inventory_answer(now, conn, *index)
            }
            CoordinatorFrame::Active => match restore {
                Restore::Saying => self.activated(now, true),
                Restore::Done { confirmed: false } => self.activated(now, true),
                Restore::Due
                | Restore::Taking
                | Restore::Answering { .. }
                | Restore::Done { confirmed: true } => {
                    self.violated(now, conn, Violation::OutOfPlace)
                }
            },
            CoordinatorFrame::BeatAnswer(answer) => self.on_beat_answer(now, conn, answer),
            CoordinatorFrame::Probe => {
                self.request_beat(now);
                LinkVerdict::Accepted
            }
            CoordinatorFrame::Ack(ack) if restore.is_done() => self.on_ack(now, conn, *ack),
            CoordinatorFrame::Ack(_) => self.violated(now, conn, Violation::OutOfPlace),
            CoordinatorFrame::Message(head) => self.on_message(now, conn, restore, *head),
            CoordinatorFrame::GoAway(dismissal) => self.on_go_away(now, conn, *dismissal),
        }
    }

    fn on_inventory_answer(&mut self, now: Instant, conn: ConnId, index: u32) -> LinkVerdict {
        if let Some(connection) = &mut self.connection
            && let Restore::Answering { sent, answered, .. } = &mut connection.restore
            && index == *answered
            && *answered < *sent
        {
            *answered += 1;
            self.restore_progressed(now);
            return LinkVerdict::Answer;
        }
        self.violated(now, conn, Violation::Inventory)
    }

    pub(super) fn on_inventory(&mut self, now: Instant, items: u32) -> LinkVerdict {
        match &mut self.connection {
            Some(connection) if connection.restore == Restore::Taking => {
                connection.restore =
                    Restore::Answering { items, sent: 0, ended: false, answered: 0 };
                self.restore_progressed(now);
                LinkVerdict::Accepted
            }
            Some(_) | None => LinkVerdict::Rejected(LinkRejection::State(self.state)),
        }
    }

    pub(super) fn restore_progressed(&mut self, now: Instant) {
        if let Some(connection) = &self.connection
            && !connection.store_waits
            && !connection.restore.is_done()
        {
            self.timers.arm(Timer::Restore, now + self.config.timeouts.restore);
        }
    }

    /// Both sides said Active.
    fn activated(&mut self, now: Instant, confirmed: bool) -> LinkVerdict {
        let Some(connection) = &mut self.connection else { return LinkVerdict::Stale };
        connection.restore = Restore::Done { confirmed };
        let silence = self.config.heartbeat.silence(connection.beats.interval());
        self.timers.disarm(Timer::Restore);
        if self.state == State::Registered {
            self.enter(now, LinkEvent::Restored, None);
            if let Some(attachment) = &self.attachment {
                self.statistics.activated(now, attachment.session);
            }
            self.attempts.end_outage(now);
            self.judge_quality(now);
            self.timers.disarm(Timer::GiveUp);
            self.timers.disarm(Timer::Leases);
            let stable_after = self.config.reconnect.stable_after.max(silence);
            #[cfg(moorline_planted = "SAFE-10")]
            let stable_after = stable_after / 30;
            self.timers.arm(Timer::Stable, now + stable_after);
        }
        LinkVerdict::Accepted
    }

    fn on_ack(&mut self, now: Instant, conn: ConnId, ack: Ack) -> LinkVerdict {
        let Some(attachment) = &mut self.attachment else { return LinkVerdict::Stale };
        #[cfg(moorline_planted = "LIVE-6")]
        attachment.inboxes[ack.lane.index()].resume(Standing::default());
        if attachment.outboxes[ack.lane.index()].acknowledge(ack.standing) {
            LinkVerdict::Accepted
        } else {
            self.violated(now, conn, Violation::FalseAck)
        }
    }

    fn on_message(
        &mut self,
        now: Instant,
        conn: ConnId,
        restore: Restore,
        head: MessageHead,
    ) -> LinkVerdict {
        match restore {
            Restore::Done { .. } => {}
            // Order is promised inside a lane only: a body on lane B may overtake the Active on
            // lane C. It could only be numbered after our own Active arrived, so it says the same.
            Restore::Saying if head.lane == Lane::B => {
                self.activated(now, false);
            }
            Restore::Due | Restore::Taking | Restore::Answering { .. } | Restore::Saying => {
                return self.violated(now, conn, Violation::OutOfPlace);
            }
        }
        let Some(attachment) = &mut self.attachment else { return LinkVerdict::Stale };
        match attachment.inboxes[head.lane.index()].arrive(head.seq, head.len) {
            Arrival::Deliver => {
                if let Some(connection) = &mut self.connection {
                    connection.beats.disturbed();
                }
                LinkVerdict::Deliver
            }
            Arrival::Duplicate => LinkVerdict::Duplicate,
            arrival @ (Arrival::Gap | Arrival::OverCredit | Arrival::TooLarge) => {
                self.violated(now, conn, Violation::Message(arrival))
            }
        }
    }

    fn on_go_away(&mut self, now: Instant, conn: ConnId, dismissal: Dismissal) -> LinkVerdict {
        let Dismissal { reason, come_back } = dismissal;
        self.notices.close(conn, reason);
        self.drop_connection();
        if !self.is_moving(reason) {
            self.lose(now, LinkEvent::Dismissed, reason, come_back);
        }
        LinkVerdict::Accepted
    }

    pub(super) fn on_closed(&mut self, now: Instant, conn: ConnId, reason: Reason) -> LinkVerdict {
        if self.is_connection(conn) {
            self.drop_connection();
            if !self.is_moving(reason) {
                self.lose(now, LinkEvent::Closed, reason, ComeBack::ByReason);
            }
        } else {
            self.candidate_gone(now, LinkEvent::Closed, reason, ComeBack::ByReason);
        }
        LinkVerdict::Accepted
    }

    /// The coordinator switches when it accepts the Hello, before its Welcome reaches us.
    fn is_moving(&self, reason: Reason) -> bool {
        reason == Reason::Moved && self.candidate.as_ref().is_some_and(super::Candidate::is_greeted)
    }

    pub(super) fn violated(
        &mut self,
        now: Instant,
        conn: ConnId,
        violation: Violation,
    ) -> LinkVerdict {
        if self.is_connection(conn) {
            self.abandon(now, LinkEvent::Violated, Reason::ProtocolError);
        } else {
            self.give_candidate_up(now, LinkEvent::Violated, Reason::ProtocolError);
        }
        LinkVerdict::Violation(violation)
    }

    /// We give the connection up.
    pub(super) fn abandon(&mut self, now: Instant, event: LinkEvent, reason: Reason) {
        self.close_connection(reason);
        self.lose(now, event, reason, ComeBack::ByReason);
    }

    /// Closes the connection, if there is one, without a word on the state.
    pub(super) fn close_connection(&mut self, reason: Reason) {
        if let Some(connection) = &self.connection {
            self.notices.close(connection.conn, reason);
            self.drop_connection();
        }
    }

    /// Nothing of its liveness reaches the next connection (P20).
    fn drop_connection(&mut self) {
        self.connection = None;
        for timer in [
            Timer::Probe,
            Timer::Answer,
            Timer::Silence,
            Timer::Suspicion,
            Timer::Restore,
            Timer::Beat,
            Timer::Extra,
        ] {
            self.timers.disarm(timer);
        }
    }
}
