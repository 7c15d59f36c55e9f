//! What is due, derived from the state whenever it is asked for.

use super::{Link, LinkAction, LinkTransmit, Phase, Restore};
use crate::{Ack, ConnId, Instant, Lane, MessageHead, Reason, WorkerFrame};

impl Link {
    /// What the driver is to do next. `poll_action` and `next_wake` both ask here.
    pub(super) fn next_action(&self) -> Option<LinkAction> {
        if let Some(tag) = self.next_released().map(|(_, tag)| tag) {
            return Some(LinkAction::Released { tag });
        }
        if let Some(notice) = self.notices.next() {
            return Some(notice);
        }
        if let Some(candidate) = &self.candidate
            && candidate.phase == Phase::Due
        {
            let timeout = self.config.timeouts.connect;
            return Some(LinkAction::Dial {
                conn: candidate.conn,
                attempt: candidate.attempt,
                timeout,
            });
        }
        if let (Some(connection), Some(attachment)) = (&self.connection, &self.attachment)
            && connection.restore == Restore::Due
        {
            let resumed = !attachment.untold;
            return Some(LinkAction::TakeInventory { session: attachment.session, resumed });
        }
        None
    }

    fn next_released(&self) -> Option<(Lane, crate::Tag)> {
        let attachment = self.attachment.as_ref()?;
        Lane::ALL
            .into_iter()
            .find_map(|lane| attachment.outboxes[lane.index()].released().map(|tag| (lane, tag)))
    }

    /// `action` is what [`Link::next_action`] said.
    pub(super) fn commit_action(&mut self, action: LinkAction) {
        match action {
            LinkAction::Released { .. } => {
                if let Some((lane, _)) = self.next_released()
                    && let Some(attachment) = &mut self.attachment
                {
                    attachment.outboxes[lane.index()].pop_released();
                }
            }
            LinkAction::Dial { .. } => {
                if let Some(candidate) = &mut self.candidate {
                    candidate.phase = Phase::Dialling;
                }
            }
            LinkAction::TakeInventory { .. } => {
                if let Some(connection) = &mut self.connection {
                    connection.restore = Restore::Taking;
                }
                if let Some(attachment) = &mut self.attachment {
                    attachment.untold = false;
                }
            }
            LinkAction::Close { .. }
            | LinkAction::Announce(_)
            | LinkAction::BeatMissed { .. }
            | LinkAction::BeatRecovered
            | LinkAction::Suspicion { .. }
            | LinkAction::Interval { .. }
            | LinkAction::Degraded(_)
            | LinkAction::HandBack
            | LinkAction::LeasesExpired
            | LinkAction::CandidateLost { .. }
            | LinkAction::Stalled { .. } => self.notices.commit(),
        }
    }

    /// What to write next on this connection. `poll_transmit` and `wants_transmit` both ask here.
    pub(super) fn next_transmit(&self, conn: ConnId, lane: Lane) -> Option<LinkTransmit> {
        if !self.is_connection(conn) {
            let candidate = self.candidate.as_ref().filter(|candidate| candidate.conn == conn)?;
            let greets = candidate.phase == Phase::Open && lane == Lane::C;
            return greets.then(|| LinkTransmit::Frame(WorkerFrame::Hello(self.hello())));
        }
        match lane {
            Lane::C => self
                .next_connection_frame()
                .or_else(|| self.next_ack())
                .or_else(|| self.next_figures())
                .map(LinkTransmit::Frame)
                .or_else(|| self.next_message(Lane::C))
                .or_else(|| self.next_goodbye().map(LinkTransmit::Frame)),
            Lane::B => self.next_message(Lane::B),
        }
    }

