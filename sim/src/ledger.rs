//! What really happened, by the simulator's own books: never by what a machine says of itself.

mod audit;
mod dials;
mod events;
mod given;
mod heard;
mod lease;
mod talk;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use moorline_link::{Epoch, Reconnect};
use moorline_node::{Done, EventKind, Persist, Requeue, StoreOp, StorePlacement, StoreRow};
use moorline_work::{Attempt, Disposition, End, Status, TaskId, TaskKey, TaskState};

use crate::answers::Patience;
use crate::plan::nanos;
use crate::world::rated;
use crate::{Plan, Rule, Violation};
pub(crate) use audit::Scope;
use heard::{Awake, Clock, Heard};

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    lost_after: u64,
    /// Silence after which a worker is disconnected.
    disconnect_after: u64,
    start_grace: u64,
    lost_cap: u32,
    max_retries: BTreeMap<TaskId, u32>,
    tasks: BTreeMap<TaskId, Box<Task>>,
    /// The last event of the store that an audit has seen.
    events: u64,
    /// The store forgets tasks that have ended.
    forgets: bool,
    started: BTreeSet<(u64, TaskKey)>,
    /// Processes whose hold on a task was rightly ended, although they may not know: up to which
    /// attempt.
    excused: BTreeMap<(u64, TaskId), Attempt>,
    /// Every process of a worker, in the order in which they began.
    processes: BTreeMap<u64, u64>,
    workers: Vec<Heard>,
    /// Workers of which there was more than one process at a time.
    twofold: BTreeSet<usize>,
    /// When the present life of the coordinator began, on its own clock.
    began: Awake,
    epoch: Epoch,
    awake: Clock,
    talk: talk::Talk,
    given: given::Given,
    diallers: Vec<dials::Dialler>,
    policy: dials::Policy,
    /// How long a link is active before it counts as stable.
    stable_after: u64,
    /// How late timers fire at most.
    late: u64,
    patience: Patience,
    pub(crate) ended: u64,
    pub(crate) attempts: u64,
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
    /// Its end was reported.
    reported: bool,
    /// It may be tried again from then on.
    ready_at: u64,
    /// Processes of which an outcome was applied, for good or to be tried again.
    applied: Vec<u64>,
    /// The result, once it has one.
    result: Option<Bytes>,
    /// Results that handlers made.
    made: Vec<Made>,
    /// Processes in which a handler failed, and whether it said that no other attempt may help.
    failures: Vec<(u64, bool)>,
    retries: u32,
    losses: u32,
    /// A client asked for its end.
    unwanted: bool,
    /// Its lease carries the mark that a client wants it to end.
    marked: bool,
    /// Everything that happened to it.
    story: events::Story,
    /// How much of that an audit has found among the events of the store.
    told: usize,
    /// An audit has found it as it ended.
    settled: bool,
}

/// A result that a handler made.
#[derive(Clone, Debug)]
struct Made {
    worker: usize,
    incarnation: u64,
    /// The attempt when it started.
    key: TaskKey,
    body: Bytes,
}

/// What a process was told of an outcome, and what is known of that process.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) key: TaskKey,
    pub(crate) disposition: Disposition,
    pub(crate) incarnation: u64,
    /// What it made, if it ran the task once only and that was a success.
    pub(crate) success: Option<Bytes>,
}

type Judgement = Result<(), Violation>;

fn broken(rule: Rule, words: String) -> Judgement {
    Err(Violation::new(rule, words))
}

impl Ledger {
    pub(crate) fn new(plan: &Plan, reconnect: Reconnect, disconnect_after: u64) -> Self {
        // As long as that is by the fastest clock, and a moment because clocks show whole nanoseconds.
        let rate = plan.workers.iter().map(|worker| worker.rate).max().unwrap_or(0);
        let late = rated(plan.settings.late, rate.max(0)) + 2;
        Self {
            lost_after: plan.settings.lost_after,
            disconnect_after,
            start_grace: plan.settings.start_grace,
            lost_cap: plan.settings.lost_cap,
            max_retries: plan.tasks.iter().map(|t| (TaskId(t.id), t.max_retries)).collect(),
            forgets: plan.settings.keeps.is_some(),
            tasks: BTreeMap::new(),
            events: 0,
            started: BTreeSet::new(),
            excused: BTreeMap::new(),
            processes: BTreeMap::new(),
            workers: vec![Heard::default(); plan.workers.len()],
            twofold: BTreeSet::new(),
            began: Awake::default(),
            epoch: Epoch(0),
            awake: Clock::default(),
            talk: talk::Talk::among(plan.workers.len()),
            given: given::Given::default(),
            diallers: vec![dials::Dialler::begun(0); plan.workers.len()],
            policy: dials::Policy { reconnect, multiplier: plan.settings.multiplier },
            stable_after: nanos(reconnect.stability()),
            late,
            patience: Patience {
                misses: plan.settings.misses.into(),
                silence: plan.settings.beat * u64::from(plan.settings.misses) / 5 * 4,
            },
            ended: 0,
            attempts: 0,
        }
    }

