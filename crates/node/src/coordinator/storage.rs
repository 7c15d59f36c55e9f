//! Between the dispatcher and the store: operations get names, payloads and bodies; answers lose them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use moorline_link::{Backoff, WorkerId};
use moorline_work::{
    Attempt, DispatcherInput, Op, OpId, Placement, RequeueCause, Row, TaskId, TaskKey, Ticket,
};

use super::{ClientReply, CoordinatorAction, CoordinatorEvent, CoordinatorNode};
use crate::{
    Detail, Done, Event, EventKind, KnownWorker, Persist, PersistId, Requeue, Spec, StoreOp,
    StorePlacement, StoreRow,
};

/// An operation that was handed out and is not durable yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Pending {
    /// The dispatcher's number; none for operations of the node itself.
    work: Option<OpId>,
    /// Worth a line when it is durable.
    event: Option<CoordinatorEvent>,
    /// The payload its rows bring belongs to this attempt.
    leases: Option<TaskKey>,
    /// A submission that leases its task to this attempt, if there is such a task then: its payload.
    brings: Option<(TaskKey, Bytes)>,
    /// It reads the leases of earlier lives.
    recovers: bool,
    /// It writes down what happened: nothing else waits for it.
    is_event: bool,
}

impl Pending {
    /// An operation of the node itself.
    const OWN: Self = Self {
        work: None,
        event: None,
        leases: None,
        brings: None,
        recovers: false,
        is_event: false,
    };

    pub(super) fn of_event() -> Self {
        Self { is_event: true, ..Self::OWN }
    }
}

/// A result that arrived and is not answered: its body, until the store has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Held {
    pub(super) body: Bytes,
    /// Messages and bytes of credit it holds.
    pub(super) messages: u32,
    pub(super) bytes: u64,
}

/// Everything on its way to or from the store.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Storage {
    last: PersistId,
    /// Dense: the front has the number after the last one that is durable.
    pending: VecDeque<Pending>,
    /// Payloads of submits that the dispatcher has not asked to persist yet, in the order in which it
    /// does.
    submits: VecDeque<(Ticket, Spec, Bytes)>,
    /// Tasks whose lease may still come to be assigned: the attempt, with its payload once that is read.
    /// A lease that ends first takes its payload with it, also if the store reads it afterwards.
    payloads: BTreeMap<TaskId, (Attempt, Option<Bytes>)>,
    /// Results that are not answered.
    results: BTreeMap<(TaskKey, WorkerId), Held>,
    /// The result that is being decided on.
    deciding: Option<(TaskKey, WorkerId)>,
    recovered: (u32, u32),
}

impl Storage {
    /// So many operations are under way.
    pub(super) fn under_way(&self) -> usize {
        self.pending.len()
    }

    /// Results that are not answered, leases that may still be assigned, submits that wait.
    pub(super) fn load(&self) -> (usize, usize, usize) {
        (self.results.len(), self.payloads.len(), self.submits.len())
    }

    pub(super) fn submit(&mut self, ticket: Ticket, spec: Spec, payload: Bytes) {
        self.submits.push_back((ticket, spec, payload));
    }

    fn take_submit(&mut self, ticket: Ticket) -> Option<(Spec, Bytes)> {
        self.submits.front().filter(|(first, ..)| *first == ticket)?;
        let (_, spec, payload) = self.submits.pop_front()?;
        Some((spec, payload))
    }

    pub(super) fn take_payload(&mut self, key: TaskKey) -> Option<Bytes> {
        let Entry::Occupied(wanted) = self.payloads.entry(key.task) else { return None };
        if wanted.get().0 == key.attempt { wanted.remove().1 } else { None }
    }

    /// A lease is asked for: its payload will be wanted.
    fn want_payload(&mut self, key: TaskKey) {
        self.payloads.insert(key.task, (key.attempt, None));
    }

    /// There is a lease, and this is its payload.
    fn has_payload(&mut self, key: TaskKey, payload: Bytes) {
        self.payloads.insert(key.task, (key.attempt, Some(payload)));
    }

    /// The payload of a lease was read. Nobody wants it any more if the lease has ended meanwhile.
    fn keep_payload(&mut self, key: TaskKey, payload: Bytes) {
        if let Some((attempt, wanted)) = self.payloads.get_mut(&key.task)
            && *attempt == key.attempt
        {
            *wanted = Some(payload);
        }
    }

    /// Whatever lease the task had is over: nothing will be assigned under it.
    fn drop_payload(&mut self, task: TaskId) {
        self.payloads.remove(&task);
    }

    /// Keeps the body of a result. The same one again (a duplicate) only holds more credit.
    pub(super) fn hold(&mut self, worker: WorkerId, key: TaskKey, body: Bytes, cost: u32) {
        let held =
            self.results.entry((key, worker)).or_insert(Held { body, messages: 0, bytes: 0 });
        held.messages += 1;
        held.bytes += u64::from(cost);
        self.deciding = Some((key, worker));
    }

    /// What was to be decided on the last result is.
    pub(super) fn decided(&mut self) {
        self.deciding = None;
    }

