//! The coordinator's loop: inputs in, the node, operations, packets and replies out.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{Receiver, UnboundedReceiver};
use futures::channel::oneshot;
use moorline_link::{ConnId, Instant};
use moorline_node::{
    ClientReply, CoordinatorAction, CoordinatorEvent, CoordinatorInput, CoordinatorNode, Persist,
    StoreOp, UpFrame,
};
use moorline_store::{StoreError, WallTime};
use moorline_work::{Reply, TaskId, Ticket};

use super::accept::Accepted;
use super::judges::Judges;
use super::peer::Peer;
use super::store_state::{SharedState, StoreState};
use super::waiters::Waiters;
use super::{Control, Drain, Request};
use crate::connections::{Arrival, Connections};
use crate::log::coordinator::CoordinatorLog;
use crate::runtime::Runtime;
use crate::store_thread::{Answered, AtOnce, Order, SharedStore};
use crate::tally::CoordinatorTally;
use crate::timer::{Pace, Timer};
use crate::wall::Wall;

mod batches;
use self::batches::{Batches, STALLED_AFTER};

/// Packets taken in during one turn, before anything is written.
const PACKETS: u32 = 128;
/// Other inputs of one kind taken in during one turn.
const INPUTS: usize = 256;
/// Actions done in one turn.
const ACTIONS: usize = 1_024;
/// Batches that a store without a wait may commit in one turn: a task is stored, leased and sent in
/// two of them.
const COMMITS: usize = 4;
/// Packets written to one connection before the others have their turn.
const QUANTUM: usize = 4;

/// How often the cost of registrations is told.
const MEASURED_EVERY: Duration = Duration::from_secs(1);

/// A stop is over after this time, whatever the store and the workers do.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What the loop is made of.
pub(crate) struct Parts<R> {
    pub(crate) runtime: R,
    pub(crate) wall: Wall<R>,
    pub(crate) node: CoordinatorNode,
    pub(crate) log: CoordinatorLog,
    pub(crate) requested: Receiver<Request>,
    pub(crate) controlled: moorline_sync::Receiver<Control>,
    pub(crate) arriving: Receiver<Accepted>,
    /// One for each listener: dropped, it stops.
    pub(crate) listening: Vec<oneshot::Sender<()>>,
    /// For batches that need no waiting, and for the others.
    pub(crate) store: SharedStore,
    pub(crate) orders: Sender<Order>,
    pub(crate) commits: UnboundedReceiver<Answered>,
    pub(crate) state: SharedState,
    /// Ends when the store and its readers are closed.
    pub(crate) closed: UnboundedReceiver<Infallible>,
    pub(crate) waiters: Waiters,
    pub(crate) tally: Arc<CoordinatorTally>,
    pub(crate) judges: Judges<R>,
    /// What they said; as many as connections wait for their Hello.
    pub(crate) verdicts: UnboundedReceiver<CoordinatorInput>,
}

/// Everything a coordinator's loop owns.
pub(crate) struct CoordinatorLoop<R> {
    parts: Parts<R>,
    connections: Connections,
    peers: BTreeMap<ConnId, Peer>,
    next_conn: u64,
    replies: HashMap<Ticket, (TaskId, oneshot::Sender<ClientReply>)>,
    /// Replies of this turn. Who waits is woken at its end, for all of them at once.
    replied: Vec<(oneshot::Sender<ClientReply>, ClientReply)>,
    /// Tasks that ended in this turn; those who wait for them, too.
    ended: Vec<TaskId>,
    next_ticket: u64,
    store: Batches,
    timer: Timer,
    inputs: Vec<CoordinatorInput>,
    /// Something was left out of the last turn.
    has_more: bool,
    stop_at: Option<Instant>,
    /// Workers are sent away; it stops at the latest then.
    drained_at: Option<Instant>,
    /// What registrations cost since the last time it was told.
    cost: Cost,
    store_is_gone: bool,
    /// Somebody watches the pulse: it turns at least this often.
    pulse_every: Option<Duration>,
    broken: Option<StoreError>,
}