    fn task(&mut self, task: TaskId) -> &mut Task {
        self.tasks.entry(task).or_default()
    }

    // What the coordinator wants of its store.

    /// An operation was handed to the store. `holds` says whether a process runs a key and was not
    /// told to stop.
    pub(crate) fn wanted(
        &mut self,
        persist: &Persist,
        now: u64,
        holds: impl Fn(u64, TaskKey) -> bool,
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
                        self.excuse(incarnation, *key);
                        Ok(())
                    }
                    (Requeue::Lost, Err(silent)) => broken(
                        Rule::LostEarly,
                        format!(
                            "{key:?} of w{worker} is given away after {} ms of silence",
                            silent / 1_000_000
                        ),
                    ),
                    (Requeue::Returned, Err(_)) if holds(incarnation, *key) => broken(
                        Rule::RanTwice,
                        format!("{key:?} returns to the queue while w{worker} runs it"),
                    ),
                    (Requeue::Returned | Requeue::Retry { .. }, Err(_)) => Ok(()),
                }
            }
            StoreOp::Adopt { key, incarnation, .. } => {
                if let Some((leased, _, holder)) = self.task(key.task).lease {
                    self.excuse(holder, leased);
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
            | StoreOp::Retry { .. }
            | StoreOp::Worker(_)
            | StoreOp::Forget { .. }
            | StoreOp::Workers
            | StoreOp::Event { .. } => Ok(()),
        }
    }

    fn excuse(&mut self, incarnation: u64, key: TaskKey) {
        self.excused.insert((incarnation, key.task), key.attempt);
    }

    /// Whether what a process has of this attempt was rightly taken from it.
    fn is_excused(&self, incarnation: u64, key: TaskKey) -> bool {
        self.excused.get(&(incarnation, key.task)).is_some_and(|last| key.attempt <= *last)
    }

    /// An operation is durable.
    pub(crate) fn durable(&mut self, persist: &Persist, done: &Done, now: u64) -> Judgement {
        if done.conflict.is_some() {
            return Ok(());
        }
        if let Some((task, kind, attempt)) = events::told(&persist.op) {
            self.task(task).story.push((kind, attempt));
        }
        match &persist.op {
            StoreOp::Submit { task, placement, .. } => {
                self.task(*task).exists = true;
                match placement {
                    StorePlacement::Unclaimed | StorePlacement::Claimed { .. } => Ok(()),
                    StorePlacement::Leased { worker, incarnation } => {
                        let key = TaskKey { task: *task, attempt: Attempt(1) };
                        self.task(*task).story.push((EventKind::TaskLeased, Some(key.attempt)));
                        self.leased(key, *worker, *incarnation)
                    }
                }
            }
            StoreOp::Lease { key, worker, incarnation } => self.leased(*key, *worker, *incarnation),
            StoreOp::Adopt { key, worker, incarnation, .. } => {
                self.handed(*key, *worker, *incarnation)
            }
            StoreOp::Requeue { key, cause, .. } => {
                self.unended(*key, Rule::EndedWrongly, "returns to the queue")?;
                let lease = self.task(key.task).lease.map(|(leased, ..)| leased);
                if lease != Some(*key) {
                    let words = format!("{key:?} returns to the queue, leased is {lease:?}");
                    return broken(Rule::EndedWrongly, words);
                }
                let most = self.max_retries.get(&key.task).copied().unwrap_or(0);
                let task = self.task(key.task);
                let holder = task.lease.take().map(|(_, _, incarnation)| incarnation);
                match cause {
                    Requeue::Lost => task.losses += 1,
                    Requeue::Returned => task.applied.extend(holder),
                    Requeue::Retry { delay } => {
                        task.ready_at = now.saturating_add(nanos(*delay));
                        task.applied.extend(holder);
                        task.retries += 1;
                        if task.retries > most {
                            let words = format!("{key:?} is tried again more than {most} times");
                            return broken(Rule::EndedWrongly, words);
                        }
                    }
                }
                Ok(())
            }
            StoreOp::Finish { key, end, body } => {
                self.unended(*key, Rule::AppliedTwice, "ends")?;
                // Where that is not promised the books go on with what is durable.
                let mut may = self.may_end(*key, *end);
                let task = self.task(key.task);
                task.applied.extend(task.lease.map(|(_, _, incarnation)| incarnation));
                if *end == End::Succeeded {
                    if let Some(made) = task.made.iter().find(|made| made.body == *body) {
                        task.applied.push(made.incarnation);
                    } else {
                        let words = format!("{key:?} ends with a result that nobody made");
                        may = may.and_then(|()| broken(Rule::ResultInvented, words));
                    }
                    task.result = Some(body.clone());
                }
                self.end(key.task, *end);
                may
            }
            StoreOp::Cancel { task } => {
                let queued = StoreRow::Status(Status::Known {
                    state: TaskState::Queued,
                    attempt: self.task(*task).attempt,
                });
                let attempt = self.task(*task).attempt;
                let leased = StoreRow::Status(Status::Known { state: TaskState::Leased, attempt });
                if done.rows.contains(&queued) {
                    self.task(*task).story.push((EventKind::TaskCancelled, None));
                    self.end(*task, End::Cancelled);
                } else if done.rows.contains(&leased)
                    && !std::mem::replace(&mut self.task(*task).marked, true)
                {
                    let told = (EventKind::TaskCancelRequested, Some(attempt));
                    self.task(*task).story.push(told);
                }
                Ok(())
            }
            StoreOp::Retry { task, .. } => {
                let words = format!("{task:?} is retried, which no client of these asks for");
                broken(Rule::Client, words)
            }
            StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Leases
            | StoreOp::Lookup { .. }
            | StoreOp::Worker(_)
            | StoreOp::Forget { .. }
            | StoreOp::Workers
            | StoreOp::Event { .. } => Ok(()),
        }
    }

    /// Whether a task may end like this.
    fn may_end(&mut self, key: TaskKey, end: End) -> Judgement {
        let most = self.max_retries.get(&key.task).copied().unwrap_or(0);
        let cap = self.lost_cap;
        let task = self.task(key.task);
        let holder = task.lease.map(|(_, _, incarnation)| incarnation);
        let may = match end {
            End::Succeeded => true,
            End::Failed => task.failures.iter().any(|(incarnation, for_good)| {
                Some(*incarnation) == holder && (*for_good || task.retries == most)
            }),
            End::Cancelled => task.unwanted,
            End::Dead => task.losses + 1 == cap,
        };
        if may {
            return Ok(());
        }
        let words = format!(
            "{key:?} ends {end:?} after {} of {most} retries and {} of {cap} losses",
            task.retries, task.losses
        );
        broken(Rule::EndedWrongly, words)
    }

    fn unended(&mut self, key: TaskKey, rule: Rule, what: &str) -> Judgement {
        match self.task(key.task).ended {
            None => Ok(()),
            Some(end) => broken(rule, format!("{key:?} {what} after its end: {end:?}")),
        }
    }

    fn end(&mut self, task: TaskId, end: End) {
        let task = self.task(task);
        task.ended = Some(end);
        task.lease = None;
        self.ended += 1;
    }

    // What workers do.

    /// A process starts an attempt. `others`: processes that run the task and were not told to stop,
    /// with the attempt when they started. `lives`: whether this process of a worker is still there.
    pub(crate) fn started(
        &mut self,
        worker: usize,
        incarnation: u64,
        key: TaskKey,
        others: &[(usize, u64, TaskKey)],
        lives: impl Fn(usize, u64) -> bool,
    ) -> Judgement {
        self.attempts += 1;
        if !self.started.insert((incarnation, key)) {
            return broken(Rule::StartedTwice, format!("w{worker} starts {key:?} again"));
        }
        // What it was given was rightly given away, and it does not know yet: it lay in its sockets.
        if self.is_excused(incarnation, key) {
            return Ok(());
        }
        for (other, process, theirs) in others {
            if !self.is_excused(*process, *theirs) {
                let words = format!("w{worker} starts {key:?} while w{other} runs it");
                return broken(Rule::RanTwice, words);
            }
        }
        // A handler runs again only if its worker crashed, or was out of touch for too long.
        let made = self.tasks.get(&key.task).map_or(&[][..], |task| &task.made);
        let again = made.iter().find(|made| {
            lives(made.worker, made.incarnation) && !self.is_excused(made.incarnation, made.key)
        });
        if let Some(made) = again {
            let words =
                format!("w{worker} starts {key:?} although w{} has its result", made.worker);
            return broken(Rule::RanTwice, words);
        }
        Ok(())
    }

    /// A handler made a result.
    pub(crate) fn made(&mut self, worker: usize, incarnation: u64, key: TaskKey, body: Bytes) {
        let made = &mut self.task(key.task).made;
        // Mostly there is no other.
        made.reserve_exact(1);
        made.push(Made { worker, incarnation, key, body });
    }

    /// A handler failed, or stopped.
    pub(crate) fn failed(&mut self, incarnation: u64, task: TaskId, for_good: bool) {
        self.task(task).failures.push((incarnation, for_good));
    }

    /// A process was told what became of an outcome.
    pub(crate) fn settled(&mut self, answered: &Answered) -> Judgement {
        let Answered { key, disposition, incarnation, success } = answered;
        let forgets = self.forgets;
        let task = self.task(key.task);
        let ended = task.ended;
        let right = match (disposition, success) {
            // It is durable, byte for byte.
            (
                Disposition::Accepted | Disposition::LateAccepted | Disposition::Duplicate,
                Some(body),
            ) => ended == Some(End::Succeeded) && task.result.as_ref() == Some(body),
            (Disposition::Accepted, None) => task.applied.contains(incarnation),
            // A run that was stopped comes to the same as the cancel of its task, whoever did that.
            (Disposition::Duplicate, None) => {
                task.applied.contains(incarnation) || ended == Some(End::Cancelled)
            }
            (Disposition::LateAccepted, None) => ended == Some(End::Succeeded),
            // A success is turned away only if its task has ended.
            (Disposition::Stale, Some(_)) => ended.is_some(),
            (Disposition::Stale, None) => true,
            // Every attempt that a worker knows was durable before.
            (Disposition::Unknown, _) => forgets && ended.is_some(),
        };
        if right {
            return Ok(());
        }
        let words = format!("{key:?} is answered {disposition:?}, and its task is {ended:?}");
        broken(Rule::AnsweredWrongly, words)
    }

    // What clients were told.

    pub(crate) fn acknowledged(&mut self, task: TaskId) -> Judgement {
        let facts = self.task(task);
        facts.acknowledged = true;
        if facts.exists {
            return Ok(());
        }
        broken(Rule::TaskLost, format!("{task:?} is acknowledged and not durable"))
    }

    /// A client asks for the end of a task.
    pub(crate) fn unwanted(&mut self, task: TaskId) {
        self.task(task).unwanted = true;
    }

    pub(crate) fn cancelled(&mut self, task: TaskId) {
        self.task(task).cancelled = true;
    }

    pub(crate) fn said_to_have_ended(&mut self, task: TaskId) -> Judgement {
        let facts = self.task(task);
        if std::mem::replace(&mut facts.reported, true) {
            return broken(Rule::AppliedTwice, format!("the end of {task:?} is reported again"));
        }
        if facts.ended.is_some() {
            return Ok(());
        }
        broken(Rule::AnsweredWrongly, format!("{task:?} is said to have ended too early"))
    }

    /// Tasks that were lost too often.
    pub(crate) fn dead(&self) -> u64 {
        self.tasks.values().filter(|task| task.ended == Some(End::Dead)).count() as u64
    }

    /// Tasks that wait for a worker, and nothing else.
    pub(crate) fn waiting(&self, now: u64) -> impl Iterator<Item = TaskId> + '_ {
        let waits = move |task: &Task| {
            task.exists && task.ended.is_none() && task.lease.is_none() && task.ready_at <= now
        };
        self.tasks.iter().filter(move |(_, task)| waits(task)).map(|(id, _)| *id)
    }

    /// How many tasks a process of a worker has, as the coordinator has decided.
    pub(crate) fn given_to(&self, worker: usize, process: u64) -> usize {
        self.given.count((worker, process))
    }

    /// How many tasks are given to somebody, as the coordinator has decided.
    pub(crate) fn given_out(&self) -> usize {
        self.given.len()
    }

    /// Acknowledged tasks that have not ended, each with who has it: the worker and its process.
    pub(crate) fn open(
        &self,
    ) -> impl Iterator<Item = (TaskId, Option<(TaskKey, usize, u64)>)> + '_ {
        let open = self.tasks.iter().filter(|(_, task)| task.acknowledged && task.ended.is_none());
        open.map(|(id, task)| (*id, task.lease))
    }
}

/// Worker ids of plans end with their index.
pub(crate) fn index_of(worker: u128) -> usize {
    usize::try_from(worker & u128::from(u32::MAX)).unwrap_or(usize::MAX)
}
