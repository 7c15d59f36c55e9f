//! What is due, derived from the state whenever it is asked for.

use super::{Connection, Link, LinkAction, LinkTransmit, Phase, Restore};
use crate::{Ack, ConnId, Instant, Lane, MessageHead, Reason, Tag, WorkerFrame};

/// A frame that a connection has due: it is made when it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    Hello,
    Beat,
    InventoryItem(u32),
    InventoryEnd(u32),
    Active,
    Ack(Lane),
    Figures,
    Message(MessageHead, Tag),
    Goodbye,
}

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

    fn next_released(&self) -> Option<(Lane, Tag)> {
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
    pub(super) fn next_transmit(&self, conn: ConnId, lane: Lane) -> Option<Due> {
        let Some(connection) = self.connection.as_ref().filter(|it| it.conn == conn) else {
            let candidate = self.candidate.as_ref().filter(|candidate| candidate.conn == conn)?;
            let greets = candidate.phase == Phase::Open && lane == Lane::C;
            return greets.then_some(Due::Hello);
        };
        match lane {
            Lane::C => next_to_restore(connection)
                .or_else(|| self.next_ack(connection))
                .or_else(|| connection.figures_due.is_some().then_some(Due::Figures))
                .or_else(|| self.next_message(connection, Lane::C))
                // The last frame of all: nothing else is due.
                .or_else(|| self.is_leaving().then_some(Due::Goodbye)),
            Lane::B => self.next_message(connection, Lane::B),
        }
    }

    fn next_ack(&self, connection: &Connection) -> Option<Due> {
        let attachment = self.attachment.as_ref().filter(|_| connection.restore.is_done())?;
        let owing =
            |lane: &Lane| attachment.inboxes[lane.index()].owes_ack(self.config.lanes.of(*lane));
        Lane::ALL.into_iter().find(owing).map(Due::Ack)
    }

    fn next_message(&self, connection: &Connection, lane: Lane) -> Option<Due> {
        let attachment = self.attachment.as_ref()?;
        if !connection.restore.is_done() || connection.beats.is_probing() {
            return None;
        }
        let (seq, tag, len) = attachment.outboxes[lane.index()].next()?;
        Some(Due::Message(MessageHead { lane, seq, len }, tag))
    }

    /// `due` is what [`Link::next_transmit`] said; it is written at `now`.
    pub(super) fn commit_transmit(&mut self, now: Instant, due: Due) -> Option<LinkTransmit> {
        let frame = match due {
            Due::Hello => {
                let hello = self.hello();
                self.greeted(now, &hello);
                WorkerFrame::Hello(hello)
            }
            Due::Beat => {
                let beat = self.next_beat(self.connection.as_ref()?.beats.next_seq());
                self.beat_written(now, beat);
                WorkerFrame::Beat(beat)
            }
            Due::InventoryItem(index) => {
                if let Some(Restore::Answering { sent, .. }) = self.restore_mut() {
                    *sent += 1;
                }
                self.restore_progressed(now);
                WorkerFrame::InventoryItem { index }
            }
            Due::InventoryEnd(count) => {
                if let Some(Restore::Answering { ended, .. }) = self.restore_mut() {
                    *ended = true;
                }
                self.restore_progressed(now);
                WorkerFrame::InventoryEnd { count }
            }
            Due::Active => {
                if let Some(restore) = self.restore_mut() {
                    *restore = Restore::Saying;
                }
                self.restore_progressed(now);
                WorkerFrame::Active
            }
            Due::Ack(lane) => {
                let limits = self.config.lanes.of(lane);
                let inbox = &mut self.attachment.as_mut()?.inboxes[lane.index()];
                inbox.commit_ack(limits);
                WorkerFrame::Ack(Ack { lane, standing: inbox.standing(limits) })
            }
            Due::Figures => WorkerFrame::Statistics(self.connection.as_mut()?.figures_due.take()?),
            Due::Message(head, tag) => {
                let again = self.attachment.as_mut()?.outboxes[head.lane.index()].commit();
                self.resent = self.resent.saturating_add(u64::from(again));
                self.connection.as_mut()?.beats.disturbed();
                return Some(LinkTransmit::Message { head, tag });
            }
            Due::Goodbye => {
                let reason = Reason::WorkerStopping;
                self.shut_down(now);
                WorkerFrame::Goodbye { reason }
            }
        };
        Some(LinkTransmit::Frame(frame))
    }

    fn restore_mut(&mut self) -> Option<&mut Restore> {
        self.connection.as_mut().map(|connection| &mut connection.restore)
    }
}

/// Beats never wait behind anything (P23); then what makes the connection usable.
fn next_to_restore(connection: &Connection) -> Option<Due> {
    if connection.beats.is_due() {
        return Some(Due::Beat);
    }
    match connection.restore {
        Restore::Answering { items, sent, .. } if sent < items => Some(Due::InventoryItem(sent)),
        Restore::Answering { items, ended: false, .. } => Some(Due::InventoryEnd(items)),
        Restore::Answering { items, answered, .. } if answered == items => Some(Due::Active),
        Restore::Due
        | Restore::Taking
        | Restore::Answering { .. }
        | Restore::Saying
        | Restore::Done { .. } => None,
    }
}
