//! A scripted worker and its lanes: it behaves as the protocol says, on a network that does not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use moorline_work::{
    Assign, Attempt, CoordinatorMessage, DispatcherInput, Holding, Incarnation, Instant, Judgement,
    Outcome, Refusal, Sym, TaskKey, WorkerId, WorkerMessage,
};

/// What a run has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    Running { ends: Instant, outcome: Outcome },
    Stopping { ends: Instant, outcome: Outcome },
    Finished { outcome: Outcome, handed: bool },
}

#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) key: TaskKey,
    pub(crate) phase: Phase,
    /// The inventory named it and was not answered.
    pub(crate) unjudged: bool,
    pub(crate) progress: u64,
}

/// The connection as the worker sees it.
#[derive(Clone, Debug)]
pub(crate) enum Conn {
    Down,
    /// Registered: what it says before it is active, and the answers under way.
    Restoring {
        says: VecDeque<DispatcherInput>,
        answers: VecDeque<(TaskKey, Judgement)>,
        open: usize,
    },
    Up,
}

#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) id: WorkerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) slots: u16,
    pub(crate) handlers: Vec<Sym>,
    pub(crate) draining: bool,
    pub(crate) runs: Vec<Run>,
    revoked: BTreeSet<TaskKey>,
    /// What it does not hold and swallowed its word of: the coordinator may go on counting that.
    unsaid: BTreeSet<TaskKey>,
    pub(crate) conn: Conn,
    /// Both ends still have the session, and of which process it is.
    pub(crate) session: Option<Incarnation>,
    /// The coordinator has not noticed yet that the connection is gone.
    pub(crate) unnoticed: bool,
    pub(crate) last_received: Instant,
    pub(crate) up_c: VecDeque<WorkerMessage>,
    pub(crate) up_b: VecDeque<WorkerMessage>,
    pub(crate) down_c: VecDeque<CoordinatorMessage>,
    /// Assignments and whether they have a number.
    pub(crate) down_b: VecDeque<(Assign, bool)>,
    /// How each result it sent ended.
    pub(crate) reported: BTreeMap<TaskKey, Outcome>,
    /// Every attempt it ever started.
    pub(crate) started: BTreeSet<(Incarnation, TaskKey)>,
    pub(crate) believed: Option<u16>,
}

impl Peer {
    pub(crate) fn new(id: u128, slots: u16, handlers: Vec<Sym>) -> Self {
        Self {
            id: WorkerId(id),
            incarnation: Incarnation(1),
            slots,
            handlers,
            draining: false,
            runs: Vec::new(),
            revoked: BTreeSet::new(),
            unsaid: BTreeSet::new(),
            conn: Conn::Down,
            session: None,
            unnoticed: false,
            last_received: Instant::ZERO,
            up_c: VecDeque::new(),
            up_b: VecDeque::new(),
            down_c: VecDeque::new(),
            down_b: VecDeque::new(),
            reported: BTreeMap::new(),
            started: BTreeSet::new(),
            believed: None,
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        matches!(self.conn, Conn::Down)
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.conn, Conn::Up)
    }

    pub(crate) fn busy(&self) -> usize {
        self.runs.iter().filter(|run| !matches!(run.phase, Phase::Finished { .. })).count()
    }

    /// Whether it runs an attempt, or may still get it by a lane that goes on.
    pub(crate) fn has_or_gets(&self, key: TaskKey, incarnation: Incarnation) -> bool {
        let runs = self.incarnation == incarnation
            && self
                .runs
                .iter()
                .any(|run| run.key == key && matches!(run.phase, Phase::Running { .. }));
        let gets = self.session == Some(incarnation)
            && self.incarnation == incarnation
            // After a `NotHeld` it is refused when it comes.
            && !self.revoked.contains(&key)
            && self.down_b.iter().any(|(assign, numbered)| *numbered && assign.key == key);
        runs || gets
    }

