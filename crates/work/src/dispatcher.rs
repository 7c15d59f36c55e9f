//! The coordinator's half of work: what is queued, who has what, what became of it.

mod answers;
mod canonical;
mod clients;
mod config;
mod delivery;
mod due;
mod fenced;
mod guard;
mod inventory;
mod io;
mod lease;
mod log;
mod matching;
mod message;
mod presence;
mod promise;
mod result;
mod stored;
mod task;
mod touched;
mod window;
mod worker;

pub use config::{DispatcherConfig, DispatcherConfigError, DispatcherSettings};
pub use io::{
    DispatcherAction, DispatcherInput, DispatcherTimer, DispatcherVerdict, LeaseSnapshot, Reply,
    TaskSpec,
};

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use answers::Owing;
use delivery::Backlog;
use due::{Due, DueList};
use guard::Guard;
use log::{Cause, Log};
use task::{CancelWish, Task};
use touched::Touched;
use window::Window;
use worker::{Note, Worker};

use crate::{Instant, Op, OpId, Sym, TaskId, Wake, WorkerId};

/// The coordinator's work machine: gives queued tasks to workers, keeps leases over connections,
/// sessions and its own restarts, and makes every result count exactly once.
///
/// Drive it like this: pass everything that happens to [`handle`](Self::handle), then take
/// [`poll_action`](Self::poll_action) until it is empty, then wait for an input, at the latest
/// until [`next_wake`](Self::next_wake), and pass [`DispatcherInput::Timeout`] at that time. `now`
/// is *effective* time: the embedder has subtracted the stalls of its own process.
///
/// It decides, the store is the authority: what must be durable is asked for by
/// [`DispatcherAction::Persist`], in order and on a condition, and nothing is told to a client or a
/// worker before the [`DispatcherInput::Stored`] that covers it. Until the leases of an earlier life
/// are read (the first operation), nothing is claimed, leased or judged: items of inventories wait,
/// and messages of workers are [`DispatcherVerdict::Stale`], because none can be active and hold
/// anything yet.
///
/// It keeps the laws L1-L5 and L8-L10: [`Wake::Now`] exactly while an action is due, a timeout at a
/// deadline moves the next deadline on, polling a drained machine or an early timeout changes
/// nothing, shifted inputs give shifted outputs, and the same inputs give the same machine. An input
/// costs O(log n) in tasks and workers for each lease it changes and each handler of the workers
/// whose slots it changes; only reading the leases at the start looks at everything.
///
/// ```
/// use moorline_work::*;
///
/// let now = Instant::from_nanos(0);
/// let mut dispatcher = Dispatcher::new(DispatcherConfig::default(), now);
/// let leases = DispatcherAction::Persist { id: OpId(1), op: Op::Leases };
/// assert_eq!(dispatcher.poll_action(), Some(leases));
/// dispatcher.handle(now, DispatcherInput::Stored { up_to: OpId(1) });
///
/// let (ticket, task) = (Ticket(1), TaskId(7));
/// let spec = TaskSpec { handler: Sym(1), priority: 0, max_retries: 0, timeout: None, bytes: 0 };
/// dispatcher.handle(now, DispatcherInput::Submit { ticket, task, spec });
/// let placement = Placement::Unclaimed; // nobody is here who could run it
/// let submit = Op::Submit { ticket, task, spec, placement };
/// let persist = DispatcherAction::Persist { id: OpId(2), op: submit };
/// assert_eq!(dispatcher.poll_action(), Some(persist));
///
/// // The client hears of it when it is durable.
/// assert_eq!(dispatcher.poll_action(), None);
/// dispatcher.handle(now, DispatcherInput::Loaded { op: OpId(2), row: Row::Submitted { order: 1 } });
/// dispatcher.handle(now, DispatcherInput::Stored { up_to: OpId(2) });
/// let reply = Reply::Submitted { again: false };
/// assert_eq!(dispatcher.poll_action(), Some(DispatcherAction::Reply { ticket, reply }));
/// assert!(dispatcher.is_settled());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Dispatcher {
    config: DispatcherConfig,
    start: Instant,
    /// The leases of earlier lives are read.
    ready: bool,
    stopping: bool,
    log: Log,
    /// Tasks that have not ended and are in a window or leased.
    tasks: BTreeMap<TaskId, Task>,
    windows: BTreeMap<Sym, Window>,
    workers: BTreeMap<WorkerId, Worker>,
    /// The last cancel of each task that is not durable yet.
    cancelling: BTreeMap<TaskId, OpId>,
    /// Tasks that memory does not know and the last operation under way that takes them off the
    /// queue, an adoption or a late success: a claim before it has not seen that.
    taken: BTreeMap<TaskId, OpId>,
    /// Counts registrations and detachments of all workers: a number means one of them for ever.
    registrations: u64,
    /// Workers that said goodbye before the leases were read.
    departed: BTreeSet<WorkerId>,
    /// Workers with questions that wait until the store has caught up.
    asking: BTreeSet<WorkerId>,
    guard: Guard,
    /// Leases of all workers whose assignment has not left this machine.
    undelivered: Backlog,
    timers: Timers,
    /// What is owed to clients and to the embedder, and stays true whatever happens.
    owed: VecDeque<DispatcherAction>,
    due: DueList,
    /// Workers whose free slots may have changed, handlers whose window may move: empty between
    /// inputs.
    touched_workers: Touched<WorkerId>,
    touched_handlers: Touched<Sym>,
}

