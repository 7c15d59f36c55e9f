//! Where a part of the world lies, if its plan says so.

use moorline_link::{Backoff, Beat, First, Flags, Jitter, LinkConfig, Reason, Reconnect};
use moorline_node::{DownFrame, ToWorker, UpFrame, WorkerInput};
use moorline_work::{
    DispatcherConfig, DispatcherSettings, Disposition, Outcome, Refusal, WorkerMessage,
};

use super::phases::Phase;
use super::swallow::NOBODYS;
use super::worker::{in_nanos, name};
use super::{Event, Sabotage, World};
use crate::plan::{Nudge, SEC, Told};

impl World {
    pub(super) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.plan.sabotage == Some(sabotage)
    }

    /// How a worker's process is set up.
    pub(super) fn spoil_link(&self, link: &mut LinkConfig) {
        if self.is_sabotaged(Sabotage::Impatient) {
            link.heartbeat = link.heartbeat.with_misses(1).unwrap_or(link.heartbeat);
        }
        let (delay, first) = match self.plan.sabotage {
            Some(Sabotage::DialsLate) => (SEC * 3, First::Backoff),
            Some(Sabotage::DialsTogether) => (SEC, First::Immediate),
            Some(_) | None => return,
        };
        let delay = in_nanos(delay);
        if let Ok(backoff) = Backoff::new(delay, delay, 1_000, Jitter::None, first) {
            link.reconnect = Reconnect::new(backoff);
        }
    }

    /// How the coordinator's process is set up.
    pub(super) fn spoil_dispatcher(&self, config: DispatcherConfig) -> DispatcherConfig {
        if !self.is_sabotaged(Sabotage::WindowGrows) {
            return config;
        }
        let settings = DispatcherSettings { window: 256, ..*config.settings() };
        DispatcherConfig::new(settings).unwrap_or(config)
    }

    /// What a worker writes.
    pub(super) fn spoil_said_up(&self, frames: &mut Vec<UpFrame>) {
        let Some(sabotage) = self.plan.sabotage else { return };
        let flags = Flags::default();
        let beat = UpFrame::Beat(Beat { seq: 1, flags, free: 0, quiet: false, rtt_micros: 0 });
        if sabotage == Sabotage::EarlyBeat && matches!(frames[..], [UpFrame::Hello { .. }]) {
            frames.insert(0, beat);
        } else if sabotage == Sabotage::Restless
            && matches!(self.phase, Phase::Silence { from, .. } if self.now > from)
        {
            frames.push(UpFrame::Active);
        } else if sabotage == Sabotage::SpeaksOn
            && matches!(frames.last(), Some(UpFrame::Goodbye { .. }))
        {
            frames.push(beat);
        }
    }

    /// What the coordinator writes.
    pub(super) fn spoil_said_down(&self, frames: &mut [DownFrame]) {
        for frame in frames {
            if let (DownFrame::Welcome { head, .. }, Some(Sabotage::WelcomesOn)) =
                (frame, self.plan.sabotage)
            {
                head.resumed = true;
            }
        }
    }

    /// What the coordinator makes of what it has heard.
    pub(super) fn spoil_heard(&self, frames: &mut [UpFrame]) {
        for frame in frames {
            if let (UpFrame::Hello { about, .. }, Some(Sabotage::SlotsBelieved)) =
                (frame, self.plan.sabotage)
            {
                about.slots += 1;
            }
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
                UpFrame::Beat(beat) if sabotage == Sabotage::AllPaused => beat.flags.paused = true,
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
            if let (
                DownFrame::BeatAnswer(answer),
                Sabotage::AssignsVanish | Sabotage::SlotsBelieved,
            ) = (&mut *frame, sabotage)
            {
                // Else both sides would find out that they count other slots as free.
                answer.quiet = false;
            }
            if let (DownFrame::BeatAnswer(answer), Sabotage::AllPaused) = (&mut *frame, sabotage) {
                answer.flags.paused = false;
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
        if self.is_sabotaged(Sabotage::Ghosts) {
            for worker in &mut self.workers {
                worker.incarnation ^= 1;
            }
        }
        if self.is_sabotaged(Sabotage::FiguresReset) {
            self.tell_worker(0, WorkerInput::ResetStatistics);
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
}
