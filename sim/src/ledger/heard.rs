//! What reached the coordinator of its workers, and when: by that their silence is measured.

use moorline_link::Epoch;

use super::{Judgement, Ledger, broken, dials};
use crate::Rule;

/// Time that a coordinator could use: without the time in which it was frozen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    pub(super) frozen: u64,
    /// How much of that the coordinator may have taken for its workers' silence at most.
    pub(super) slack: u64,
}

/// A reading of that clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Awake {
    pub(super) at: u64,
    pub(super) slack: u64,
}

/// What reached the coordinator of a worker, in the coordinator's present life.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// The connection on which it was welcomed last.
    pub(super) conn: Option<usize>,
    pub(super) last: Option<Awake>,
    /// The youngest process of it that said Hello, as they are counted.
    pub(super) claimed: u64,
    /// The process that was welcomed last.
    pub(super) holder: Option<u64>,
    pub(super) departed: bool,
}

/// A coordinator may take so much of each freeze for the silence of others: what it is late by is
/// measured from its next deadline, at most its pulse away, and counts from its threshold on.
const SLACK: u64 = 2_200_000_000;

/// Clocks show whole nanoseconds, and each reading and each freeze is off by less than one.
const ROUNDED: u64 = 16;

impl Ledger {
    pub(super) fn reading(&self, now: u64) -> Awake {
        Awake { at: now.saturating_sub(self.awake.frozen), slack: self.awake.slack }
    }

    /// How long ago that was for the coordinator, at most.
    pub(super) fn since(&self, then: Awake, now: u64) -> u64 {
        let now = self.reading(now);
        now.at.saturating_sub(then.at) + (now.slack - then.slack) + ROUNDED
    }

    /// A life of the coordinator begins.
    pub(crate) fn coordinator_began(&mut self, epoch: Epoch, now: u64) -> Judgement {
        self.began = self.reading(now);
        self.workers.fill(Heard::default());
        self.coordinator_talks_anew();
        self.given_anew();
        let last = std::mem::replace(&mut self.epoch, epoch);
        if epoch > last {
            return Ok(());
        }
        broken(Rule::WentBack, format!("{epoch:?} comes after {last:?}"))
    }

    pub(crate) fn coordinator_was_frozen(&mut self, lasted: u64) {
        self.awake.frozen += lasted;
        self.awake.slack += lasted.min(SLACK);
    }

    /// A process of a worker began.
    pub(crate) fn worker_began(&mut self, worker: usize, incarnation: u64, now: u64) {
        self.talk_anew(worker);
        self.diallers[worker] = dials::Dialler::begun(now);
        let number = self.processes.len() as u64 + 1;
        self.processes.insert(incarnation, number);
    }

    /// A process says Hello: those before it are gone.
    pub(crate) fn claimed(&mut self, worker: usize, incarnation: u64) {
        // Where there are two the other one may live.
        if self.is_twofold(worker) {
            return;
        }
        let number = self.number(incarnation);
        let claimed = &mut self.workers[worker].claimed;
        *claimed = number.max(*claimed);
    }

    /// There are two processes of this worker from now on, or two workers of its name.
    pub(crate) fn has_second(&mut self, worker: usize) {
        self.twofold.insert(worker);
    }

    /// Whether there was ever more than one process of this worker at a time.
    pub(crate) fn is_twofold(&self, worker: usize) -> bool {
        self.twofold.contains(&worker)
    }

    fn number(&self, incarnation: u64) -> u64 {
        self.processes.get(&incarnation).copied().unwrap_or(0)
    }

    pub(crate) fn welcomed(&mut self, worker: usize, conn: usize, now: u64) {
        let reading = self.reading(now);
        let process = self.talk.process_of(conn);
        let heard = &mut self.workers[worker];
        heard.holder = Some(process);
        heard.departed = false;
        heard.conn = Some(conn);
        heard.last = Some(reading);
    }

    pub(crate) fn heard(&mut self, worker: usize, conn: usize, now: u64) {
        let reading = self.reading(now);
        let heard = &mut self.workers[worker];
        if heard.conn == Some(conn) {
            heard.last = Some(reading);
        }
    }

    /// The coordinator gives a worker's connection up: what still arrives on it counts no more.
    /// `silence`: because nothing was heard for at least this long.
    pub(crate) fn detached(&mut self, worker: usize, silence: Option<u64>, now: u64) -> Judgement {
        let last = self.workers[worker].last.unwrap_or(self.began);
        self.workers[worker].conn = None;
        let silent = self.since(last, now);
        if silence.is_none_or(|least| silent >= least) {
            return Ok(());
        }
        let silent = silent / 1_000_000;
        broken(Rule::LostEarly, format!("w{worker} is disconnected after {silent} ms"))
    }

    /// The coordinator shows a worker as one that is here. `most`: how long it may have been silent.
    pub(crate) fn shown(&self, worker: usize, most: u64, now: u64) -> Judgement {
        let last = self.workers[worker].last.unwrap_or(self.began);
        let silent = self.reading(now).at.saturating_sub(last.at);
        if silent <= most {
            return Ok(());
        }
        let silent = silent / 1_000_000;
        broken(Rule::ShownWrongly, format!("w{worker} is shown as here, silent for {silent} ms"))
    }

    /// A worker says goodbye on this connection: one of two processes speaks for itself only.
    pub(crate) fn departed(&mut self, worker: usize, conn: usize) {
        let is_twofold = self.is_twofold(worker);
        let heard = &mut self.workers[worker];
        heard.departed |= !is_twofold || heard.conn == Some(conn);
    }

    /// Whether the coordinator may give away what this process holds, and how long it was silent.
    pub(super) fn may_be_given_away(
        &self,
        worker: usize,
        incarnation: u64,
        now: u64,
    ) -> Result<(), u64> {
        let heard = &self.workers[worker];
        let gave_way =
            self.is_twofold(worker) && heard.holder.is_some_and(|holder| holder != incarnation);
        if heard.departed || gave_way || heard.claimed > self.number(incarnation) {
            return Ok(());
        }
        let (silent, least) = match heard.last {
            Some(last) => (self.since(last, now), self.lost_after),
            None => (self.since(self.began, now), self.lost_after.max(self.start_grace)),
        };
        if silent >= least { Ok(()) } else { Err(silent) }
    }

    /// The coordinator says that a worker is lost.
    pub(crate) fn lost(&self, worker: usize, incarnation: u64, now: u64) -> Judgement {
        let holder = self.workers[worker].holder.filter(|_| self.is_twofold(worker));
        let incarnation = holder.unwrap_or(incarnation);
        match self.may_be_given_away(worker, incarnation, now) {
            Ok(()) => Ok(()),
            Err(silent) => broken(
                Rule::LostEarly,
                format!("w{worker} is lost after {} ms of silence", silent / 1_000_000),
            ),
        }
    }
}