/// How much work registrations are, as far as it is known: all that the loop does while there are
/// many of them.
#[derive(Default)]
struct Cost {
    since: Option<Instant>,
    registrations: u32,
    busy: Duration,
}

impl<R: Runtime> CoordinatorLoop<R> {
    pub(crate) fn new(parts: Parts<R>) -> Self {
        Self {
            parts,
            connections: Connections::default(),
            peers: BTreeMap::new(),
            next_conn: 0,
            replies: HashMap::new(),
            replied: Vec::new(),
            ended: Vec::new(),
            next_ticket: 0,
            store: Batches::default(),
            timer: Timer::default(),
            inputs: Vec::new(),
            // The node has something to do from its beginning.
            has_more: true,
            stop_at: None,
            drained_at: None,
            cost: Cost::default(),
            store_is_gone: false,
            pulse_every: None,
            broken: None,
        }
    }

    /// Until it is stopped and its store is closed. `close_reads` lets the readers end.
    pub(crate) async fn run(mut self, close_reads: impl FnOnce()) {
        let mut pace = Pace::default();
        loop {
            pace.next(|cx| self.poll_inputs(cx)).await;
            let was_last = self.turn();
            self.tell();
            if was_last {
                break;
            }
        }
        close_reads();
        self.finish().await;
    }