    /// The result is answered: gives back what it held.
    pub(super) fn let_go(&mut self, worker: WorkerId, key: TaskKey) -> Option<Held> {
        self.results.remove(&(key, worker))
    }

    /// A worker's session is over: its results come again in the next one.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.results.retain(|&(_, w), _| w != worker);
    }

    /// The body that goes with an operation on this attempt. A run that was adopted may still
    /// report under its old number: then it is the body of the result that is being decided on.
    fn body(&self, key: TaskKey) -> Bytes {
        let exact = self.results.range((key, WorkerId(0))..).next();
        let exact = exact.filter(|((held, _), _)| *held == key).map(|(_, held)| held);
        let deciding = self.deciding.filter(|(held, _)| held.task == key.task);
        let held = exact.or_else(|| self.results.get(&deciding?));
        held.map(|held| held.body.clone()).unwrap_or_default()
    }

    /// What is under way, in order. Events that are to be written down nobody waits for.
    pub(super) fn feed<H: Hasher>(&self, state: &mut H) {
        let Self { last: _, pending, submits, payloads, results, deciding, recovered: _ } = self;
        for Pending { work, event: _, leases, brings, recovers, is_event } in pending {
            if !is_event {
                (1_u8, work.is_some(), leases, brings, recovers).hash(state);
            }
        }
        (0_u8, submits, payloads, results, deciding).hash(state);
    }

    pub(super) fn hand_out(&mut self, op: StoreOp, pending: Pending) -> CoordinatorAction {
        self.last = PersistId(self.last.0 + 1);
        self.pending.push_back(pending);
        CoordinatorAction::Persist(Persist { id: self.last, op })
    }
}

impl CoordinatorNode {
    /// Remembers a worker, or that it left.
    pub(super) fn persist_worker(&mut self, known: KnownWorker) {
        let action = self.storage.hand_out(StoreOp::Worker(known), Pending::OWN);
        self.out.push_back(action);
    }

    /// Forgets a worker.
    pub(super) fn persist_forgotten(&mut self, worker: moorline_work::WorkerId) {
        let action = self.storage.hand_out(StoreOp::Forget { worker }, Pending::OWN);
        self.out.push_back(action);
    }

    /// Reads the workers of earlier lives: asked first.
    pub(super) fn recall_workers(&mut self) {
        let action = self.storage.hand_out(StoreOp::Workers, Pending::OWN);
        self.out.push_back(action);
    }

    /// Joins an operation of the dispatcher with what belongs to it, and hands it out.
    pub(super) fn persist(&mut self, id: OpId, op: Op) {
        let mut pending = Pending { work: Some(id), ..Pending::OWN };
        let op = match op {
            Op::Submit { ticket, task, placement, .. } => {
                let Some((spec, payload)) = self.storage.take_submit(ticket) else {
                    debug_assert!(false, "a submit is handed out once, after it came in");
                    return;
                };
                let placement = match placement {
                    Placement::Unclaimed => StorePlacement::Unclaimed,
                    Placement::Claimed => StorePlacement::Claimed { epoch: self.epoch },
                    Placement::Leased { worker, incarnation } => {
                        let key = TaskKey { task, attempt: Attempt(0).next() };
                        pending.brings = Some((key, payload.clone()));
                        StorePlacement::Leased { worker, incarnation }
                    }
                };
                StoreOp::Submit { task, spec, payload, placement }
            }
            Op::Claim { handler, limit } => {
                let Some(handler) = self.handlers.name(handler.0).cloned() else {
                    debug_assert!(false, "only interned handlers are claimed");
                    return;
                };
                StoreOp::Claim { handler, limit, epoch: self.epoch }
            }
            Op::Unclaim { task } => StoreOp::Unclaim { task },
            Op::Leases => {
                pending.recovers = true;
                StoreOp::Leases
            }
            Op::Lookup { task } => StoreOp::Lookup { task },
            Op::Lease { key, worker, incarnation } => {
                pending.leases = Some(key);
                self.storage.want_payload(key);
                StoreOp::Lease { key, worker, incarnation }
            }
            Op::Adopt { key, from, worker, incarnation } => {
                self.storage.drop_payload(key.task);
                StoreOp::Adopt { key, from, worker, incarnation }
            }
            Op::Requeue { key, cause } => {
                self.storage.drop_payload(key.task);
                let (cause, error) = match cause {
                    RequeueCause::Returned => (Requeue::Returned, Bytes::new()),
                    RequeueCause::Lost => {
                        pending.event = Some(CoordinatorEvent::Redelivered { key });
                        (Requeue::Lost, Bytes::new())
                    }
                    RequeueCause::Retry { retry } => {
                        let delay = retry_delay(&self.retry, self.seed, key.task, retry);
                        (Requeue::Retry { delay }, self.storage.body(key))
                    }
                };
                StoreOp::Requeue { key, cause, error }
            }
            Op::Finish { key, end } => {
                self.storage.drop_payload(key.task);
                StoreOp::Finish { key, end, body: self.storage.body(key) }
            }
            Op::Cancel { task, .. } => StoreOp::Cancel { task },
            Op::Retry { task, last, .. } => StoreOp::Retry { task, last },
        };
        let action = self.storage.hand_out(op, pending);
        self.out.push_back(action);
    }

