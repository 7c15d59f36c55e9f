//! When the steps of a way happen.

use crate::check::model::script::{At, Script};
use crate::check::step::Step;
use crate::plan::{MS, Side};
use crate::trace::{Record, Recording, What};
use crate::{FrameKind, Who};

/// From one step to the next: so little that no timer runs out by the way.
const STEP: u64 = 2 * MS;
/// How long a worker waits before it dials: as long as two dials are apart at least.
pub(super) const WAIT: u64 = 100 * MS;
/// When the workers begin.
const BEGIN: u64 = 10 * MS;
/// So often it is looked whether handlers can be so quick and so slow.
const ROUNDS: usize = 16;

/// The times of the steps, in nanoseconds of the world.
#[derive(Debug)]
pub(super) struct Schedule {
    times: Vec<u64>,
    end: u64,
    /// By task: how long its handlers run at most; at least an eighth of that.
    works: Vec<u64>,
}

impl Schedule {
    /// Less than from one step to the next.
    pub(super) const BETWEEN: u64 = STEP / 2;

    pub(super) fn of(script: &Script, tasks: usize) -> Self {
        let mut schedule = Self { times: Vec::new(), end: 0, works: vec![MS; tasks] };
        for _ in 0..ROUNDS {
            schedule.lay(script);
            let mut works = vec![MS; tasks];
            for run in &script.runs {
                let ends = run.ends.map_or(schedule.end + STEP, |(at, _)| schedule.times[at]);
                let lasts = ends - schedule.times[run.starts];
                works[run.task] = works[run.task].max(lasts);
            }
            if works == schedule.works {
                break;
            }
            schedule.works = works;
        }
        schedule
    }

    fn lay(&mut self, script: &Script) {
        self.times = vec![BEGIN];
        let mut free = BEGIN + STEP;
        for (at, step) in (1..).zip(&script.steps) {
            let mut time = free;
            let last = self.times[at - 1];
            if let Step::Wake { worker } = step
                && let Some(since) = script.scenes[at - 1].waits[*worker]
            {
                time = time.max(self.times[since] + WAIT);
            }
            let ended = script.runs.iter().find(|run| run.ends.is_some_and(|(end, _)| end == at));
            if let Some(run) = ended {
                let least = self.works.get(run.task).map_or(0, |work| work / 8 + 1);
                time = time.max(self.times[run.starts] + least);
            }
            free = time + STEP;
            if *step == Step::Expire {
                // It runs out by itself; until it has, nothing else happens.
                free = last.saturating_add(script.scenes[at - 1].expires_in) + 2 * STEP;
            }
            self.times.push(time);
        }
        self.end = free;
    }

    pub(super) fn at(&self, at: At) -> u64 {
        self.times.get(at).copied().unwrap_or(self.end)
    }

    /// When the last step has happened.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn work(&self, task: usize) -> u64 {
        self.works.get(task).copied().unwrap_or(MS)
    }

    /// The step that was taken last by then.
    pub(super) fn step_at(&self, now: u64) -> At {
        self.times.partition_point(|time| *time <= now).saturating_sub(1)
    }

    /// The first step that did not happen at its time.
    pub(super) fn strays_at(&self, script: &Script, recording: &Recording) -> Option<At> {
        let dials = dials(recording);
        (1..).zip(&script.steps).map(|(at, _)| at).find(|at| {
            let until = self.times.get(at + 1).copied().unwrap_or(self.end);
            let expires = script.steps[at - 1] == Step::Expire;
            let is_then = |record: &Record| {
                let time = self.times[*at];
                if expires { (time..until).contains(&record.at) } else { record.at == time }
            };
            let happens =
                |(_, record): (u32, &Record)| is_then(record) && shows(script, *at, record, &dials);
            !is_silent(script, *at) && !recording.iter().any(happens)
        })
    }
}

/// The connections by their numbers: whose, and which of its dials.
fn dials(recording: &Recording) -> Vec<(usize, usize)> {
    let mut counts = Vec::new();
    let mut dials = Vec::new();
    for (_, record) in recording.iter().filter(|(_, record)| record.what == What::Dials) {
        let Some(Who::Worker(worker)) = record.who() else { continue };
        if counts.len() <= worker {
            counts.resize(worker + 1, 0);
        }
        dials.push((worker, counts[worker]));
        counts[worker] += 1;
    }
    dials
}

/// A step of which nothing is seen at once: a connection breaks, and nobody knows yet.
fn is_silent(script: &Script, at: At) -> bool {
    let Step::Cut { worker, .. } = script.steps[at - 1] else { return false };
    let line = script.dials[at].and_then(|dial| script.lines[worker].get(dial));
    line.is_some_and(|line| line.opened.is_some())
}

/// Whether this record is what happens in that step.
fn shows(script: &Script, at: At, record: &Record, dials: &[(usize, usize)]) -> bool {
    let conn = (record.conn as usize).checked_sub(1).and_then(|conn| dials.get(conn)).copied();
    let is = |what: What, who: Who| record.what == what && record.who() == Some(who);
    let on = |worker: usize| conn.is_some() && conn == script.dials[at].map(|dial| (worker, dial));
    match script.steps[at - 1] {
        Step::Wake { worker } => is(What::Dials, Who::Worker(worker)),
        Step::Open { worker, .. } => is(What::Opens, Who::Worker(worker)) && on(worker),
        Step::Up { worker, .. } => is(What::Gets, Who::Coordinator) && on(worker),
        Step::Down { worker, .. } => is(What::Gets, Who::Worker(worker)) && on(worker),
        Step::TellWorker { worker, .. } => is(What::Notices, Who::Worker(worker)) && on(worker),
        Step::TellCoordinator { worker, .. } => is(What::Notices, Who::Coordinator) && on(worker),
        Step::Finish { worker, .. } => is(What::Ends, Who::Worker(worker)),
        Step::Commit => is(What::Durable, Who::Coordinator),
        Step::Cut { worker, .. } => is(What::DialFails, Who::Worker(worker)) && on(worker),
        Step::Crash { worker } => is(What::Gone, Who::Worker(worker)),
        Step::Expire => is(What::Wakes, Who::Coordinator),
        Step::Restart { .. } => is(What::Gone, Who::Coordinator),
        Step::Submit | Step::Cancel { .. } => record.what == What::Asks,
    }
}

/// What a record of [`What::Says`] says.
pub(super) fn said(record: &Record) -> Option<FrameKind> {
    let place = usize::try_from(record.value & u64::from(u32::MAX)).ok()?;
    FrameKind::ALL.get(place).copied()
}

/// Who sends on a connection.
pub(super) const fn side(who: Who) -> Side {
    match who {
        Who::Coordinator => Side::Coordinator,
        Who::Worker(_) => Side::Worker,
    }
}
