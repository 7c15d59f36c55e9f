//! The workers of a world and the tasks they are given.

use bytes::Bytes;
use moorline_work::TaskId;

use super::{Latency, MS, SEC, Settings, Temper, good_path};
use crate::decide::{Decide, Site};

/// Handlers that every worker has.
pub(crate) const HANDLERS: [&str; 3] = ["hash", "echo", "sleep"];

/// A worker, its machine, and its way to the coordinator. Its place in the plan is its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerPlan {
    /// It takes no part: as if it were not there, but the others keep their names.
    pub absent: bool,
    /// Who it is; ends with its place in the plan, in 32 bits.
    pub id: u128,
    /// How many attempts it runs at once.
    pub slots: u16,
    /// How many handlers it has, of three: the first ones.
    pub handlers: usize,
    /// When its process begins.
    pub begins_at: u64,
    /// How far its clock is ahead: the zero of every process is another.
    pub clock: u64,
    /// By how many millionths its clock is too fast; at most 100,000 either way.
    pub rate: i32,
    /// The latency of what it sends.
    pub up: Latency,
    /// The latency of what it is sent.
    pub down: Latency,
    /// What is added to both, always.
    pub distance: u64,
}

impl WorkerPlan {
    pub(super) fn draw(
        draws: &dyn Decide,
        index: usize,
        settings: &Settings,
        temper: Temper,
    ) -> Self {
        let entity = index as u64;
        let draw = |k, bound| draws.draw(Site::Worker, entity, k, bound);
        let handlers = HANDLERS.len() as u64;
        let fewer = if index == 0 { 0 } else { draw(1, 4).saturating_sub(1).min(handlers - 1) };
        // A path that is slower than the heartbeats allow is a fault.
        let longest = if temper == Temper::Calm {
            good_path(settings.beat)
        } else {
            (settings.beat * 2).min(2 * SEC)
        };
        let latency = |k| {
            let log = |k, low, high| draws.log_between(Site::Worker, entity, k, low, high);
            if draw(k, 2) == 0 {
                let max = log(k + 1, MS.min(longest), longest);
                Latency::Uniform { min: max / 4, max }
            } else {
                let fast = log(k + 2, MS / 10, longest / 4);
                Latency::Bimodal { fast, slow: longest, ppm: 10_000 }
            }
        };
        Self {
            absent: false,
            id: u128::from(draw(2, u64::MAX)) << 64 | u128::from(entity),
            slots: u16::try_from(1 + draw(0, 4)).unwrap_or(1),
            handlers: usize::try_from(handlers - fewer).unwrap_or(HANDLERS.len()),
            begins_at: 0,
            clock: draw(3, 1_000 * SEC),
            rate: 0,
            up: latency(8),
            down: latency(16),
            distance: 0,
        }
    }
}

/// A task, and how its handlers behave. Its place in the plan is its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskPlan {
    /// It is never handed in: as if it were not there, but the others keep their names.
    pub absent: bool,
    /// Its id; ends with its place in the plan, in 32 bits.
    pub id: u128,
    /// When its client hands it in.
    pub submit_at: u64,
    /// Which of the handlers, from 0.
    pub handler: usize,
    /// Larger goes first.
    pub priority: i16,
    /// Further attempts after a failure that may be retried.
    pub max_retries: u32,
    /// How long one attempt may run.
    pub timeout: Option<u64>,
    /// Bytes of its payload and of its result.
    pub size: usize,
    /// How long a handler runs at most.
    pub work: u64,
    /// It runs until it is told to stop, instead.
    pub endless: bool,
    /// How long a handler that is told to stop takes for it at most.
    pub stops: u64,
    /// How many attempts of a million fail, and may be retried.
    pub failing: u64,
    /// How many attempts of a million panic.
    pub panics: u64,
    /// Handlers say twice that they ended.
    pub twice: bool,
    /// When its client wants it to end.
    pub cancel_at: Option<u64>,
    /// When its client hands it in once more, as clients do that were restarted.
    pub again_at: Option<u64>,
    /// When another client hands in another task under this id.
    pub clash_at: Option<u64>,
}

impl TaskPlan {
    /// Which task of its plan has this id: ids end with the index.
    pub(crate) fn index_of(task: TaskId) -> usize {
        usize::try_from(task.0 & u128::from(u32::MAX)).unwrap_or(usize::MAX)
    }

    /// Its payload, which names it.
    pub(crate) fn payload(&self) -> Bytes {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.resize(bytes.len() + self.size, 0xcd);
        bytes.into()
    }
}

impl TaskPlan {
    pub(super) fn draw_all(draws: &dyn Decide, quiet_at: u64) -> Vec<Self> {
        let count = draws.log_between(Site::Plan, 4, 0, 1, 32);
        // All at once, or over the time in which things go wrong.
        let spread = if draws.draw(Site::Plan, 4, 1, 4) == 0 { MS } else { quiet_at };
        (0..count).map(|index| Self::draw(draws, index, spread)).collect()
    }

    fn draw(draws: &dyn Decide, index: u64, spread: u64) -> Self {
        let draw = |k, bound| draws.draw(Site::Task, index, k, bound);
        let log = |k, low, high| draws.log_between(Site::Task, index, k, low, high);
        let submit_at = draw(0, spread);
        let work = log(1, MS, 30 * SEC);
        let large = draw(2, 25) == 24;
        Self {
            absent: false,
            id: u128::from(draw(3, u64::MAX)) << 64 | u128::from(index),
            submit_at,
            handler: usize::try_from(draw(4, HANDLERS.len() as u64)).unwrap_or(0),
            priority: i16::try_from(draw(5, 3)).unwrap_or(0),
            max_retries: u32::try_from(draw(6, 3)).unwrap_or(0),
            timeout: (draw(7, 6) == 5).then_some(work / 2 + MS),
            size: usize::try_from(if large { log(8, 1 << 14, 300_000) } else { log(8, 1, 512) })
                .unwrap_or(1),
            work,
            endless: false,
            failing: if draw(9, 3) == 0 { 400_000 } else { 0 },
            panics: 0,
            twice: false,
            cancel_at: (draw(10, 10) == 9).then(|| submit_at + draw(11, 20 * SEC)),
            stops: if draw(12, 4) == 3 { log(13, SEC, 60 * SEC) } else { 500 * MS },
            again_at: (draw(14, 8) == 7).then(|| submit_at + draw(15, 60 * SEC)),
            clash_at: (draw(16, 16) == 15).then(|| submit_at + draw(17, 60 * SEC)),
        }
    }
}