    /// The store made a prefix durable.
    pub(super) fn committed(&mut self, up_to: PersistId, done: Vec<Done>) {
        let first = self.storage.last.0 - self.storage.pending.len() as u64 + 1;
        let count = (up_to.0 + 1).saturating_sub(first);
        debug_assert_eq!(count, done.len() as u64, "one answer for each operation, in order");
        let mut last = None;
        for answer in done {
            let Some(mut pending) = self.storage.pending.pop_front() else { break };
            if pending.is_event {
                self.events.stored();
            }
            if answer.conflict.is_none()
                && let Some((key, payload)) = pending.brings.take()
            {
                self.storage.has_payload(key, payload);
            }
            self.answered(&pending, answer);
            last = pending.work.or(last);
        }
        self.record_dropped();
        if let Some(up_to) = last {
            self.tell(DispatcherInput::Stored { up_to });
        }
    }

    fn answered(&mut self, pending: &Pending, answer: Done) {
        for row in answer.rows {
            self.loaded(pending, row);
        }
        if answer.conflict.is_some()
            && let Some(key) = pending.leases
        {
            // There is no lease, so nothing will ask for its payload.
            self.storage.take_payload(key);
        }
        match (answer.conflict, pending.work) {
            (Some(conflict), Some(op)) => self.tell(DispatcherInput::Conflict { op, conflict }),
            (Some(_), None) => debug_assert!(false, "the node's own operations have no condition"),
            (None, _) => {
                if let Some(event) = &pending.event {
                    self.out.push_back(CoordinatorAction::Event(event.clone()));
                }
            }
        }
        if pending.recovers {
            let (leases, workers) = self.storage.recovered;
            self.out.push_back(CoordinatorAction::Event(CoordinatorEvent::Recovered {
                leases,
                workers,
            }));
            let detail = format!("{workers} workers expected, {leases} leases recovered");
            self.record(Event {
                detail: Some(Detail::new(&detail)),
                ..Event::new(EventKind::CoordinatorStarted)
            });
        }
    }

    fn loaded(&mut self, pending: &Pending, row: StoreRow) {
        let row = match row {
            StoreRow::Payload(payload) => {
                if let Some(key) = pending.leases {
                    self.storage.keep_payload(key, payload);
                }
                return;
            }
            StoreRow::Worker(known) => {
                self.storage.recovered.1 += u32::from(!known.departed);
                self.expect(known);
                return;
            }
            StoreRow::Submitted { order } => Row::Submitted { order },
            StoreRow::More => Row::More,
            StoreRow::ReadyIn { delay } => Row::ReadyIn { delay },
            StoreRow::Status(status) => Row::Status(status),
            StoreRow::Task { task, order, spec, attempt, retries, lost, payload_bytes } => {
                let spec = self.intern_stored(&spec, payload_bytes);
                Row::Task { task, order, spec, attempt, retries, lost }
            }
            StoreRow::Lease {
                key,
                order,
                spec,
                retries,
                lost,
                worker,
                incarnation,
                cancel_requested,
                payload_bytes,
            } => {
                let spec = self.intern_stored(&spec, payload_bytes);
                self.storage.recovered.0 += u32::from(pending.recovers);
                Row::Lease {
                    key,
                    order,
                    spec,
                    retries,
                    lost,
                    worker,
                    incarnation,
                    cancel_requested,
                }
            }
        };
        if let Some(op) = pending.work {
            self.tell(DispatcherInput::Loaded { op, row });
        }
    }

    /// The dispatcher's form of a spec, with a payload of so many bytes; none if the table of handlers
    /// is full.
    pub(super) fn intern(&mut self, spec: &Spec, bytes: u32) -> Option<moorline_work::TaskSpec> {
        Some(task_spec(self.handlers.intern(&spec.handler)?, spec, bytes))
    }

    /// The same of a task that is in the store: it was taken once, and is never turned away.
    fn intern_stored(&mut self, spec: &Spec, bytes: u32) -> moorline_work::TaskSpec {
        task_spec(self.handlers.intern_always(&spec.handler), spec, bytes)
    }

    /// Answers a submit that cannot be taken.
    pub(super) fn refuse(&mut self, ticket: Ticket, reply: ClientReply) {
        self.out.push_back(CoordinatorAction::Reply { ticket, reply });
    }
}

fn task_spec(handler: u32, spec: &Spec, bytes: u32) -> moorline_work::TaskSpec {
    moorline_work::TaskSpec {
        handler: moorline_work::Sym(handler),
        priority: spec.priority,
        max_retries: spec.max_retries,
        timeout: spec.timeout,
        bytes,
    }
}

/// The delay before a retry: the backoff of links, drawn by task.
fn retry_delay(policy: &Backoff, seed: u64, task: TaskId, retry: u32) -> std::time::Duration {
    let [low, high] = [task.0 as u64, (task.0 >> 64) as u64];
    policy.delay(seed ^ low ^ high.rotate_left(32), retry, std::time::Duration::ZERO)
}
