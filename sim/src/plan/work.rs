//! The workers of a world and the tasks they are given.

use bytes::Bytes;
use moorline_work::TaskId;

use super::size::Limits;
use super::{Families, Family, Latency, MS, SEC, Settings, good_path};
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
        families: Families,
        limits: &Limits,
    ) -> Self {
        let entity = index as u64;
        let draw = |k, bound| draws.draw(Site::Worker, entity, k, bound);
        let handlers = HANDLERS.len() as u64;
        let fewer = if index == 0 { 0 } else { draw(1, 4).saturating_sub(1).min(handlers - 1) };
        let log = |k, low, high| draws.log_between(Site::Worker, entity, k, low, high);
        // A path that is slower than the heartbeats allow is a fault.
        let good = good_path(settings.beat);
        let longest = (settings.beat * 2).clamp(good, 20 * SEC);
        let latency = |k: u64| {
            if !families.contains(Family::N1) {
                let max = log(k + 1, MS.min(good), good);
                return Latency::Uniform { min: max / 4, max };
            }
            let min = draw(k + 2, (30 * MS).min(longest));
            let mean = log(k + 3, MS / 10, (400 * MS).min(longest));
            match draw(k, 5) {
                0 => Latency::Fixed { at: min },
                1 => {
                    let max = log(k + 1, MS.min(longest), longest);
                    Latency::Uniform { min: max / 4, max }
                }
                2 => {
                    let cap = longest.max(min);
                    Latency::Exponential { min, mean: (min + mean).min(cap), cap }
                }
                3 => {
                    let fast = log(k + 4, MS / 10, longest / 4);
                    Latency::Bimodal { fast, slow: longest, ppm: 10_000 }
                }
                _ => {
                    let shape = u32::try_from(log(k + 5, 600, 4_000)).unwrap_or(1_000);
                    Latency::Pareto { min: min.max(MS / 10), shape, cap: longest.max(min) }
                }
            }
        };
        let has = |family| families.contains(family);
        let is_far = has(Family::N2) && draw(32, 10) >= 7;
        let rate = i32::try_from(draw(33, 1_001)).unwrap_or(500) - 500;
        let is_late = !families.is_empty() && draw(34, 4) == 3;
        Self {
            absent: false,
            id: u128::from(draw(2, u64::MAX)) << 64 | u128::from(entity),
            slots: u16::try_from(1 + draw(0, 4)).unwrap_or(1),
            handlers: usize::try_from(handlers - fewer).unwrap_or(HANDLERS.len()),
            begins_at: if is_late { draw(35, limits.boot) } else { draw(35, SEC / 4) },
            clock: draw(3, 1_000 * SEC),
            rate: if has(Family::T2) { rate } else { 0 },
            up: latency(8),
            down: latency(16),
            distance: if is_far { draw(36, 500 * MS) } else { 0 },
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

/// What a world's clients do.
#[derive(Clone, Copy)]
struct Workload {
    /// When tasks come: anywhere up to here, ...
    spread: u64,
    /// ... or around so many times; 0: anywhere.
    bursts: u64,
    cancels: bool,
    repeats: bool,
    clashes: bool,
    /// Handlers behave badly.
    is_bad: bool,
}

impl TaskPlan {
    pub(super) fn draw_all(
        draws: &dyn Decide,
        settings: &mut Settings,
        families: Families,
        quiet_at: u64,
        limits: &Limits,
    ) -> Vec<Self> {
        let draw = |k, bound| draws.draw(Site::Plan, 4, k, bound);
        let shape = draw(1, 5);
        // Steady, in bursts, all at once, starved, through a tiny window.
        let count =
            draws.log_between(Site::Plan, 4, 0, 1, if shape == 3 { 3 } else { limits.tasks });
        if shape == 4 {
            (settings.window, settings.window_messages) = (1, settings.window_messages.min(2));
        }
        let workload = Workload {
            spread: if shape == 2 { MS } else { quiet_at },
            bursts: if shape == 1 { 1 + draw(2, 4) } else { 0 },
            cancels: draw(3, 2) == 1,
            repeats: draw(4, 2) == 1,
            clashes: draw(5, 2) == 1,
            is_bad: families.contains(Family::H6),
        };
        (0..count).map(|index| Self::draw(draws, index, workload, limits)).collect()
    }

    fn draw(draws: &dyn Decide, index: u64, workload: Workload, limits: &Limits) -> Self {
        let draw = |k, bound| draws.draw(Site::Task, index, k, bound);
        let log = |k, low, high| draws.log_between(Site::Task, index, k, low, high);
        let Workload { spread, bursts, cancels, repeats, clashes, is_bad } = workload;
        let submit_at = if bursts == 0 {
            draw(0, spread)
        } else {
            (spread / (bursts + 1)) * (1 + draw(18, bursts)) + draw(0, SEC)
        };
        let work = log(1, MS, limits.work);
        let large = draw(2, 25) == 24;
        let stops_late = draw(12, if is_bad { 2 } else { 6 }) > 0;
        Self {
            absent: false,
            id: u128::from(draw(3, u64::MAX)) << 64 | u128::from(index),
            submit_at,
            handler: usize::try_from(draw(4, HANDLERS.len() as u64)).unwrap_or(0),
            priority: i16::try_from(draw(5, 3)).unwrap_or(0),
            max_retries: u32::try_from(draw(6, 3)).unwrap_or(0),
            timeout: (draw(7, 6) == 5).then_some(work / 2 + MS),
            size: usize::try_from(if large {
                log(8, 1 << 14, limits.large)
            } else {
                log(8, 1, 512)
            })
            .unwrap_or(1),
            work,
            endless: false,
            failing: if draw(9, 3) == 0 { 400_000 } else { 0 },
            panics: if is_bad && draw(19, 3) == 2 { 400_000 } else { 0 },
            twice: is_bad && draw(20, 3) == 2,
            cancel_at: (cancels && draw(10, 5) == 4).then(|| submit_at + draw(11, limits.cancel)),
            stops: if stops_late && draw(21, 2) == 1 {
                log(13, SEC, limits.stops)
            } else {
                500 * MS
            },
            again_at: (repeats && draw(14, 4) == 3).then(|| submit_at + draw(15, limits.again)),
            clash_at: (clashes && draw(16, 8) == 7).then(|| submit_at + draw(17, limits.again)),
        }
    }
}