    /// Beats never wait behind anything (P23); then what makes the connection usable.
    fn next_connection_frame(&self) -> Option<WorkerFrame> {
        let connection = self.connection.as_ref()?;
        if connection.beats.is_due() {
            return Some(WorkerFrame::Beat(self.next_beat(connection.beats.next_seq())));
        }
        match connection.restore {
            Restore::Answering { items, sent, .. } if sent < items => {
                Some(WorkerFrame::InventoryItem { index: sent })
            }
            Restore::Answering { items, ended: false, .. } => {
                Some(WorkerFrame::InventoryEnd { count: items })
            }
            Restore::Answering { items, answered, .. } if answered == items => {
                Some(WorkerFrame::Active)
            }
            Restore::Due
            | Restore::Taking
            | Restore::Answering { .. }
            | Restore::Saying
            | Restore::Done { .. } => None,
        }
    }

    fn next_ack(&self) -> Option<WorkerFrame> {
        let (connection, attachment) = (self.connection.as_ref()?, self.attachment.as_ref()?);
        if !connection.restore.is_done() {
            return None;
        }
        Lane::ALL.into_iter().find_map(|lane| {
            let limits = self.config.lanes.of(lane);
            let inbox = &attachment.inboxes[lane.index()];
            let ack = Ack { lane, standing: inbox.standing(limits) };
            inbox.owes_ack(limits).then_some(WorkerFrame::Ack(ack))
        })
    }

    fn next_message(&self, lane: Lane) -> Option<LinkTransmit> {
        let (connection, attachment) = (self.connection.as_ref()?, self.attachment.as_ref()?);
        if !connection.restore.is_done() || connection.beats.is_probing() {
            return None;
        }
        let (seq, tag, len) = attachment.outboxes[lane.index()].next()?;
        Some(LinkTransmit::Message { head: MessageHead { lane, seq, len }, tag })
    }

    /// The last frame of all: nothing else is due.
    fn next_goodbye(&self) -> Option<WorkerFrame> {
        self.is_leaving().then_some(WorkerFrame::Goodbye { reason: Reason::WorkerStopping })
    }

    /// `transmit` is what [`Link::next_transmit`] said; it is written at `now`.
    pub(super) fn commit_transmit(&mut self, now: Instant, transmit: LinkTransmit) {
        let frame = match transmit {
            LinkTransmit::Message { head, .. } => {
                if let Some(attachment) = &mut self.attachment {
                    let again = attachment.outboxes[head.lane.index()].commit();
                    self.resent = self.resent.saturating_add(u64::from(again));
                }
                if let Some(connection) = &mut self.connection {
                    connection.beats.disturbed();
                }
                return;
            }
            LinkTransmit::Frame(frame) => frame,
        };
        match frame {
            WorkerFrame::Hello(hello) => self.greeted(now, &hello),
            WorkerFrame::Beat(beat) => self.beat_written(now, beat),
            WorkerFrame::InventoryItem { .. } => {
                if let Some(Restore::Answering { sent, .. }) = self.restore_mut() {
                    *sent += 1;
                }
                self.restore_progressed(now);
            }
            WorkerFrame::InventoryEnd { .. } => {
                if let Some(Restore::Answering { ended, .. }) = self.restore_mut() {
                    *ended = true;
                }
                self.restore_progressed(now);
            }
            WorkerFrame::Active => {
                if let Some(restore) = self.restore_mut() {
                    *restore = Restore::Saying;
                }
                self.restore_progressed(now);
            }
            WorkerFrame::Ack(ack) => {
                let limits = self.config.lanes.of(ack.lane);
                if let Some(attachment) = &mut self.attachment {
                    attachment.inboxes[ack.lane.index()].commit_ack(limits);
                }
            }
            WorkerFrame::Statistics(_) => {
                if let Some(connection) = &mut self.connection {
                    connection.figures_due = None;
                }
            }
            WorkerFrame::Goodbye { .. } => self.shut_down(now),
            // A message is a transmit of its own.
            WorkerFrame::Message(_) => {}
        }
    }

    fn restore_mut(&mut self) -> Option<&mut Restore> {
        self.connection.as_mut().map(|connection| &mut connection.restore)
    }
}
