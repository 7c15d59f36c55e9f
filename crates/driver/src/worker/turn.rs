//! The worker's loop: inputs in, the node, actions and packets out.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use moorline_link::{ConnId, Instant, Kick, Reason, Retry, State, Wake};
use moorline_node::{
    Credential, Name, UpFrame, WorkerAction, WorkerEvent, WorkerInput, WorkerNode,
};
use moorline_sync::{Receiver, Sender, Watch};
use moorline_transport::{Authority, Endpoint};
use moorline_work::{AbortReason, RunId, TaskKey};

use super::dial::{Dial, Dialled};
use super::journal::{CLOSED_WITHIN, LoopJournal};
use super::{Command, Ending, WorkerStatus};
use crate::auth::Credentials;
use crate::connections::{Arrival, CLOSE_WITHIN, Connections};
use crate::elsewhere::{address, endpoints, vet};
use crate::executor::{Completion, Executor, Finished, Job};
use crate::log::worker::WorkerLog;
use crate::runtime::Runtime;
use crate::tally::WorkerCounter;
use crate::timer::{Pace, Timer};
use crate::transports::Transports;

/// Packets taken in during one turn, before anything is written.
const PACKETS: u32 = 64;
/// Other inputs of one kind taken in during one turn.
const INPUTS: usize = 256;
/// Packets written to one connection in one turn.
const WRITES: usize = 16;
/// Actions done in one turn.
const ACTIONS: usize = 1_024;

/// Everything a worker's loop owns.
pub(crate) struct WorkerLoop<R> {
    pub(crate) runtime: R,
    pub(crate) node: WorkerNode,
    pub(crate) transports: Transports,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) executor: Box<dyn Executor>,
    pub(crate) log: WorkerLog,
    pub(crate) counter: WorkerCounter,
    pub(crate) commands: Receiver<Command>,
    pub(crate) finished: Receiver<Finished>,
    /// Goes with every run.
    pub(crate) completions: Sender<Finished>,
    pub(crate) status: Watch<WorkerStatus>,
    pub(crate) ended: End,
    pub(crate) connections: Connections,
    pub(crate) journal: LoopJournal,
    pub(crate) state: LoopState,
}

/// What the loop remembers from turn to turn.
#[derive(Default)]
pub(crate) struct LoopState {
    dials: Vec<Dial>,
    /// Where each connection leads, and for whom who is there may speak.
    places: BTreeMap<ConnId, (Endpoint, Authority)>,
    runs: BTreeMap<RunId, Run>,
    timer: Timer,
    inputs: Vec<WorkerInput>,
    /// Something was left out of the last turn.
    has_more: bool,
    /// The end is near: from here on nothing is waited for beyond this time.
    end_at: Option<Instant>,
    failed: Option<Reason>,
    /// Why what was shown last was refused, if it was.
    refused: Option<Reason>,
    /// Somebody watches the pulse: it turns at least this often.
    pulse_every: Option<Duration>,
}

/// A handler that runs, for the log and for the end.
struct Run {
    key: TaskKey,
    handler: Name,
    started: Instant,
}

impl<R: Runtime> WorkerLoop<R> {
    /// Until the link has failed or shut down.
    pub(crate) async fn run(mut self) {
        let mut pace = Pace::default();
        loop {
            pace.next(|cx| self.poll_inputs(cx)).await;
            if self.turn() {
                break;
            }
        }
        self.close_journal().await;
        self.finish();
    }

