//! Takes the decisions of a world so that it goes a way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::schedule::{Schedule, WAIT, said, side};
use crate::check::model::script::{At, Leaving, Line, Script, is_aside};
use crate::check::step::{Ending, Step};
use crate::plan::{Side, Who};
use crate::trace::{Record, Shared, What};
use crate::{Decide, FrameKind, Site};

/// Reads what has happened in the world, and decides what is to happen next.
///
/// A decision is asked for by its place alone; what it is about is what was recorded last.
#[derive(Debug)]
pub(super) struct Conductor {
    script: Rc<Script>,
    schedule: Rc<Schedule>,
    recording: Shared,
    seen: RefCell<Seen>,
}

/// What has happened.
#[derive(Debug, Default)]
struct Seen {
    /// Records that were read.
    read: u32,
    last: Option<Record>,
    /// What the packet says that was written last.
    kinds: Vec<FrameKind>,
    /// By worker: how many of its processes began.
    lives: BTreeMap<usize, u64>,
    /// When operations were wanted that no commit has taken.
    wants: Vec<u64>,
    /// How many operations the next commit takes, and whether that is what the one before it has left.
    takes: (usize, bool),
    /// A commit is under way.
    commits: bool,
    /// By the place of its decisions: which run of the script a run is.
    runs: BTreeMap<u64, usize>,
    /// By direction of a connection: packets of the script that were sent, and how much was decided.
    sent: BTreeMap<u64, Vec<bool>>,
    drawn: BTreeMap<u64, u64>,
}

impl Seen {
    fn catch_up(&mut self, recording: &Shared) {
        let recording = recording.borrow();
        for number in self.read + 1..=recording.last() {
            let Some(record) = recording.get(number) else { continue };
            self.read = number;
            match (record.what, record.who()) {
                (What::Begins, Some(Who::Worker(worker))) => {
                    *self.lives.entry(worker).or_default() += 1;
                }
                (What::Wants, _) => self.wants.push(record.at),
                (What::Durable, _) => self.commits = false,
                (What::Gone, Some(Who::Coordinator)) => {
                    self.wants.clear();
                    self.commits = false;
                }
                (What::Sends, _) => self.kinds.clear(),
                (What::Says, _) => self.kinds.extend(said(record)),
                _ => {}
            }
            self.last = Some(*record);
        }
    }

    fn life(&self, worker: usize) -> u64 {
        self.lives.get(&worker).map_or(0, |lives| lives.saturating_sub(1))
    }
}

impl Conductor {
    pub(super) fn new(script: Rc<Script>, schedule: Rc<Schedule>, recording: Shared) -> Self {
        Self { script, schedule, recording, seen: RefCell::default() }
    }

    /// How long it is until a step; until everything is over if there is none.
    fn until(&self, at: Option<At>, now: u64) -> u64 {
        let time = at.map_or(self.schedule.end() + Schedule::BETWEEN, |at| self.schedule.at(at));
        time.saturating_sub(now)
    }

    /// The first step after this one that is one of those.
    fn next(&self, after: At, is: impl Fn(&Step) -> bool) -> Option<At> {
        (after + 1..=self.script.steps.len()).find(|at| is(&self.script.steps[at - 1]))
    }

    fn latency(&self, seen: &mut Seen, entity: u64, now: u64) -> u64 {
        let from = if entity & 1 == 1 { Side::Worker } else { Side::Coordinator };
        let worker = usize::try_from(entity >> 33).unwrap_or(usize::MAX);
        let dial = usize::try_from(entity >> 1 & u64::from(u32::MAX)).unwrap_or(usize::MAX);
        let drawn = seen.drawn.entry(entity).or_default();
        *drawn += 1;
        let is_first = *drawn == 1;
        let line = self.script.lines.get(worker).and_then(|lines| lines.get(dial));
        let Some(line) = line else { return 0 };
        if is_first {
            // The dial itself; what answers it is there at once.
            let answered = line.opened.or(line.cut);
            return if from == Side::Worker { self.until(answered, now) } else { 0 };
        }
        let Some(last) = seen.last else { return 0 };
        if matches!(last.what, What::Sends | What::Says) && last.who().map(side) == Some(from) {
            return self.packet(seen, entity, line, from, now);
        }
        if matches!(last.what, What::Closes | What::Cut | What::Gone) {
            // Its other end is told.
            let told = line.end(from.other()).filter(|(_, how)| *how == Leaving::Told);
            return self.until(told.map(|(at, _)| at), now);
        }
        0
    }

    fn packet(&self, seen: &mut Seen, entity: u64, line: &Line, from: Side, now: u64) -> u64 {
        let at = self.schedule.step_at(now);
        let packets = line.sent(from);
        let sent = seen.sent.entry(entity).or_insert_with(|| vec![false; packets.len()]);
        let has_beat = seen.kinds.iter().any(|kind| is_beat(*kind));
        let kinds = || seen.kinds.iter().copied().filter(|kind| !is_aside(*kind));
        // One that says nothing but by the way is known by its time alone.
        let same = packets.iter().zip(sent).find(|(packet, sent)| {
            let is_plain = packet.kinds.is_empty();
            let is_it = packet.kinds.iter().copied().eq(kinds());
            !**sent && is_it && !(is_plain && (has_beat || packet.at != at))
        });
        match same {
            Some((packet, sent)) => {
                *sent = true;
                self.until(packet.arrives, now)
            }
            None if line.is_over(at) => self.until(None, now),
            // Nobody waits for it: heartbeats, mostly.
            None => 0,
        }
    }

