//! What really happened, by the simulator's own books: never by what a machine says of itself.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use moorline_node::{Done, Persist, Requeue, StoreOp, StoreRow};
use moorline_store::{Reader, TaskRecord};
use moorline_work::{Attempt, Disposition, End, Status, TaskId, TaskKey, TaskState};

use crate::plan::{Plan, SEC};
use crate::report::{Invariant, Violation};

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    lost_after: u64,
    start_grace: u64,
    tasks: BTreeMap<TaskId, Task>,
    started: BTreeSet<(u64, TaskKey)>,
    /// Processes whose hold on a task was rightly ended, although they may not know.
    excused: BTreeSet<(u64, TaskId)>,
    workers: Vec<Heard>,
    /// When the present life of the coordinator began, on its own clock.
    began: Awake,
    awake: Clock,
    pub(crate) ended: u64,
    pub(crate) attempts: u64,
}

/// Time that a coordinator could use: without the time in which it was frozen.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    frozen: u64,
    freezes: u64,
}

/// A reading of that clock.
#[derive(Clone, Copy, Debug, Default)]
struct Awake {
    at: u64,
    freezes: u64,
}

/// What reached the coordinator of a worker, in the coordinator's present life.
#[derive(Clone, Debug, Default)]
struct Heard {
    /// The connection on which it was welcomed last.
    conn: Option<usize>,
    last: Option<Awake>,
    /// Processes of it that said Hello.
    claimed: BTreeSet<u64>,
    departed: bool,
}

/// What became of a task.
#[derive(Clone, Debug, Default)]
struct Task {
    acknowledged: bool,
    exists: bool,
    cancelled: bool,
    attempt: Attempt,
    /// Who has it: the worker's index and its process.
    lease: Option<(TaskKey, usize, u64)>,
    ended: Option<End>,
    /// A result of an attempt was applied, for good or to be tried again.
    applied: bool,
    /// Results that handlers made.
    made: Vec<Bytes>,
}

/// A reading of the coordinator's clock may lag behind for each freeze: what it is late by is
/// measured from its next deadline, at most its pulse away, and counts from its threshold on.
const SLACK: u64 = 2_200_000_000;

type Judgement = Result<(), Violation>;

fn broken(invariant: Invariant, words: String) -> Judgement {
    Err(Violation { invariant, words })
}

impl Ledger {
    pub(crate) fn new(lost_after: u64, start_grace: u64, workers: usize) -> Self {
        Self {
            lost_after,
            start_grace,
            tasks: BTreeMap::new(),
            started: BTreeSet::new(),
            excused: BTreeSet::new(),
            workers: vec![Heard::default(); workers],
            began: Awake::default(),
            awake: Clock::default(),
            ended: 0,
            attempts: 0,
        }
    }

    fn task(&mut self, task: TaskId) -> &mut Task {
        self.tasks.entry(task).or_default()
    }

    fn reading(&self, now: u64) -> Awake {
        Awake { at: now.saturating_sub(self.awake.frozen), freezes: self.awake.freezes }
    }

    /// How long ago that was for the coordinator, at most.
    fn since(&self, then: Awake, now: u64) -> u64 {
        let now = self.reading(now);
        now.at.saturating_sub(then.at) + (now.freezes - then.freezes) * SLACK
    }

    // What the coordinator could know.

    pub(crate) fn coordinator_began(&mut self, now: u64) {
        self.began = self.reading(now);
        self.workers.fill(Heard::default());
    }

    pub(crate) fn coordinator_was_frozen(&mut self, lasted: u64) {
        self.awake.frozen += lasted;
        self.awake.freezes += 1;
    }

    pub(crate) fn claimed(&mut self, worker: usize, incarnation: u64) {
        self.workers[worker].claimed.insert(incarnation);
    }