    /// Its process dies, and another starts.
    pub(crate) fn crash(&mut self) {
        self.incarnation = Incarnation(self.incarnation.0 + 1);
        self.runs.clear();
        self.revoked.clear();
        self.draining = false;
        self.up_c.clear();
        self.up_b.clear();
        self.drop_connection();
    }

    /// What it was to answer to a revoke or to say of an assignment is never said.
    pub(crate) fn swallow(&mut self) {
        match self.up_c.pop_front() {
            Some(WorkerMessage::Refuse { key, .. } | WorkerMessage::NotHeld { key }) => {
                self.unsaid.insert(key);
            }
            Some(
                WorkerMessage::Accept { .. }
                | WorkerMessage::Held { .. }
                | WorkerMessage::Result { .. },
            )
            | None => {}
        }
    }

    pub(crate) fn drop_connection(&mut self) {
        if !self.is_down() {
            self.conn = Conn::Down;
            self.unnoticed = true;
        }
    }

    /// The lanes are empty at both ends.
    pub(crate) fn new_session(&mut self) {
        self.up_c.clear();
        self.up_b.clear();
        self.down_c.clear();
        self.down_b.clear();
        self.revoked.clear();
        self.unsaid.clear();
        for run in &mut self.runs {
            if let Phase::Finished { handed, .. } = &mut run.phase {
                *handed = false;
            }
        }
    }

    /// The first frames of a connection: everything it holds. The caller has sent `Registered`.
    pub(crate) fn welcomed(&mut self) {
        let worker = self.id;
        let mut says: VecDeque<DispatcherInput> = self
            .handlers
            .iter()
            .map(|handler| DispatcherInput::Offer { worker, handler: *handler })
            .collect();
        let mut open = 0;
        for run in &mut self.runs {
            let holding = match run.phase {
                Phase::Running { .. } | Phase::Stopping { .. } => {
                    Holding::Running { progress: run.progress }
                }
                Phase::Finished { outcome, handed: false } => Holding::Finished { outcome, len: 0 },
                Phase::Finished { handed: true, .. } => continue,
            };
            run.unjudged = true;
            open += 1;
            says.push_back(DispatcherInput::Item { worker, key: run.key, holding });
        }
        says.push_back(DispatcherInput::InventoryEnd { worker });
        self.conn = Conn::Restoring { says, answers: VecDeque::new(), open };
    }

    /// Runs that are due end; what may be said of ended runs is said.
    pub(crate) fn tick(&mut self, now: Instant) {
        for run in &mut self.runs {
            match run.phase {
                Phase::Running { ends, outcome } | Phase::Stopping { ends, outcome }
                    if ends <= now =>
                {
                    run.phase = Phase::Finished { outcome, handed: false };
                }
                Phase::Running { .. } | Phase::Stopping { .. } | Phase::Finished { .. } => {}
            }
        }
        if !self.is_up() {
            return;
        }
        for run in &mut self.runs {
            if let Phase::Finished { outcome, handed } = &mut run.phase
                && !*handed
                && !run.unjudged
            {
                *handed = true;
                self.up_b.push_back(WorkerMessage::Result { key: run.key, outcome: *outcome });
            }
        }
    }