/// Every armed deadline, by timer.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Timers {
    accept: BTreeSet<(Instant, TaskId)>,
    answer: Owing,
    lost: BTreeSet<(Instant, WorkerId)>,
    ready: BTreeSet<(Instant, Sym)>,
    retry: BTreeSet<(Instant, WorkerId)>,
}

impl Timers {
    /// The next deadline; ties resolve in the order of [`DispatcherTimer::ALL`].
    fn next(&self) -> Option<(Instant, DispatcherTimer)> {
        DispatcherTimer::ALL
            .into_iter()
            .filter_map(|timer| {
                let deadline = match timer {
                    DispatcherTimer::Accept => self.accept.first()?.0,
                    DispatcherTimer::Answer => self.answer.first()?,
                    DispatcherTimer::Lost => self.lost.first()?.0,
                    DispatcherTimer::Ready => self.ready.first()?.0,
                    DispatcherTimer::Retry => self.retry.first()?.0,
                };
                Some((deadline, timer))
            })
            .min()
    }
}

impl Dispatcher {
    /// A machine that asks for the leases of earlier lives first. `now` is the time from which the
    /// coordinator can be reached (P92): the start grace runs from here.
    #[must_use]
    pub fn new(config: DispatcherConfig, now: Instant) -> Self {
        let mut log = Log::new();
        log.push(Op::Leases, Cause::Own);
        Self {
            config,
            start: now,
            ready: false,
            stopping: false,
            log,
            tasks: BTreeMap::new(),
            windows: BTreeMap::new(),
            workers: BTreeMap::new(),
            cancelling: BTreeMap::new(),
            taken: BTreeMap::new(),
            registrations: 0,
            departed: BTreeSet::new(),
            asking: BTreeSet::new(),
            guard: Guard::default(),
            undelivered: Backlog::default(),
            timers: Timers::default(),
            owed: VecDeque::new(),
            due: DueList::default(),
            touched_workers: Touched::new(),
            touched_handlers: Touched::new(),
        }
    }

    /// Takes one input; what follows from it is polled.
    pub fn handle(&mut self, now: Instant, input: DispatcherInput) -> DispatcherVerdict {
        let verdict = match input {
            DispatcherInput::Timeout => self.on_timeout(now),
            DispatcherInput::Submit { ticket, task, spec } => self.on_submit(ticket, task, spec),
            DispatcherInput::Cancel { ticket, task } => self.on_cancel(ticket, task),
            DispatcherInput::Retry { ticket, task, last } => self.on_retry(ticket, task, last),
            DispatcherInput::Registered { worker, incarnation, slots, resumed } => {
                self.on_registered(worker, incarnation, slots, resumed)
            }
            DispatcherInput::Offer { worker, handler } => self.on_offer(worker, handler),
            DispatcherInput::Item { worker, key, holding } => self.on_item(worker, key, holding),
            DispatcherInput::InventoryEnd { worker } => self.on_inventory_end(worker),
            DispatcherInput::Active { worker } => self.on_active(now, worker),
            DispatcherInput::Detached { worker, last_received } => {
                self.on_detached(worker, last_received)
            }
            DispatcherInput::Departed { worker } => self.on_departed(worker),
            DispatcherInput::Flags { worker, draining, paused } => {
                self.on_flags(worker, draining, paused)
            }
            DispatcherInput::Message { worker, incarnation, message } => {
                self.on_message(now, worker, incarnation, message)
            }
            DispatcherInput::HandedOver { worker, key } => self.on_handed_over(now, worker, key),
            DispatcherInput::Withdrawn { worker, key, done } => {
                self.on_withdrawn(now, worker, key, done)
            }
            DispatcherInput::Expect { worker, incarnation } => self.on_expect(worker, incarnation),
            DispatcherInput::Stop => self.on_stop(),
            DispatcherInput::Loaded { op, row } => self.on_loaded(now, op, row),
            DispatcherInput::Stored { up_to } => self.on_stored(now, up_to),
            DispatcherInput::Conflict { op, conflict } => self.on_conflict(op, conflict),
        };
        self.settle();
        verdict
    }

