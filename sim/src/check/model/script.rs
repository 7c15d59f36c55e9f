//! What a way through a searched world is for its parts: which packet arrives at which step, when a handler
//! ends, who learns when that a connection is over.

use moorline_node::{DownFrame, Packet, UpFrame};
use moorline_work::RunId;

use super::super::process::{Kept, is_awaited};
use super::super::step::{Ending, Step};
use super::super::wire::{Course, Pipe, Wire};
use super::{Model, World};
use crate::check::explore::Space;
use crate::frame::FrameKind;
use crate::plan::{Side, TaskPlan};
use std::sync::Arc;

/// A step of the way, from 1; 0 is the beginning.
pub(in crate::check) type At = usize;

/// How an end of a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::check) enum Leaving {
    /// Its process is told that the connection is over.
    Told,
    /// Its process closes it.
    Closes,
    /// Its process ends.
    Ends,
}

/// A packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::check) struct Sent {
    pub(in crate::check) at: At,
    lane: usize,
    /// What it says, but for what is said by the way.
    pub(in crate::check) kinds: Vec<FrameKind>,
    pub(in crate::check) arrives: Option<At>,
}

/// A connection.
#[derive(Clone, Debug)]
pub(in crate::check) struct Line {
    pub(in crate::check) opened: Option<At>,
    pub(in crate::check) cut: Option<At>,
    /// The worker's end and the coordinator's.
    ends: [Option<(At, Leaving)>; 2],
    /// By the worker and by the coordinator.
    sent: [Vec<Sent>; 2],
}

const fn index(side: Side) -> usize {
    match side {
        Side::Worker => 0,
        Side::Coordinator => 1,
    }
}

impl Line {
    /// When this end is no more.
    pub(in crate::check) const fn end(&self, side: Side) -> Option<(At, Leaving)> {
        self.ends[index(side)]
    }

    /// What this side sends.
    pub(in crate::check) fn sent(&self, from: Side) -> &[Sent] {
        &self.sent[index(from)]
    }

    /// The end that is no more first.
    pub(in crate::check) fn first_end(&self) -> Option<(At, Leaving)> {
        self.ends.iter().flatten().min_by_key(|(at, _)| *at).copied()
    }

    /// When the last packet arrives before this step.
    pub(in crate::check) fn last_arrival(&self, before: At) -> At {
        let arrivals = self.sent.iter().flatten().filter_map(|sent| sent.arrives);
        arrivals.filter(|at| *at < before).max().unwrap_or(0)
    }

    /// Whether what is sent now is lost.
    pub(in crate::check) fn is_over(&self, at: At) -> bool {
        let ends = self.ends.iter().flatten().map(|(end, _)| *end);
        self.cut.into_iter().chain(ends).any(|end| end <= at)
    }
}

/// A run of a handler.
#[derive(Clone, Debug)]
pub(in crate::check) struct Run {
    pub(in crate::check) worker: usize,
    /// How many processes the worker had before.
    pub(in crate::check) life: u64,
    run: RunId,
    pub(in crate::check) task: usize,
    pub(in crate::check) attempt: u32,
    pub(in crate::check) starts: At,
    pub(in crate::check) ends: Option<(At, Ending)>,
}

/// How it stands after a step.
#[derive(Clone, Debug)]
pub(in crate::check) struct Scene {
    /// By worker: since when it waits until it may dial.
    pub(in crate::check) waits: Vec<Option<At>>,
    /// Since when somebody waits for the store.
    pub(in crate::check) awaits: Option<At>,
    /// Operations that are not durable.
    wanted: usize,
    /// When the next timer of the coordinator runs out, in nanoseconds from now by its clock.
    pub(in crate::check) expires_in: u64,
}

/// All of it.
#[derive(Clone, Debug)]
pub(in crate::check) struct Script {
    pub(in crate::check) steps: Vec<Step>,
    /// By step, from 1: which dial of its worker the connection is that the step is about.
    pub(in crate::check) dials: Vec<Option<usize>>,
    /// By worker and dial.
    pub(in crate::check) lines: Vec<Vec<Line>>,
    pub(in crate::check) runs: Vec<Run>,
    /// After each step, from the beginning.
    pub(in crate::check) scenes: Vec<Scene>,
    /// Coordinators that end: when, and how many operations of the commit that is under way are durable.
    pub(in crate::check) restarts: Vec<(At, usize)>,
}

/// What is said by the way, and when may depend on the time: all else a packet is known by.
pub(in crate::check) fn is_aside(kind: FrameKind) -> bool {
    matches!(
        kind,
        FrameKind::Beat
            | FrameKind::BeatAnswer
            | FrameKind::Statistics
            | FrameKind::WorkerAck
            | FrameKind::CoordinatorAck
    )
}