    /// When the next run ends.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.runs
            .iter()
            .filter_map(|run| match run.phase {
                Phase::Running { ends, .. } | Phase::Stopping { ends, .. } => Some(ends),
                Phase::Finished { .. } => None,
            })
            .min()
    }

    fn find(&mut self, key: TaskKey) -> Option<usize> {
        self.runs.iter().position(|run| run.key == key)
    }

    pub(crate) fn judged(&mut self, now: Instant, key: TaskKey, judgement: Judgement) {
        let Some(index) = self.find(key) else { return };
        match judgement {
            Judgement::Continue | Judgement::Send => self.runs[index].unjudged = false,
            Judgement::Adopt { attempt } => {
                let new = TaskKey { task: key.task, attempt };
                if self.find(new).is_some() {
                    self.runs.remove(index);
                } else {
                    self.runs[index].key = new;
                    self.runs[index].unjudged = false;
                }
            }
            Judgement::Cancel => {
                self.runs[index].unjudged = false;
                self.stop(now, index);
            }
            Judgement::Drop { .. } | Judgement::Unknown => {
                self.runs.remove(index);
            }
        }
    }

    fn stop(&mut self, now: Instant, index: usize) {
        if let Phase::Running { ends, outcome } = self.runs[index].phase {
            // Some handlers take their time. Sometimes the success comes first.
            let is_slow = self.runs[index].key.task.0.is_multiple_of(4);
            let soon = now + Duration::from_millis(if is_slow { 9_000 } else { 20 });
            self.runs[index].phase = if ends <= soon && outcome == Outcome::Succeeded {
                Phase::Stopping { ends, outcome }
            } else {
                Phase::Stopping { ends: soon, outcome: Outcome::Cancelled }
            };
        }
    }

    pub(crate) fn assigned(
        &mut self,
        key: TaskKey,
        ends: Instant,
        outcome: Outcome,
        progress: u64,
    ) {
        if let Some(index) = self.find(key) {
            if !matches!(self.runs[index].phase, Phase::Finished { .. }) {
                self.up_c.push_back(WorkerMessage::Accept { key });
            }
            return;
        }
        let refusal = if self.revoked.remove(&key) {
            Some(Refusal::Revoked)
        } else if self.draining {
            Some(Refusal::Draining)
        } else if self.busy() >= usize::from(self.slots) {
            Some(Refusal::NoSlot)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.up_c.push_back(WorkerMessage::Refuse { key, refusal });
            return;
        }
        assert!(self.started.insert((self.incarnation, key)), "{key:?} was started twice");
        let phase = Phase::Running { ends, outcome };
        self.runs.push(Run { key, phase, unjudged: false, progress });
        self.up_c.push_back(WorkerMessage::Accept { key });
    }

    pub(crate) fn told(&mut self, now: Instant, message: CoordinatorMessage) {
        match message {
            CoordinatorMessage::Assign(_) => unreachable!("assignments ride on the other lane"),
            CoordinatorMessage::Settled { key, .. } => {
                if let Some(index) = self.find(key)
                    && matches!(self.runs[index].phase, Phase::Finished { .. })
                {
                    self.runs.remove(index);
                }
            }
            CoordinatorMessage::Cancel { key } => {
                if let Some(index) = self.find(key) {
                    self.stop(now, index);
                } else {
                    let was_here = self.started.iter().any(|(_, started)| started.task == key.task);
                    assert!(was_here, "a cancel overtook the assignment of {key:?}");
                }
            }
            CoordinatorMessage::Revoke { key } => {
                if self.find(key).is_some() {
                    self.up_c.push_back(WorkerMessage::Held { key });
                } else {
                    self.revoked.insert(key);
                    self.unsaid.remove(&key);
                    self.up_c.push_back(WorkerMessage::NotHeld { key });
                }
            }
        }
    }

    /// A result it sends a second time, as after a doubt about the first.
    pub(crate) fn repeat_result(&mut self) {
        if let Some((key, outcome)) = self.runs.iter().find_map(|run| match run.phase {
            Phase::Finished { outcome, handed: true } => Some((run.key, outcome)),
            Phase::Running { .. } | Phase::Stopping { .. } | Phase::Finished { .. } => None,
        }) {
            self.up_b.push_back(WorkerMessage::Result { key, outcome });
        }
    }

    /// How many it does not hold while the coordinator may go on counting them.
    pub(crate) fn unsaid(&self) -> usize {
        self.unsaid.len()
    }

    /// It is active and nothing is under way in either direction.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_up()
            && self.up_c.is_empty()
            && self.up_b.is_empty()
            && self.down_c.is_empty()
            && self.down_b.is_empty()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.is_quiet() && self.runs.is_empty()
    }

    /// An attempt number that means nothing to anybody.
    pub(crate) fn nonsense(&self) -> Attempt {
        Attempt(9_999)
    }
}
