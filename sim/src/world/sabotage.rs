//! Where a part of the world lies, if its plan says so.

use moorline_link::{Instant, Reason};
use moorline_node::{DownFrame, ToWorker, UpFrame};
use moorline_work::{Disposition, Outcome, Refusal, WorkerMessage};

use super::swallow::NOBODYS;
use super::worker::name;
use super::{Event, Sabotage, World};
use crate::plan::{Nudge, Told, Who};

/// How much faster or slower than time a clock runs that does not run right.
const RATE: u64 = 4;

impl World {
    pub(super) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.plan.sabotage == Some(sabotage)
    }

    /// What the clock of the coordinator's machine shows.
    pub(super) fn clock_of_coordinator(&self) -> Instant {
        let nanos = match self.plan.sabotage {
            Some(Sabotage::ClockRaces) => self.now * RATE,
            Some(Sabotage::ClockCrawls) => self.now / RATE,
            Some(_) | None => self.now,
        };
        Instant::from_nanos(nanos)
    }

    /// When the clock of a process shows this.
    pub(super) fn real_time_of(&self, who: Who, at: u64) -> u64 {
        match (who, self.plan.sabotage) {
            (Who::Coordinator, Some(Sabotage::ClockRaces)) => at.div_ceil(RATE),
            (Who::Coordinator, Some(Sabotage::ClockCrawls)) => at.saturating_mul(RATE),
            (Who::Coordinator | Who::Worker(_), Some(_) | None) => at,
        }
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
                    WorkerMessage::NotHeld { key } if sabotage == Sabotage::AssignsVanish => {
                        message.head = WorkerMessage::Held { key };
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
            if let (DownFrame::BeatAnswer(answer), Sabotage::AssignsVanish) =
                (&mut *frame, sabotage)
            {
                // Else both sides would find out that they count other slots as free.
                answer.quiet = false;
            }
            let DownFrame::Message(message) = frame else { continue };
            match &mut message.head {
                ToWorker::Settled { disposition: disposition @ Disposition::Accepted, .. }
                    if sabotage == Sabotage::AnswersLie =>
                {
                    *disposition = Disposition::Unknown;
                }
                ToWorker::Assign { key, handler, .. } if sabotage == Sabotage::AssignsVanish => {
                    (*key, *handler) = (NOBODYS, name("nobody's"));
                }
                ToWorker::Assign { .. }
                | ToWorker::Settled { .. }
                | ToWorker::Cancel { .. }
                | ToWorker::Revoke { .. } => {}
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

    /// Everybody is back, or it seems so.
    pub(super) fn spoil_back(&mut self) {
        if self.is_sabotaged(Sabotage::Breaks)
            && let Some(conn) = self.network.of(0).first().copied()
        {
            self.cut(conn, Told::Both);
        }
    }

    /// There is nothing to do, or it seems so.
    pub(super) fn spoil_silence(&mut self) {
        if self.is_sabotaged(Sabotage::Restless) {
            self.nudge(0, Nudge::Migrate);
        }
    }
}