    /// Ready when there is something to do.
    fn poll_inputs(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut something = std::mem::take(&mut self.state.has_more);
        for _ in 0..INPUTS {
            let Poll::Ready(Some(command)) = self.commands.poll_next(cx) else { break };
            self.command(command);
            something = true;
        }
        for _ in 0..INPUTS {
            // The loop holds a sender of its own: this never ends.
            let Poll::Ready(Some(finished)) = self.finished.poll_next(cx) else { break };
            let done = self.done(self.runtime.now(), finished);
            self.state.inputs.push(done);
        }
        self.poll_dials(cx);
        while let Poll::Ready(answer) = self.journal.poll(cx) {
            something = true;
            if let Some((journaled, size)) = answer {
                self.counter.tally().journal.holds(size);
                self.state.inputs.push(journaled);
            }
        }
        let (inputs, log) = (&mut self.state.inputs, &self.log);
        self.state.has_more = self.connections.poll(cx, PACKETS, |arrival| match arrival {
            Arrival::Packet { conn, bytes } => inputs.push(packet(conn, bytes, log)),
            Arrival::Ended { conn, reason } => inputs.push(WorkerInput::Closed { conn, reason }),
            // It is asked for packets in every turn.
            Arrival::Writable { .. } => something = true,
        });
        something |= self.state.has_more || !self.state.inputs.is_empty();
        let deadline = self.deadline();
        let timer = self.state.timer.poll(cx, &self.runtime, deadline);
        if something || timer.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn command(&mut self, command: Command) {
        let input = match command {
            Command::Reconnect => WorkerInput::Reconnect,
            Command::Migrate => WorkerInput::Migrate,
            Command::Kick => WorkerInput::Kick(Kick::Operator),
            Command::Restart => WorkerInput::Restart,
            Command::PulseEvery(every) => {
                self.state.pulse_every = Some(every);
                return;
            }
            Command::SummariseEvery(every) => {
                let now = self.runtime.now();
                self.log.repeat_every(now, every);
                return;
            }
            Command::ResetStatistics => WorkerInput::ResetStatistics,
            Command::Drain { within } => {
                self.log.stopping(self.state.runs.len(), within);
                WorkerInput::Stop { within }
            }
            Command::Shutdown => {
                self.log.stopping(self.state.runs.len(), Duration::ZERO);
                let end_at = self.runtime.now() + CLOSE_WITHIN;
                self.end_by(end_at);
                self.abort_all();
                WorkerInput::Stop { within: Duration::ZERO }
            }
        };
        self.state.inputs.push(input);
    }

    fn poll_dials(&mut self, cx: &mut Context<'_>) {
        let mut at = 0;
        while let Some(dial) = self.state.dials.get_mut(at) {
            let Poll::Ready(dialled) = dial.poll(cx) else {
                at += 1;
                continue;
            };
            let conn = self.state.dials.swap_remove(at).conn;
            let input = match dialled {
                Ok(Dialled { endpoint, connection, credential }) => {
                    let at = address(&endpoint).map(|at| WorkerInput::Reached { conn, at });
                    let shown =
                        credential.map(|credential| WorkerInput::Credential { conn, credential });
                    self.state.inputs.extend(at.into_iter().chain(shown));
                    self.state.places.insert(conn, (endpoint, connection.authority.clone()));
                    self.connections.insert(conn, connection);
                    WorkerInput::Opened { conn }
                }
                Err(error) => WorkerInput::DialFailed { conn, reason: error.reason },
            };
            self.state.inputs.push(input);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let node = match self.node.next_wake() {
            Wake::Now => Some(Instant::ZERO),
            Wake::At { deadline, .. } => Some(deadline),
            Wake::OnInput => None,
        };
        let pulse = self.state.pulse_every.map(|every| self.counter.tally().pulse.last() + every);
        let others = [self.connections.deadline(), self.log.deadline(), self.state.end_at, pulse];
        node.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// One turn, with one reading of the clock. Returns whether it was the last.
    fn turn(&mut self) -> bool {
        let now = self.runtime.now();
        self.counter.tally().pulse.beat(now);
        let mut inputs = std::mem::take(&mut self.state.inputs);
        let mut closed = Vec::new();
        for input in inputs.drain(..) {
            if let WorkerInput::Closed { conn, .. } = &input {
                closed.push(*conn);
            }
            self.node.handle(now, input);
        }
        self.state.inputs = inputs;
        // The timer only woke us: the clock says whether it is time.
        if self.node.next_wake().deadline().is_some_and(|deadline| deadline <= now) {
            self.node.handle(now, WorkerInput::Timeout);
        }
        self.connections.expire(now);
        self.act(now);
        // What it said last may have been where to go: who it was had to be known until then.
        for conn in closed {
            self.state.places.remove(&conn);
        }
        // A handler that needed no time has ended already: its result travels with its accept.
        for _ in 0..INPUTS {
            let Some(finished) = self.finished.try_next() else { break };
            let done = self.done(now, finished);
            self.node.handle(now, done);
        }
        self.act(now);
        self.transmit(now);
        self.act(now);
        if let Some(journaled) = self.journal.hand_over() {
            self.state.inputs.push(journaled);
            self.state.has_more = true;
        }
        let link = self.node.link();
        self.log.tick(now, &link);
        self.counter.look(&link, self.node.held(), self.node.resent());
        self.publish(now);
        self.is_over(now)
    }

    fn done(&mut self, now: Instant, finished: Finished) -> WorkerInput {
        let Finished { run, outcome, body } = finished;
        if let Some(Run { key, handler, started }) = self.state.runs.remove(&run) {
            self.log.task_ended(key, &handler, outcome, now.since(started), &body);
            self.counter.task_ended(&handler, outcome, now.since(started));
        }
        WorkerInput::Done { run, outcome, body }
    }

    fn act(&mut self, now: Instant) {
        for _ in 0..ACTIONS {
            let Some(action) = self.node.poll_action() else { return };
            match action {
                WorkerAction::Dial { conn, attempt, timeout, to } => {
                    self.log.dials(attempt);
                    self.counter.dials(now);
                    let dial = Dial::start(
                        &self.runtime,
                        &self.transports,
                        endpoints(&to),
                        self.credential(),
                        conn,
                        timeout,
                    );
                    self.state.dials.push(dial);
                    // It has to be polled once to begin.
                    self.state.has_more = true;
                }
                WorkerAction::Close { conn, reason: _ } => {
                    self.state.dials.retain(|dial| dial.conn != conn);
                    self.connections.close(now, conn);
                    self.state.places.remove(&conn);
                }
                WorkerAction::Vet { conn, vet: what, endpoints } => {
                    let nobody = Authority::nobody();
                    let place = self.state.places.get(&conn);
                    let authority = place.map_or(&nobody, |(_, authority)| authority);
                    let endpoints = vet(&self.transports, authority, what, &endpoints);
                    self.state.inputs.push(WorkerInput::Vetted { vet: what, endpoints });
                    self.state.has_more = true;
                }
                WorkerAction::Start { run, key, handler, payload, deadline } => {
                    let deadline = deadline.map(|at| Instant::from_nanos(at.as_nanos()).since(now));
                    self.start(now, Job { run, key, handler, payload, deadline });
                }
                WorkerAction::Abort { run, key: _, reason } => self.abort(run, reason),
                WorkerAction::Journal(write) => self.journal.push(write),
                WorkerAction::Event(event) => self.event(now, &event),
            }
        }
        self.state.has_more = true;
    }

    /// What the next attempt is to show, if it is to show something.
    fn credential(&self) -> Option<BoxFuture<'static, Result<Credential, String>>> {
        self.credentials.as_ref().map(|credentials| credentials.fetch(self.state.refused))
    }

    fn start(&mut self, now: Instant, job: Job) {
        let (run, key, handler) = (job.run, job.key, job.handler.clone());
        self.log.task_started(key, &handler);
        self.state.runs.insert(run, Run { key, handler: handler.clone(), started: now });
        let done = Completion::new(run, self.completions.clone());
        // A panic drops the completion, which says that the run failed.
        if catch_unwind(AssertUnwindSafe(|| self.executor.start(job, done))).is_err() {
            self.log.handler_panicked(key, &handler);
        }
    }

    fn abort(&mut self, run: RunId, reason: AbortReason) {
        // A run that cannot be stopped ends by itself, or never.
        let _ = catch_unwind(AssertUnwindSafe(|| self.executor.abort(run, reason)));
    }

    fn abort_all(&mut self) {
        let runs: Vec<_> = self.state.runs.keys().copied().collect();
        for run in runs {
            self.abort(run, AbortReason::Cancelled);
        }
    }

    fn event(&mut self, now: Instant, event: &WorkerEvent) {
        if *event == WorkerEvent::LeasesExpired {
            self.log.leases_expired(self.node.runs().map(|run| run.key));
            return;
        }
        let link = self.node.link();
        if let WorkerEvent::Link(transition) = event {
            match transition.to {
                State::Failed => self.state.failed = transition.reason,
                // What is lost before anything was shown again says nothing about it.
                State::Disconnected => {
                    let refused = transition.reason.filter(|it| it.retry() == Retry::Renew);
                    self.state.refused = refused.or(self.state.refused);
                }
                State::Registered => self.state.refused = None,
                State::Connecting | State::Active | State::Shutdown => {}
            }
        }
        let place = link.conn.and_then(|conn| self.state.places.get(&conn));
        let endpoint = place.map(|(endpoint, _)| endpoint);
        self.log.event(now, event, &link, self.node.statistics(), endpoint);
        self.counter.event(now, event);
    }

    fn transmit(&mut self, now: Instant) {
        let open: Vec<_> = self.state.places.keys().copied().collect();
        for conn in open {
            let mut written = 0;
            while written < WRITES && self.connections.takes(conn) {
                let Some(packet) = self.node.poll_transmit(now, conn) else { break };
                let beats = packet.frames.iter().filter(|frame| matches!(frame, UpFrame::Beat(_)));
                self.counter.beats_sent(beats.count() as u64);
                self.connections.write(conn, moorline_wire::encode_up(&packet), packet.lane);
                written += 1;
            }
            if written > 0 {
                self.connections.flush(conn);
            }
            self.state.has_more |= written == WRITES;
        }
    }

    fn publish(&mut self, now: Instant) {
        let status = status(&self.node, now);
        let before = self.status.get();
        let notify = shown(&before) != shown(&status);
        let version = before.version + u64::from(notify);
        self.status.set(WorkerStatus { version, ..status }, notify);
    }

    fn end_by(&mut self, at: Instant) {
        let sooner = self.state.end_at.map_or(at, |before| before.min(at));
        self.state.end_at = Some(sooner);
    }

    /// A link that has ended may still have its goodbye to write.
    fn is_over(&mut self, now: Instant) -> bool {
        match self.node.state() {
            State::Failed | State::Shutdown => {
                self.end_by(now + CLOSE_WITHIN);
                self.connections.is_empty() || self.state.end_at.is_some_and(|at| at <= now)
            }
            State::Disconnected | State::Connecting | State::Registered | State::Active => {
                self.state.end_at.is_some_and(|at| at <= now)
            }
        }
    }

    /// What is left for the journal is written, and the next process finds nobody there; for a bounded time.
    async fn close_journal(&mut self) {
        let deadline = self.runtime.now() + CLOSED_WITHIN;
        let is_closed = std::future::poll_fn(|cx| {
            if self.journal.poll_close(cx).is_ready() {
                return Poll::Ready(true);
            }
            // The timer only woke us: the clock says whether it is time.
            while self.state.timer.poll(cx, &self.runtime, Some(deadline)).is_ready() {
                if self.runtime.now() >= deadline {
                    return Poll::Ready(false);
                }
            }
            Poll::Pending
        });
        if !is_closed.await {
            self.journal.abandon();
        }
    }

    fn finish(mut self) {
        self.abort_all();
        let failed = self.node.state() == State::Failed;
        let ending = Ending {
            state: if failed { State::Failed } else { State::Shutdown },
            reason: if failed { self.state.failed.or(self.node.link().reason) } else { None },
            hint: if failed { self.log.hint().map(str::to_owned) } else { None },
        };
        self.ended.0.set(Some(ending), true);
    }
}

/// How the loop ended: said also if it panicked, or if its future was dropped before its end.
pub(crate) struct End(pub(crate) Watch<Option<Ending>>);

impl Drop for End {
    fn drop(&mut self) {
        if self.0.get().is_none() {
            let hint = Some("its loop was dropped before its end".to_owned());
            self.0.set(Some(Ending { state: State::Failed, reason: None, hint }), true);
        }
    }
}

fn packet(conn: ConnId, bytes: Bytes, log: &WorkerLog) -> WorkerInput {
    match moorline_wire::decode_down(bytes) {
        Ok(decoded) => WorkerInput::Packet { conn, frames: decoded.frames },
        Err(error) => {
            log.undecodable(&error);
            WorkerInput::Undecodable { conn }
        }
    }
}

/// There are fewer: their number is bounded by slots and by what an inventory takes.
fn count(runs: usize) -> u32 {
    u32::try_from(runs).unwrap_or(u32::MAX)
}

/// What a worker looks like; the version is given by who publishes it.
pub(crate) fn status(node: &WorkerNode, now: Instant) -> WorkerStatus {
    WorkerStatus {
        link: node.link(),
        statistics: *node.statistics(),
        free_slots: node.free(),
        running: count(node.running()),
        kept_results: count(node.results()),
        reconnects: node.link().reconnects,
        version: 0,
        at: now,
    }
}

/// The part of a status that is worth waking somebody for: not what moves with every heartbeat.
fn shown(status: &WorkerStatus) -> impl PartialEq + use<> {
    let link = &status.link;
    (
        (link.state, link.since, link.reason, link.session, link.draining),
        (link.attempts, link.delay, link.next_attempt, link.outage_since, link.missed),
        (link.interval, link.suspected, link.degraded, status.statistics.began()),
        (status.free_slots, status.running, status.kept_results, status.reconnects),
    )
}