impl Script {
    pub(in crate::check) fn of(model: &Model, steps: &[Step]) -> Self {
        let mut here = model.first();
        let mut script = Self {
            steps: steps.to_vec(),
            dials: vec![None],
            lines: vec![Vec::new(); here.workers.len()],
            runs: Vec::new(),
            scenes: Vec::new(),
            restarts: Vec::new(),
        };
        script.stands(&here, 0, None);
        for (at, step) in (1..).zip(steps) {
            script.begins(&here, at, *step);
            // What the last step leads to is what must not be.
            let Ok(after) = model.take(&here, step) else { break };
            script.goes_on(&here, &after, at, *step);
            script.stands(&after, at, Some(*step));
            here = after;
        }
        script
    }

    /// A step is about to be taken.
    fn begins(&mut self, here: &World, at: At, step: Step) {
        let wire = wire_of(step).and_then(|(worker, wire)| here.wires[worker].get(wire));
        let dial = wire.map(|wire| wire.dial);
        self.dials.push(dial);
        if let Some((worker, from, lane)) = taken(step) {
            self.arrives(worker, dial, from, lane, at);
        }
        match step {
            Step::Finish { worker, run, how } => {
                let process = &here.workers[worker];
                let run = process.node.runs().nth(run).map(|run| run.run);
                let is_it = |known: &&mut Run| {
                    (known.worker, known.life) == (worker, process.life) && Some(known.run) == run
                };
                if let Some(run) = self.runs.iter_mut().find(is_it) {
                    run.ends = Some((at, how));
                }
            }
            Step::Restart { durable } => {
                let durable = self.durable(here, at, durable);
                self.restarts.push((at, durable));
            }
            Step::Wake { .. }
            | Step::Open { .. }
            | Step::Up { .. }
            | Step::Down { .. }
            | Step::TellWorker { .. }
            | Step::TellCoordinator { .. }
            | Step::Commit
            | Step::Cut { .. }
            | Step::Crash { .. }
            | Step::Expire
            | Step::Submit
            | Step::Cancel { .. } => {}
        }
    }

    fn arrives(&mut self, worker: usize, dial: Option<usize>, from: usize, lane: usize, at: At) {
        let line = dial.and_then(|dial| self.lines[worker].get_mut(dial));
        let sent = line.into_iter().flat_map(|line| &mut line.sent[from]);
        let mut waiting = sent.filter(|sent| sent.lane == lane && sent.arrives.is_none());
        if let Some(first) = waiting.next() {
            first.arrives = Some(at);
        }
    }

    /// How many operations are durable of those that wait since somebody waits: what was wanted before is
    /// only written down, and is durable already.
    fn durable(&self, here: &World, at: At, awaited: usize) -> usize {
        let before = self.scenes[at - 1].awaits.and_then(|since| {
            let is_first = |step: Option<&Step>| {
                matches!(step, Some(Step::Commit | Step::Restart { .. }) | None)
            };
            let step = since.checked_sub(1).and_then(|place| self.steps.get(place));
            (!is_first(step)).then(|| self.scenes[since - 1].wanted)
        });
        let wanted = here.coordinator.wanted.iter().enumerate();
        let mut awaits = wanted.filter(|(_, persist)| is_awaited(&persist.op));
        let last = awaited.checked_sub(1).and_then(|nth| awaits.nth(nth));
        last.map_or(0, |(place, _)| (place + 1).saturating_sub(before.unwrap_or(0)))
    }

    /// A step was taken.
    fn goes_on(&mut self, before: &World, after: &World, at: At, step: Step) {
        let taken = taken(step);
        for worker in 0..after.workers.len() {
            for (place, wire) in before.wires[worker].iter().enumerate() {
                let now = after.wires[worker].iter().find(|now| now.dial == wire.dial);
                let is_it = wire_of(step) == Some((worker, place));
                let line = &mut self.lines[worker][wire.dial];
                line.changes(wire, now, at, is_it.then_some(step), step);
            }
            for wire in &after.wires[worker] {
                let old = before.wires[worker].iter().find(|old| old.dial == wire.dial);
                if old.is_none() {
                    let (ends, sent) = ([None; 2], [Vec::new(), Vec::new()]);
                    self.lines[worker].push(Line { opened: None, cut: None, ends, sent });
                }
                let line = &mut self.lines[worker][wire.dial];
                let is_own = self.dials[at] == Some(wire.dial);
                let had = |from: usize, lane: usize, pipe: usize| {
                    let is_taken = is_own && taken == Some((worker, from, lane));
                    pipe.saturating_sub(usize::from(is_taken))
                };
                for lane in 0..2 {
                    let had_up = had(0, lane, old.map_or(0, |old| old.up[lane].len()));
                    let had_down = had(1, lane, old.map_or(0, |old| old.down[lane].len()));
                    line.sends((at, 0, lane), &wire.up, had_up, kinds_up);
                    line.sends((at, 1, lane), &wire.down, had_down, kinds_down);
                }
            }
            let (was, is) = (&before.workers[worker], &after.workers[worker]);
            for run in is.node.runs() {
                let is_old = was.life == is.life && was.node.runs().any(|old| old.run == run.run);
                if !is_old {
                    self.runs.push(Run {
                        worker,
                        life: is.life,
                        run: run.run,
                        // Ids of tasks count from 1 there.
                        task: TaskPlan::index_of(run.key.task).saturating_sub(1),
                        attempt: run.key.attempt.0,
                        starts: at,
                        ends: None,
                    });
                }
            }
        }
    }