    /// Ready when there is something to do.
    fn poll_inputs(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut something = std::mem::take(&mut self.has_more);
        for _ in 0..INPUTS {
            let Poll::Ready(Some(control)) = self.parts.controlled.poll_next(cx) else {
                break;
            };
            self.control(control);
            something = true;
        }
        // With too much waiting for the store, clients wait with their requests.
        for _ in 0..INPUTS {
            if self.store.is_full() || self.stop_at.is_some() {
                break;
            }
            let Poll::Ready(Some(request)) = self.parts.requested.poll_next_unpin(cx) else {
                break;
            };
            self.request(request);
        }
        match self.parts.commits.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(done))) => {
                self.stored();
                let now = self.parts.runtime.now();
                self.inputs.extend(self.store.committed(now, done, &self.parts.tally));
            }
            Poll::Ready(Some(Err(error))) => {
                self.broken = Some(error);
                something = true;
            }
            Poll::Ready(None) if !self.store_is_gone => {
                self.store_is_gone = true;
                something = true;
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
        for _ in 0..INPUTS {
            let Poll::Ready(Some(accepted)) = self.parts.arriving.poll_next_unpin(cx) else {
                break;
            };
            self.accepted(accepted);
        }
        for _ in 0..INPUTS {
            // The loop holds a sender of its own: this never ends.
            let Poll::Ready(Some(verdict)) = self.parts.verdicts.poll_next_unpin(cx) else { break };
            if let CoordinatorInput::Authenticated { conn, .. } = &verdict {
                self.parts.judges.forget(*conn);
            }
            self.inputs.push(verdict);
        }
        let (inputs, peers, parts) = (&mut self.inputs, &self.peers, &self.parts);
        self.has_more = self.connections.poll(cx, PACKETS, |arrival| {
            inputs.push(match arrival {
                Arrival::Packet { conn, bytes } => {
                    packet(conn, bytes, peers, &parts.log, &parts.tally)
                }
                Arrival::Ended { conn, reason } => CoordinatorInput::Closed { conn, reason },
                Arrival::Writable { conn } => CoordinatorInput::Writable { conn },
            });
        });
        something |= self.has_more || !self.inputs.is_empty();
        let deadline = self.deadline();
        let timer = self.timer.poll(cx, &self.parts.runtime, deadline);
        if something || timer.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn control(&mut self, control: Control) {
        // Who asked may have stopped waiting.
        match control {
            Control::Workers { reply } => {
                let now = self.parts.runtime.now();
                // Who did something to a worker and asks then sees what it came to.
                self.take_in(now);
                let _ = reply.send(self.parts.node.workers(now).collect());
            }
            Control::Peers { reply } => {
                let _ = reply.send(self.peers.clone());
            }
            Control::Offering { handler, reply } => {
                let _ = reply.send(self.parts.node.offering(&handler));
            }
            Control::Disconnect { worker, reason, reply } => {
                self.inputs.push(CoordinatorInput::Disconnect { worker, reason });
                let _ = reply.send(());
            }
            Control::PulseEvery(every) => self.pulse_every = Some(every),
            Control::Reconnect { worker, reply } => {
                self.inputs.push(CoordinatorInput::Reconnect { worker });
                let _ = reply.send(());
            }
            Control::Advertise { endpoints } => {
                self.inputs.push(CoordinatorInput::Endpoints { endpoints });
            }
            Control::Instead { to } => self.inputs.push(CoordinatorInput::Instead { to }),
            Control::Redirect { worker, to, reply } => {
                // Addresses that are too long are left out: there may be none.
                let may = !to.is_empty() && self.parts.node.is_movable(worker);
                if may {
                    self.inputs.push(CoordinatorInput::Redirect { worker, to });
                }
                let _ = reply.send(may);
            }
            Control::Cordon { worker, cordoned, reply } => {
                self.inputs.push(CoordinatorInput::Cordon { worker, cordoned });
                let _ = reply.send(());
            }
            Control::Forget { worker, reply } => {
                let may = self.parts.node.is_forgettable(worker);
                if may {
                    self.inputs.push(CoordinatorInput::Forget { worker });
                }
                let _ = reply.send(may);
            }
            Control::Drain { drain, reply } => {
                self.drain(drain);
                let _ = reply.send(self.parts.node.attached());
            }
            Control::Stop => self.stop(),
        }
    }

    fn drain(&mut self, drain: Drain) {
        if self.stop_at.is_some() {
            return;
        }
        let Drain { grace, spread, timeout, hurry } = drain;
        self.parts.tally.leaves();
        self.drained_at = Some(self.parts.runtime.now() + timeout);
        self.inputs.push(CoordinatorInput::LameDuck { grace, spread, hurry });
    }

    /// Whether a drain is over: then it stops.
    fn is_drained(&self, now: Instant) -> bool {
        let alone = self.parts.node.is_leaving() && self.parts.node.attached() == 0;
        self.drained_at.is_some_and(|at| alone || at <= now)
    }

    /// Tells the node about once a second what the registrations of that time have cost.
    fn measure(&mut self, from: Instant) {
        let cost = &mut self.cost;
        if cost.registrations == 0 {
            *cost = Cost::default();
            return;
        }
        let now = self.parts.runtime.now();
        cost.busy += now.since(from);
        let since = *cost.since.get_or_insert(from);
        if now.since(since) >= MEASURED_EVERY {
            let Cost { registrations, busy, .. } = std::mem::take(cost);
            self.parts.node.handle(now, CoordinatorInput::Measured { registrations, busy });
        }
    }

    fn stop(&mut self) {
        if self.stop_at.is_none() {
            self.parts.log.stopping();
            self.parts.tally.leaves();
            self.stop_at = Some(self.parts.runtime.now() + STOP_WITHIN);
            self.parts.listening.clear();
            self.inputs.push(CoordinatorInput::Stop);
        }
    }

    fn request(&mut self, request: Request) {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let (waiting, input) = match request {
            Request::Submit { task, spec, payload, reply } => {
                ((task, reply), CoordinatorInput::Submit { ticket, task, spec, payload })
            }
            Request::Cancel { task, reply } => {
                ((task, reply), CoordinatorInput::Cancel { ticket, task })
            }
            Request::Retry { task, last, reply } => {
                ((task, reply), CoordinatorInput::Retry { ticket, task, last })
            }
        };
        self.replies.insert(ticket, waiting);
        self.inputs.push(input);
    }

    fn accepted(&mut self, Accepted { connection, endpoint }: Accepted) {
        if self.stop_at.is_some() {
            return;
        }
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        self.peers.insert(conn, Peer::new(endpoint, &connection));
        let proven = connection.identity.clone();
        self.connections.insert(conn, connection);
        self.inputs.push(CoordinatorInput::Accepted { conn });
        self.inputs.extend(proven.map(|name| CoordinatorInput::Proven { conn, name }));
    }

    fn deadline(&self) -> Option<Instant> {
        let pulse = self.pulse_every.map(|every| self.parts.tally.pulse.last() + every);
        let drained = self.drained_at.filter(|_| self.stop_at.is_none());
        let (node, connections) = (self.parts.node.next_wake(), self.connections.deadline());
        let all = [node, connections, self.store.stalls_at(), self.stop_at, pulse, drained];
        all.into_iter().flatten().min()
    }

    /// One turn, with one reading of the clock. Returns whether it was the last.
    fn turn(&mut self) -> bool {
        let now = self.parts.runtime.now();
        self.parts.tally.pulse.beat(now);
        self.take_in(now);
        // The timer only woke us: the clock says whether it is time.
        if let Some(due) = self.parts.node.next_wake().filter(|due| *due <= now) {
            // What was due from the beginning of time was asked for in this very turn.
            if due > Instant::ZERO {
                self.parts.tally.lag.observe(now.since(due));
            }
            self.parts.node.handle(now, CoordinatorInput::Timeout);
        }
        self.connections.expire(now);
        self.look_at_store(now);
        self.act(now);
        let mut commits = 0;
        while self.commit(now) {
            self.act(now);
            commits += 1;
            if commits == COMMITS {
                self.has_more = true;
                break;
            }
        }
        if let Some(error) = &self.broken
            && self.stop_at.is_none()
        {
            self.parts.log.store_broken(error);
            return true;
        }
        self.parts.tally.look(&self.parts.node);
        self.measure(now);
        if self.stop_at.is_none() && self.is_drained(now) {
            self.parts.log.drained(self.parts.node.attached());
            self.stop();
            self.has_more = true;
        }
        if self.store_is_gone && self.stop_at.is_none() {
            self.parts.log.store_thread_ended();
            return true;
        }
        self.is_over(now)
    }

    /// Gives the node what has come.
    fn take_in(&mut self, now: Instant) {
        let mut inputs = std::mem::take(&mut self.inputs);
        for input in inputs.drain(..) {
            if let CoordinatorInput::Closed { conn, .. } = &input {
                self.forget(*conn);
            }
            self.parts.node.handle(now, input);
        }
        self.inputs = inputs;
    }

    fn act(&mut self, now: Instant) {
        for _ in 0..ACTIONS {
            let Some(action) = self.parts.node.poll_action() else { return };
            match action {
                CoordinatorAction::Persist(operation) => {
                    self.store.push(stamped(operation, || self.parts.wall.now()));
                }
                CoordinatorAction::Close { conn, reason: _ } => {
                    self.connections.close(now, conn);
                    self.forget(conn);
                }
                CoordinatorAction::Authenticate { conn, applicant } => {
                    self.parts.judges.judge(conn, applicant);
                }
                CoordinatorAction::Flush { conn } => self.flush(now, conn),
                CoordinatorAction::Reply { ticket, reply } => self.reply(ticket, reply),
                CoordinatorAction::Ended { task } => self.ended.push(task),
                CoordinatorAction::Event(event) => self.event(now, &event),
            }
        }
        self.has_more = true;
    }

    fn forget(&mut self, conn: ConnId) {
        self.peers.remove(&conn);
        self.parts.judges.forget(conn);
    }

    fn reply(&mut self, ticket: Ticket, reply: ClientReply) {
        let Some((task, waiting)) = self.replies.remove(&ticket) else { return };
        if reply == ClientReply::Work(Reply::Submitted { again: false }) {
            self.parts.waiters.stored(task);
            self.parts.tally.submitted.add(1);
        } else if reply == ClientReply::Work(Reply::Cancelled) {
            self.parts.tally.finished.add("cancelled");
        }
        self.replied.push((waiting, reply));
    }

    /// Tells those who wait what has come of it, behind what workers were sent.
    fn tell(&mut self) {
        for (waiting, reply) in self.replied.drain(..) {
            // It may have stopped waiting.
            let _ = waiting.send(reply);
        }
        self.parts.waiters.ended(self.ended.drain(..));
    }

    fn flush(&mut self, now: Instant, conn: ConnId) {
        for _ in 0..QUANTUM {
            if !self.connections.takes(conn) {
                self.parts.node.handle(now, CoordinatorInput::Unwritable { conn });
                break;
            }
            let Some(packet) = self.parts.node.poll_transmit(now, conn) else { break };
            self.connections.write(conn, moorline_wire::encode_down(&packet), packet.lane);
        }
        self.connections.flush(conn);
    }

    fn event(&mut self, now: Instant, event: &CoordinatorEvent) {
        self.cost.registrations += u32::from(matches!(event, CoordinatorEvent::Registered { .. }));
        let peer = if let CoordinatorEvent::Registered { conn, .. } = event {
            self.peers.get(conn)
        } else {
            None
        };
        self.parts.log.event(now, event, peer);
        self.parts.tally.event(event, peer);
    }

    /// Commits the next batch, if the last one is done: while one is committed, the next one gathers.
    /// Returns whether that took no time; else it has been handed over, if there was one.
    fn commit(&mut self, now: Instant) -> bool {
        let Some(batch) = self.store.next_batch() else { return false };
        let at_once = self.parts.store.commit_now(self.parts.wall.now(), &batch);
        if let Some(AtOnce { done, prune }) = at_once {
            if prune && self.parts.orders.send(Order::Prune).is_err() {
                self.store_is_gone = true;
                self.has_more = true;
            }
            if let Some(committed) = self.store.committed(now, done, &self.parts.tally) {
                self.parts.node.handle(now, committed);
            }
            return true;
        }
        self.store.handed_over = Some(now);
        if self.parts.orders.send(Order::Commit(batch)).is_err() {
            self.store_is_gone = true;
            self.has_more = true;
        }
        false
    }

    /// A store that does not answer is said to be stalled, once.
    fn look_at_store(&mut self, now: Instant) {
        if self.store.stalls_at().is_some_and(|at| at <= now) {
            self.store.stalled = true;
            if self.parts.state.stalls() {
                self.parts.log.store_stalled(STALLED_AFTER);
            }
        }
    }

    /// It has answered.
    fn stored(&mut self) {
        let handed_over = self.store.handed_over.take();
        if std::mem::take(&mut self.store.stalled) && self.parts.state.get() == StoreState::Stalled
        {
            self.parts.state.works();
            let now = self.parts.runtime.now();
            self.parts.log.store_goes_on(handed_over.map_or(Duration::ZERO, |at| now.since(at)));
        }
    }

    /// Whether a stop has done all it can.
    fn is_over(&self, now: Instant) -> bool {
        self.stop_at.is_some_and(|at| {
            let quiet = self.connections.is_empty() && self.store.is_empty() && !self.has_more;
            at <= now || self.store_is_gone || self.broken.is_some() || quiet
        })
    }

    async fn finish(mut self) {
        let undone = self.store.count();
        self.parts.listening.clear();
        drop(self.connections);
        // Before its thread's own, which closes it then.
        drop(self.parts.store);
        drop(self.parts.orders);
        let limit = self.parts.runtime.sleep_until(self.parts.runtime.now() + STOP_WITHIN);
        let mut closed = self.parts.closed;
        let closed = Box::pin(async move { while closed.next().await.is_some() {} });
        futures::future::select(closed, limit).await;
        self.parts.log.stopped(undone);
    }
}

fn packet(
    conn: ConnId,
    bytes: Bytes,
    peers: &BTreeMap<ConnId, Peer>,
    log: &CoordinatorLog,
    tally: &CoordinatorTally,
) -> CoordinatorInput {
    match moorline_wire::decode_up(bytes) {
        Ok(decoded) => {
            let beats = decoded.frames.iter().filter(|frame| matches!(frame, UpFrame::Beat(_)));
            tally.beats_received.add(beats.count() as u64);
            CoordinatorInput::Packet { conn, frames: decoded.frames }
        }
        Err(error) => {
            log.undecodable(peers.get(&conn), &error);
            CoordinatorInput::Undecodable { conn }
        }
    }
}

/// When something happened is known now: it may wait for the store.
fn stamped(mut operation: Persist, wall: impl FnOnce() -> WallTime) -> Persist {
    if let StoreOp::Event { at_millis, .. } = &mut operation.op {
        *at_millis = Some(wall().0);
    }
    operation
}
