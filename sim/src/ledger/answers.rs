//! What reaches a worker on a connection: by that it is judged whether it may give its coordinator up.

use moorline_link::Reason;
use moorline_node::DownFrame;

use super::{Judgement, Ledger, broken};
use crate::Rule;

/// An answer to a beat so many beats ago proves life, but that the path is bad as well.
const FORGOTTEN: u32 = 8;

/// What has reached a worker on one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    /// The last of its beats that was answered before it was forgotten.
    beat: u32,
    /// When anything was heard last, on the worker's clock.
    heard: u64,
    /// It was sent away, or could not write for a while: beats say nothing of the coordinator then.
    excused: bool,
}

/// How long a worker bears with a coordinator that does not answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Beats that may go unanswered; the last ends the connection.
    pub(super) misses: u32,
    /// Silence without which it is not even asked whether anybody is there, in nanoseconds: four fifths
    /// of the hard timeout.
    pub(super) silence: u64,
}

impl Answers {
    /// A frame arrived, after this beat had been written.
    pub(super) fn hears(&mut self, frame: &DownFrame, last_beat: u32, now: u64) {
        self.heard = now;
        match frame {
            DownFrame::BeatAnswer(answer) => {
                if last_beat.saturating_sub(answer.seq) < FORGOTTEN {
                    self.beat = answer.seq.max(self.beat);
                }
            }
            DownFrame::GoAway { .. } => self.excused = true,
            DownFrame::Welcome { .. }
            | DownFrame::Refused { .. }
            | DownFrame::InventoryAnswer { .. }
            | DownFrame::Active
            | DownFrame::Probe
            | DownFrame::Ack(_)
            | DownFrame::Message(_)
            | DownFrame::Part(_) => {}
        }
    }
}

impl Ledger {
    /// A worker's connection takes nothing for now.
    pub(crate) fn worker_blocked(&mut self, conn: usize) {
        self.talk.answers_mut(conn).excused = true;
    }

    /// A worker closes a connection.
    pub(crate) fn worker_closes(&self, conn: usize, reason: Reason, now: u64) -> Judgement {
        let (worker, last_beat, answers) = self.talk.answers(conn);
        if answers.excused {
            return Ok(());
        }
        let early = |words: String| {
            broken(Rule::GivenUpEarly, format!("w{worker} gives c{conn} up after {words}"))
        };
        let Patience { misses, silence } = self.patience;
        if reason == Reason::HeartbeatUnacked {
            let unanswered = last_beat - answers.beat;
            if unanswered < misses {
                return early(format!("{unanswered} of {misses} beats were not answered"));
            }
        }
        if reason == Reason::HeartbeatTimeout {
            let silent = now.saturating_sub(answers.heard);
            if silent < silence {
                let millis = silent / 1_000_000;
                return early(format!("{millis} ms of silence"));
            }
        }
        Ok(())
    }
}