    pub(crate) fn welcomed(&mut self, worker: usize, conn: usize, now: u64) {
        let reading = self.reading(now);
        let heard = &mut self.workers[worker];
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
        broken(Invariant::LostEarly, format!("w{worker} is disconnected after {silent} ms"))
    }

    pub(crate) fn departed(&mut self, worker: usize) {
        self.workers[worker].departed = true;
    }

    /// Whether the coordinator may give away what this process holds, and how long it was silent.
    fn may_be_given_away(&self, worker: usize, incarnation: u64, now: u64) -> Result<(), u64> {
        let heard = &self.workers[worker];
        if heard.departed || heard.claimed.iter().any(|claimed| *claimed != incarnation) {
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
        match self.may_be_given_away(worker, incarnation, now) {
            Ok(()) => Ok(()),
            Err(silent) => broken(
                Invariant::LostEarly,
                format!("w{worker} is lost after {} ms of silence", silent / 1_000_000),
            ),
        }
    }

    // What the coordinator wants of its store.

    /// An operation was handed to the store. `holds` says whether a process runs a key and was not
    /// told to stop.
    pub(crate) fn wanted(
        &mut self,
        persist: &Persist,
        now: u64,
        holds: impl Fn(usize, u64, TaskKey) -> bool,
    ) -> Judgement {
        match &persist.op {
            StoreOp::Requeue { key, cause, .. } => {
                let Some((leased, worker, incarnation)) = self.task(key.task).lease else {
                    return Ok(());
                };
                if leased != *key {
                    return Ok(());
                }
                let may = self.may_be_given_away(worker, incarnation, now);
                match (cause, may) {
                    (_, Ok(())) => {
                        self.excused.insert((incarnation, key.task));
                        Ok(())
                    }
                    (Requeue::Lost, Err(silent)) => broken(
                        Invariant::LostEarly,
                        format!(
                            "{key:?} of w{worker} is given away after {} ms of silence",
                            silent / 1_000_000
                        ),
                    ),
                    (Requeue::Returned, Err(_)) if holds(worker, incarnation, *key) => broken(
                        Invariant::RanTwice,
                        format!("{key:?} returns to the queue while w{worker} runs it"),
                    ),
                    (Requeue::Returned | Requeue::Retry { .. }, Err(_)) => Ok(()),
                }
            }
            StoreOp::Adopt { key, incarnation, .. } => {
                if let Some((_, _, holder)) = self.task(key.task).lease {
                    self.excused.insert((holder, key.task));
                }
                self.excused.remove(&(incarnation.0, key.task));
                Ok(())
            }
            StoreOp::Submit { .. }
            | StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Leases
            | StoreOp::Lookup { .. }
            | StoreOp::Lease { .. }
            | StoreOp::Finish { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Worker(_)
            | StoreOp::Workers => Ok(()),
        }
    }

    /// An operation is durable.
    pub(crate) fn durable(&mut self, persist: &Persist, done: &Done) -> Judgement {
        if done.conflict.is_some() {
            return Ok(());
        }
        match &persist.op {
            StoreOp::Submit { task, .. } => {
                self.task(*task).exists = true;
                Ok(())
            }
            StoreOp::Lease { key, worker, incarnation }
            | StoreOp::Adopt { key, worker, incarnation, .. } => {
                self.unended(*key, "is leased")?;
                let task = self.task(key.task);
                if key.attempt <= task.attempt {
                    let words = format!("{key:?} comes after attempt {}", task.attempt.0);
                    return broken(Invariant::AppliedTwice, words);
                }
                task.attempt = key.attempt;
                task.lease = Some((*key, index_of(worker.0), incarnation.0));
                Ok(())
            }
            StoreOp::Requeue { key, cause, .. } => {
                self.unended(*key, "returns to the queue")?;
                let task = self.task(key.task);
                task.lease = None;
                task.applied |= matches!(cause, Requeue::Retry { .. });
                Ok(())
            }
            StoreOp::Finish { key, end, body } => {
                self.unended(*key, "ends")?;
                let task = self.task(key.task);
                if *end == End::Succeeded && !task.made.contains(body) {
                    let words = format!("{key:?} ends with a result that nobody made");
                    return broken(Invariant::ResultInvented, words);
                }
                task.applied = true;
                self.end(key.task, *end);
                Ok(())
            }
            StoreOp::Cancel { task } => {
                let queued = StoreRow::Status(Status::Known {
                    state: TaskState::Queued,
                    attempt: self.task(*task).attempt,
                });
                if done.rows.contains(&queued) {
                    self.end(*task, End::Cancelled);
                }
                Ok(())
            }
            StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Leases
            | StoreOp::Lookup { .. }
            | StoreOp::Worker(_)
            | StoreOp::Workers => Ok(()),
        }
    }

    fn unended(&mut self, key: TaskKey, what: &str) -> Judgement {
        match self.task(key.task).ended {
            None => Ok(()),
            Some(end) => {
                broken(Invariant::AppliedTwice, format!("{key:?} {what} after its end: {end:?}"))
            }
        }
    }

    fn end(&mut self, task: TaskId, end: End) {
        let task = self.task(task);
        task.ended = Some(end);
        task.lease = None;
        self.ended += 1;
    }

    // What workers do.

    /// A process starts an attempt. `others`: processes that run the task and were not told to stop.
    pub(crate) fn started(
        &mut self,
        worker: usize,
        incarnation: u64,
        key: TaskKey,
        others: impl Iterator<Item = (usize, u64)>,
    ) -> Judgement {
        self.attempts += 1;
        if !self.started.insert((incarnation, key)) {
            return broken(Invariant::StartedTwice, format!("w{worker} starts {key:?} again"));
        }
        // What it was given was rightly given away, and it does not know yet: it lay in its sockets.
        if self.excused.contains(&(incarnation, key.task)) {
            return Ok(());
        }
        for (other, process) in others {
            if !self.excused.contains(&(process, key.task)) {
                let words = format!("w{worker} starts {key:?} while w{other} runs it");
                return broken(Invariant::RanTwice, words);
            }
        }
        Ok(())
    }

    /// A handler made a result.
    pub(crate) fn made(&mut self, task: TaskId, body: Bytes) {
        self.task(task).made.push(body);
    }

    /// A worker was told what became of a result. `success`: it is the only one this process made
    /// of the task, and a success.
    pub(crate) fn settled(
        &mut self,
        key: TaskKey,
        disposition: Disposition,
        success: bool,
    ) -> Judgement {
        let task = self.task(key.task);
        let (ended, applied) = (task.ended, task.applied);
        let right = match disposition {
            Disposition::Accepted if success => ended == Some(End::Succeeded),
            Disposition::Accepted => applied || ended.is_some(),
            Disposition::LateAccepted => ended == Some(End::Succeeded),
            Disposition::Duplicate if success => ended == Some(End::Succeeded),
            Disposition::Duplicate => applied || ended.is_some(),
            Disposition::Stale | Disposition::Unknown => !success || ended.is_some(),
        };
        if right {
            return Ok(());
        }
        let words = format!("{key:?} is answered {disposition:?}, and its task is {ended:?}");
        broken(Invariant::AnsweredWrongly, words)
    }

    // What clients were told.

    pub(crate) fn acknowledged(&mut self, task: TaskId) -> Judgement {
        let facts = self.task(task);
        facts.acknowledged = true;
        if facts.exists {
            return Ok(());
        }
        broken(Invariant::TaskLost, format!("{task:?} is acknowledged and not durable"))
    }

    pub(crate) fn cancelled(&mut self, task: TaskId) {
        self.task(task).cancelled = true;
    }

    pub(crate) fn said_to_have_ended(&mut self, task: TaskId) -> Judgement {
        if self.task(task).ended.is_some() {
            return Ok(());
        }
        broken(Invariant::AnsweredWrongly, format!("{task:?} is said to have ended too early"))
    }

    /// Tasks that were lost too often.
    pub(crate) fn dead(&self) -> u64 {
        self.tasks.values().filter(|task| task.ended == Some(End::Dead)).count() as u64
    }

    /// Acknowledged tasks that have not ended.
    pub(crate) fn open(&self) -> Vec<TaskId> {
        let open = self.tasks.iter().filter(|(_, task)| task.acknowledged && task.ended.is_none());
        open.map(|(id, _)| *id).collect()
    }

    /// Compares the store with the books.
    pub(crate) fn audit(&self, reader: &mut dyn Reader) -> Judgement {
        for (id, task) in &self.tasks {
            let Ok(record) = reader.task(*id) else { continue };
            let Some(record) = record else {
                if task.acknowledged || task.exists {
                    return broken(Invariant::TaskLost, format!("{id:?} is not in the store"));
                }
                continue;
            };
            self.compare(*id, task, &record, reader)?;
        }
        Ok(())
    }

    fn compare(
        &self,
        id: TaskId,
        task: &Task,
        record: &TaskRecord,
        reader: &mut dyn Reader,
    ) -> Judgement {
        let expected = match task.ended {
            Some(End::Succeeded) => Some(TaskState::Succeeded),
            Some(End::Failed) => Some(TaskState::Failed),
            Some(End::Cancelled) => Some(TaskState::Cancelled),
            Some(End::Dead) => Some(TaskState::Dead),
            None => None,
        };
        if expected.is_some_and(|state| state != record.state)
            || (expected.is_none() && record.state.is_final())
        {
            let words = format!("{id:?} ended {:?} and is {:?}", task.ended, record.state);
            return broken(Invariant::TaskLost, words);
        }
        if task.cancelled && record.state != TaskState::Cancelled {
            let words = format!("{id:?} was cancelled while queued and is {:?}", record.state);
            return broken(Invariant::TaskLost, words);
        }
        if record.applied > 1 {
            let words = format!("{id:?} was applied {} times", record.applied);
            return broken(Invariant::AppliedTwice, words);
        }
        if record.state == TaskState::Succeeded {
            let result = reader.result(id).ok().flatten();
            if !result.is_some_and(|result| task.made.contains(&result)) {
                let words = format!("the result of {id:?} is none that was made");
                return broken(Invariant::ResultInvented, words);
            }
        }
        Ok(())
    }
}

/// Worker ids of plans end with their index.
pub(crate) fn index_of(worker: u128) -> usize {
    usize::try_from(worker & u128::from(u32::MAX)).unwrap_or(usize::MAX)
}

/// How long after the last fault a connection that it broke is noticed at the latest.
pub(crate) fn fading(plan: &Plan) -> u64 {
    plan.settings.beat * 4 + SEC * 2
}

/// How long after the last fault everything has ended: a sum of what each step may take.
pub(crate) fn bound(plan: &Plan) -> u64 {
    use crate::plan::{CONNECT, RESTORE};
    let settings = &plan.settings;
    // A half-open connection is noticed, dialled again, refused for the old one's sake, dialled
    // again, welcomed and restored.
    let noticed = fading(plan);
    let dialled = settings.max_delay * 5 / 4 + CONNECT * 2 + SEC * 2;
    let back = noticed * 2 + dialled * 3 + RESTORE;
    // Work of whoever does not come back in time waits for that, or for the guard.
    let given_away = (settings.lost_after * 2).max(settings.start_grace) + SEC * 2;
    // Each task, one after the other on one slot, with every attempt it may have.
    let step = settings.latency.max() * 4 + settings.commit * 8 + settings.late * 4 + SEC;
    let work: u64 = plan
        .tasks
        .iter()
        .map(|task| {
            let attempts = u64::from(task.max_retries) + 8;
            attempts * (task.work + settings.retry_delay + step)
        })
        .sum();
    back + given_away + settings.accept_timeout * 2 + work
}