    /// The next action, if one is due; it counts as carried out.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<DispatcherAction> {
        let (source, action) = self.next_action()?;
        match source {
            Source::Log => self.log.advance(),
            Source::Owed => {
                self.owed.pop_front();
            }
            Source::Due(due) => self.due_action_taken(due),
        }
        Some(action)
    }

    /// When to call next.
    #[must_use]
    pub fn next_wake(&self) -> Wake<DispatcherTimer> {
        if self.next_action().is_some() {
            return Wake::Now;
        }
        match self.timers.next() {
            Some((deadline, timer)) => Wake::At { deadline, timer },
            None => Wake::OnInput,
        }
    }

    /// Every open lease, as it will be once everything asked for is durable: by task, and then those
    /// of submissions under way.
    pub fn leases(&self) -> impl Iterator<Item = LeaseSnapshot> + '_ {
        let leased = self.tasks.iter().filter_map(|(id, task)| {
            let lease = task.lease()?;
            Some(LeaseSnapshot {
                task: *id,
                attempt: task.attempt,
                worker: lease.worker,
                submitting: false,
                handed_over: !lease.stage.is_undelivered(),
                accepted: lease.is_accepted(),
                cancel_requested: lease.cancel.is_wanted(),
            })
        });
        leased.chain(self.promises())
    }

    /// How many tasks it knows: those of its windows and those that are leased.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// How many tasks are leased to this worker, submissions under way included.
    #[must_use]
    pub fn running(&self, worker: WorkerId) -> usize {
        self.workers.get(&worker).map_or(0, |worker| worker.leases.len() + worker.promised.len())
    }

    /// Every worker that announced this handler in its present session.
    pub fn offering(&self, handler: Sym) -> impl Iterator<Item = WorkerId> + '_ {
        let offers = move |worker: &Worker| worker.offers.contains(&handler);
        self.workers.iter().filter(move |(_, worker)| offers(worker)).map(|(id, _)| *id)
    }

    /// Operations asked for or about to be, that no `Stored` has covered.
    #[must_use]
    pub fn pending_ops(&self) -> usize {
        self.log.len()
    }

    /// Nothing is on its way to the store.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.log.len() == 0
    }

    /// The leases of earlier lives are read: from here on tasks are given out.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// The one place that says what is due.
    fn next_action(&self) -> Option<(Source, DispatcherAction)> {
        if let Some((id, op)) = self.log.next() {
            return Some((Source::Log, DispatcherAction::Persist { id, op }));
        }
        if let Some(action) = self.owed.front() {
            return Some((Source::Owed, *action));
        }
        let (due, action) = self.due_action()?;
        Some((Source::Due(due), action))
    }

    /// Owes a worker something; what is owed to one that is gone is void.
    fn note(&mut self, id: WorkerId, note: Note) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.notes.push_back(note);
            self.touched_workers.insert(id);
        }
    }

    fn persist(&mut self, op: Op, cause: Cause) -> OpId {
        self.log.push(op, cause)
    }

    fn on_timeout(&mut self, now: Instant) -> DispatcherVerdict {
        while let Some((deadline, timer)) = self.timers.next()
            && deadline <= now
        {
            match timer {
                DispatcherTimer::Accept => self.accept_is_due(now),
                DispatcherTimer::Answer => self.answer_is_due(now),
                DispatcherTimer::Lost => self.loss_is_due(now),
                DispatcherTimer::Ready => self.retry_is_ready(),
                DispatcherTimer::Retry => self.mute_ends(),
            }
        }
        DispatcherVerdict::Accepted
    }
}

/// Where the next action comes from.
#[derive(Clone, Copy)]
enum Source {
    Log,
    Owed,
    Due(Due),
}