    fn commit(&self, seen: &mut Seen, k: Commit, now: u64) -> u64 {
        let at = self.schedule.step_at(now);
        let next = self.next(at, |step| matches!(step, Step::Commit | Step::Restart { .. }));
        match k {
            // It is asked for also when none can begin.
            Commit::Size if seen.commits || seen.wants.is_empty() => 0,
            Commit::Size => {
                let waiting = seen.wants.len();
                let is_commit = at > 0 && self.script.steps[at - 1] == Step::Commit;
                let rest = seen.wants.iter().filter(|wanted| **wanted < now).count();
                let is_rest = is_commit && rest > 0;
                let restart = self.script.restarts.iter().find(|(at, _)| Some(*at) == next);
                let most = match restart {
                    _ if is_rest => rest,
                    Some((_, durable)) if *durable > 0 => waiting.min(*durable),
                    Some(_) | None => waiting,
                };
                seen.takes = (most, is_rest);
                (most as u64).saturating_sub(1)
            }
            Commit::Lasts => {
                let (takes, is_rest) = seen.takes;
                seen.wants.drain(..takes);
                seen.commits = true;
                let is_awaited = self.script.scenes.get(at).is_some_and(|it| it.awaits.is_some());
                let at = next.filter(|at| self.script.steps[at - 1] == Step::Commit);
                if is_awaited && !is_rest { self.until(at, now) } else { 0 }
            }
        }
    }

    fn handler(&self, seen: &mut Seen, entity: u64, k: u64, bound: u64, now: u64) -> u64 {
        let ends = |run: Option<&usize>| run.and_then(|run| self.script.runs[*run].ends);
        let last = |what: What| {
            let record = seen.last.filter(|record| record.what == what)?;
            let Some(Who::Worker(worker)) = record.who() else { return None };
            let task = (record.task as usize).checked_sub(1)?;
            Some((worker, seen.life(worker), task, record.value))
        };
        match k {
            // How long it runs.
            0 => {
                let started = last(What::Starts);
                let taken: Vec<usize> = seen.runs.values().copied().collect();
                let run = self.script.runs.iter().enumerate().find(|(place, run)| {
                    let it = (run.worker, run.life, run.task, u64::from(run.attempt));
                    started == Some(it) && !taken.contains(place)
                });
                let Some((place, run)) = run else { return bound };
                seen.runs.insert(entity, place);
                let least = self.schedule.work(run.task) / 8;
                match run.ends {
                    Some((at, _)) => self.until(Some(at), now).saturating_sub(least),
                    None => bound,
                }
            }
            // How long it takes to stop.
            3 => {
                let told = last(What::Aborts);
                let run = self.script.runs.iter().rev().find(|run| {
                    told.is_some_and(|(worker, life, task, _)| {
                        (run.worker, run.life, run.task) == (worker, life, task)
                    })
                });
                let end = run.and_then(|run| run.ends).map(|(at, _)| at);
                self.until(end, now)
            }
            // Whether it ends well although it was told to stop.
            1 => match ends(seen.runs.get(&entity)) {
                Some((_, Ending::Stopped)) => 0,
                Some((_, Ending::Success | Ending::Failure)) | None => bound,
            },
            // Whether it fails, and for good.
            2 | 4 => match ends(seen.runs.get(&entity)) {
                Some((_, Ending::Failure)) => bound,
                Some((_, Ending::Success | Ending::Stopped)) | None => 0,
            },
            _ => 0,
        }
    }

    /// How late a worker's timer fires: the one that it dials by.
    fn timer(&self, entity: u64, now: u64) -> u64 {
        let Some(worker) = entity.checked_sub(1).and_then(|it| usize::try_from(it).ok()) else {
            return 0;
        };
        let at = self.schedule.step_at(now);
        let scene = self.script.scenes.get(at);
        let Some(since) = scene.and_then(|scene| *scene.waits.get(worker)?) else { return 0 };
        let due = self.schedule.at(since) + WAIT;
        self.until(self.next(at, |step| *step == Step::Wake { worker }), due)
    }
}

/// What is said when it is time for it.
const fn is_beat(kind: FrameKind) -> bool {
    matches!(kind, FrameKind::Beat | FrameKind::BeatAnswer | FrameKind::Statistics)
}

/// What of a commit is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Commit {
    Size,
    Lasts,
}

impl Decide for Conductor {
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        let mut seen = self.seen.borrow_mut();
        seen.catch_up(&self.recording);
        let now = seen.last.map_or(0, |last| last.at);
        if now >= self.schedule.end() {
            return 0;
        }
        let value = if site == Site::Latency {
            self.latency(&mut seen, entity, now)
        } else if site == Site::Handler {
            self.handler(&mut seen, entity, k, bound, now)
        } else if site == Site::Commit {
            self.commit(&mut seen, if entity == 0 { Commit::Size } else { Commit::Lasts }, now)
        } else if site == Site::Torn {
            let at = self.schedule.step_at(now);
            u64::from(self.script.restarts.iter().any(|it| it.0 == at && it.1 > 0))
        } else if site == Site::Timer {
            self.timer(entity, now)
        } else {
            // Nothing else is to happen.
            0
        };
        value.min(bound.saturating_sub(1))
    }
}
