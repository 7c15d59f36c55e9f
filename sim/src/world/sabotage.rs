//! Where a part of the world lies, if its plan says so.

use moorline_link::Reason;
use moorline_node::{DownFrame, ToWorker, UpFrame};
use moorline_work::{Disposition, Outcome, Refusal, WorkerMessage};

use super::{Event, Sabotage, World};
use crate::plan::Nudge;

impl World {
    pub(super) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.plan.sabotage == Some(sabotage)
    }

    /// What becomes of frames on their way to the coordinator.
    pub(super) fn spoil_up(&self, frames: &mut [UpFrame]) {
        let Some(sabotage) = self.plan.sabotage else { return };
        for frame in frames {
            match frame {
                UpFrame::Hello { about, .. } if sabotage == Sabotage::SlotsDiffer => {
                    about.slots += 1;
                }
                UpFrame::Message(message) => match message.head {
                    WorkerMessage::Accept { key } if sabotage == Sabotage::AcceptsLie => {
                        let refusal = Refusal::NoSlot;
                        message.head = WorkerMessage::Refuse { key, refusal };
                    }
                    WorkerMessage::Result { key, outcome: Outcome::Succeeded }
                        if sabotage == Sabotage::OutcomesChange =>
                    {
                        let outcome = Outcome::Failed { retryable: false };
                        message.head = WorkerMessage::Result { key, outcome };
                    }
                    WorkerMessage::Result { outcome: Outcome::Succeeded, .. }
                        if sabotage == Sabotage::ResultsChange =>
                    {
                        let mut body = message.body.to_vec();
                        if let Some(first) = body.first_mut() {
                            *first ^= 1;
                        }
                        message.body = body.into();
                    }
                    WorkerMessage::Accept { .. }
                    | WorkerMessage::Refuse { .. }
                    | WorkerMessage::Held { .. }
                    | WorkerMessage::NotHeld { .. }
                    | WorkerMessage::Result { .. } => {}
                },
                UpFrame::Hello { .. }
                | UpFrame::InventoryItem { .. }
                | UpFrame::InventoryEnd { .. }
                | UpFrame::Active
                | UpFrame::Beat(_)
                | UpFrame::Statistics(_)
                | UpFrame::Ack(_)
                | UpFrame::Part(_)
                | UpFrame::Goodbye { .. } => {}
            }
        }
    }

    /// What becomes of frames on their way to a worker.
    pub(super) fn spoil_down(&self, frames: &mut Vec<DownFrame>) {
        let Some(sabotage) = self.plan.sabotage else { return };
        if sabotage == Sabotage::BeatsVanish {
            frames.retain(|frame| !matches!(frame, DownFrame::BeatAnswer(_)));
        }
        for frame in frames {
            if let DownFrame::Message(message) = frame
                && let ToWorker::Settled { disposition, .. } = &mut message.head
                && *disposition == Disposition::Accepted
                && sabotage == Sabotage::AnswersLie
            {
                *disposition = Disposition::Unknown;
            }
        }
    }

    /// What becomes of a dial that should have succeeded.
    pub(super) fn spoil_dial(&mut self, conn: usize, back: u64) -> bool {
        let worker = self.network.conn(conn).worker;
        let never =
            self.is_sabotaged(Sabotage::NeverBack) && worker == 0 && self.now >= self.plan.quiet_at;
        let reason = if self.is_sabotaged(Sabotage::Banned) {
            Reason::AuthRevoked
        } else if never {
            Reason::ConnectRefused
        } else {
            return false;
        };
        self.network.close(conn, crate::plan::Side::Coordinator);
        self.after(back, Event::DialFailed { conn, reason });
        true
    }

    /// Everything has healed, or it seems so.
    pub(super) fn spoil_quiet(&mut self) {
        if self.is_sabotaged(Sabotage::NeverBack) {
            self.nudge(0, Nudge::Reconnect);
        }
    }

    /// There is nothing to do, or it seems so.
    pub(super) fn spoil_silence(&mut self) {
        if self.is_sabotaged(Sabotage::Restless) {
            self.nudge(0, Nudge::Migrate);
        }
    }
}
