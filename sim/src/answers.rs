//! What reaches a worker on a connection: by that it is judged whether it may give its coordinator up.

use moorline_link::Reason;
use moorline_node::DownFrame;

/// An answer to a beat so many beats ago proves life, but that the path is bad as well.
const FORGOTTEN: u32 = 8;

/// What has reached a worker on one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    /// The last of its beats that was answered before it was forgotten.
    beat: u32,
    /// When anything was heard last, on the worker's clock.
    heard: u64,
    /// It was sent away, or could not write for a while: beats say nothing of the coordinator then.
    excused: bool,
}

/// For how long a worker bears with a coordinator that does not answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Beats that may go unanswered; the last ends the connection.
    pub(crate) misses: u32,
    /// Silence without which it is not even asked whether anybody is there, in nanoseconds: four fifths
    /// of the hard timeout.
    pub(crate) silence: u64,
}

impl Answers {
    /// A frame arrived, after this beat had been written.
    pub(crate) fn hears(&mut self, frame: &DownFrame, last_beat: u32, now: u64) {
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
            | DownFrame::Part(_)
            | DownFrame::Endpoints(_)
            | DownFrame::Redirect(_) => {}
        }
    }

    /// The worker could not write for a while.
    pub(crate) fn excuse(&mut self) {
        self.excused = true;
    }

    /// What is wrong about closing the connection for this reason, after this beat had been written.
    pub(crate) fn is_early(
        &self,
        reason: Reason,
        last_beat: u32,
        now: u64,
        patience: Patience,
    ) -> Option<String> {
        let Patience { misses, silence } = patience;
        let unanswered = self.unanswered(last_beat);
        let silent = now.saturating_sub(self.heard);
        if self.excused {
            None
        } else if reason == Reason::HeartbeatUnacked && unanswered < misses {
            Some(format!("{unanswered} of {misses} beats were not answered"))
        } else if reason == Reason::HeartbeatTimeout && silent < silence {
            Some(format!("{} ms of silence", silent / 1_000_000))
        } else {
            None
        }
    }

    /// What of it decides whether the connection may be closed.
    pub(crate) const fn state(&self, last_beat: u32) -> (u32, u64, bool) {
        (self.unanswered(last_beat), self.heard, self.excused)
    }

    /// How many beats were not answered.
    const fn unanswered(&self, last_beat: u32) -> u32 {
        last_beat.saturating_sub(self.beat)
    }
}

#[cfg(test)]
mod tests {
    use moorline_link::{BeatAnswer, Epoch, Flags};

    use super::*;

    const PATIENCE: Patience = Patience { misses: 3, silence: 1_000 };

    fn answer(seq: u32) -> DownFrame {
        DownFrame::BeatAnswer(BeatAnswer {
            seq,
            epoch: Epoch(1),
            known: true,
            flags: Flags::default(),
            free: 0,
            quiet: true,
            waiting: false,
            first_window: None,
            beat_interval: None,
        })
    }

    #[test]
    fn a_coordinator_may_be_given_up_after_so_many_beats_without_an_answer_and_not_before() {
        let mut answers = Answers::default();
        let is_early = |answers: &Answers, beat| {
            answers.is_early(Reason::HeartbeatUnacked, beat, 0, PATIENCE).is_some()
        };
        assert!(is_early(&answers, 2) && !is_early(&answers, 3));
        answers.hears(&answer(2), 4, 0);
        assert!(is_early(&answers, 4) && !is_early(&answers, 5));
        // So late that it was forgotten.
        answers.hears(&answer(3), 3 + FORGOTTEN, 0);
        assert!(!is_early(&answers, 5));
        answers.hears(&answer(4), 3 + FORGOTTEN, 0);
        assert!(is_early(&answers, 6) && !is_early(&answers, 7));
    }

    #[test]
    fn a_coordinator_may_be_given_up_after_so_long_a_silence_and_not_before() {
        let mut answers = Answers::default();
        answers.hears(&DownFrame::Probe, 0, 500);
        let is_early = |now| answers.is_early(Reason::HeartbeatTimeout, 0, now, PATIENCE).is_some();
        assert!(is_early(1_499) && !is_early(1_500));
        assert_eq!(answers.is_early(Reason::ClosedByPeer, 0, 0, PATIENCE), None);
    }

    #[test]
    fn who_could_not_write_is_not_judged() {
        let mut answers = Answers::default();
        answers.excuse();
        assert_eq!(answers.is_early(Reason::HeartbeatUnacked, 0, 0, PATIENCE), None);
    }
}