    /// How it stands after a step.
    fn stands(&mut self, here: &World, at: At, step: Option<Step>) {
        let last = self.scenes.last();
        let waits = (0..here.workers.len()).map(|worker| {
            let began = step == Some(Step::Crash { worker });
            let since = last.filter(|_| !began).and_then(|last| last.waits[worker]);
            here.next_wake(worker).map(|_| since.unwrap_or(at))
        });
        let waits = waits.collect();
        let is_anew = matches!(step, Some(Step::Commit | Step::Restart { .. }));
        let since = last.filter(|_| !is_anew).and_then(|last| last.awaits);
        let awaits = here.coordinator.awaits_store().then(|| since.unwrap_or(at));
        let now = here.coordinator.now;
        let expires_in = here.next_expiry().map_or(0, |deadline| {
            u64::try_from(deadline.since(now).as_nanos()).unwrap_or(u64::MAX)
        });
        let wanted = here.coordinator.wanted.len();
        self.scenes.push(Scene { waits, awaits, wanted, expires_in });
    }
}

impl Line {
    fn changes(&mut self, wire: &Wire, now: Option<&Wire>, at: At, own: Option<Step>, step: Step) {
        let is_there = |end: fn(&Wire) -> bool| now.is_some_and(end);
        let leaves = |is_told: bool, ends: bool| match (is_told, ends) {
            (true, _) => Leaving::Told,
            (false, true) => Leaving::Ends,
            (false, false) => Leaving::Closes,
        };
        if wire.worker && !is_there(|now| now.worker) {
            let is_told = matches!(own, Some(Step::TellWorker { .. } | Step::Cut { .. }));
            self.ends[0] = Some((at, leaves(is_told, matches!(step, Step::Crash { .. }))));
        }
        if wire.coordinator && !is_there(|now| now.coordinator) {
            let is_told = matches!(own, Some(Step::TellCoordinator { .. }));
            self.ends[1] = Some((at, leaves(is_told, matches!(step, Step::Restart { .. }))));
        }
        if matches!(own, Some(Step::Cut { .. })) {
            self.cut = Some(at);
        } else if wire.course == Course::Dialling && matches!(own, Some(Step::Open { .. })) {
            self.opened = Some(at);
        }
    }

    fn sends<F>(
        &mut self,
        (at, from, lane): (At, usize, usize),
        pipe: &Pipe<F>,
        had: usize,
        kinds: fn(&Packet<F>) -> Vec<FrameKind>,
    ) {
        let new = pipe[lane].iter().skip(had);
        let new = new.map(|packet: &Arc<Kept<Packet<F>>>| kinds(packet));
        self.sent[from].extend(new.map(|kinds| Sent { at, lane, kinds, arrives: None }));
    }
}

fn kinds_up(packet: &Packet<UpFrame>) -> Vec<FrameKind> {
    let kinds = packet.frames.iter().map(|frame| FrameKind::of_up(frame).0);
    kinds.filter(|kind| !is_aside(*kind)).collect()
}

fn kinds_down(packet: &Packet<DownFrame>) -> Vec<FrameKind> {
    let kinds = packet.frames.iter().map(|frame| FrameKind::of_down(frame).0);
    kinds.filter(|kind| !is_aside(*kind)).collect()
}

/// The connection that a step is about: whose, and which of those that there are.
const fn wire_of(step: Step) -> Option<(usize, usize)> {
    match step {
        Step::Open { worker, wire }
        | Step::Up { worker, wire, .. }
        | Step::Down { worker, wire, .. }
        | Step::TellWorker { worker, wire }
        | Step::TellCoordinator { worker, wire }
        | Step::Cut { worker, wire } => Some((worker, wire)),
        Step::Wake { .. }
        | Step::Finish { .. }
        | Step::Commit
        | Step::Crash { .. }
        | Step::Expire
        | Step::Restart { .. }
        | Step::Submit
        | Step::Cancel { .. } => None,
    }
}

/// What a step takes off a pipe: of which worker, who sent it, on which lane.
const fn taken(step: Step) -> Option<(usize, usize, usize)> {
    match step {
        Step::Up { worker, lane, .. } => Some((worker, 0, lane.index())),
        Step::Down { worker, lane, .. } => Some((worker, 1, lane.index())),
        Step::Wake { .. }
        | Step::Open { .. }
        | Step::TellWorker { .. }
        | Step::TellCoordinator { .. }
        | Step::Finish { .. }
        | Step::Commit
        | Step::Cut { .. }
        | Step::Crash { .. }
        | Step::Expire
        | Step::Restart { .. }
        | Step::Submit
        | Step::Cancel { .. } => None,
    }
}
