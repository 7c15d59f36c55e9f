//! One turn of one process: what it is told, and everything it does then. That depends on the process
//! alone, so a turn is taken once and remembered: it is the same in all the states of the world that differ
//! in other processes.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use moorline_link::{ConnId, Instant, Reason};
use moorline_node::{
    CoordinatorAction, CoordinatorEvent, CoordinatorInput, DownFrame, Packet, UpFrame,
    WorkerAction, WorkerEvent, WorkerInput,
};
use moorline_work::{Disposition, Outcome, RunId, TaskId, TaskKey};

use super::digest::Digest;
use super::process::{Coordinator, Kept, Worker};
use crate::{Rule, Violation};

/// What a process is told.
#[derive(Clone, Hash, Debug)]
pub(super) enum Cue<I, F> {
    /// Its timer has fired: its clock stands there now.
    Wake(Instant),
    /// A packet arrived.
    Packet(ConnId, Arc<Kept<Packet<F>>>),
    /// Anything else.
    Input(I),
}

/// What a worker does that others see.
#[derive(Clone, Debug)]
pub(super) enum WorkerAct {
    Dials(ConnId),
    Closes(ConnId),
    Sends(ConnId, Arc<Kept<Packet<UpFrame>>>),
    /// One of its successes is answered.
    IsAnswered(TaskKey, Disposition),
}

/// What the coordinator does that others see.
#[derive(Clone, Debug)]
pub(super) enum CoordinatorAct {
    Closes(ConnId),
    Sends(ConnId, Arc<Kept<Packet<DownFrame>>>),
    /// Whoever waits for the end of a task is told of it.
    Reports(TaskId),
}

/// A process after its turn, and what it did.
pub(super) type Turn<P, A> = Result<(Arc<Kept<P>>, Arc<[A]>), Violation>;

/// One side says that the other broke the protocol, or that they do not agree: honest processes never do.
fn judge_reason(who: &str, reason: Reason) -> Result<(), Violation> {
    if matches!(reason, Reason::ProtocolError | Reason::OutOfStep) {
        let words = format!("{who} ends a connection: {}", reason.name());
        return Err(Violation::new(Rule::Wire, words));
    }
    Ok(())
}

/// A worker's turn.
pub(super) fn worker(before: &Worker, cue: Cue<WorkerInput, DownFrame>) -> Turn<Worker, WorkerAct> {
    let mut process = before.clone();
    let held: Vec<(TaskKey, RunId)> = process.node.runs().map(|run| (run.key, run.run)).collect();
    let input = match cue {
        Cue::Wake(at) => {
            process.now = at;
            WorkerInput::Timeout
        }
        Cue::Packet(conn, packet) => WorkerInput::Packet { conn, frames: packet.frames.clone() },
        Cue::Input(input) => input,
    };
    if let WorkerInput::Opened { conn } = input {
        process.open.push(conn);
    } else if let WorkerInput::Closed { conn, .. } = input {
        process.open.retain(|open| *open != conn);
    } else if let WorkerInput::Done { run, outcome: Outcome::Succeeded, .. } = input {
        process.succeeded.insert(run);
    }
    process.node.handle(process.now, input);
    let mut acts = Vec::new();
    loop {
        while let Some(action) = process.node.poll_action() {
            acts.extend(worker_acts(&mut process, &held, action)?);
        }
        // What it wrote may lead to more.
        let before = acts.len();
        for conn in process.open.clone() {
            while let Some(packet) = process.node.poll_transmit(process.now, conn) {
                acts.push(WorkerAct::Sends(conn, Arc::new(Kept::new(packet))));
            }
        }
        if acts.len() == before {
            return Ok((Arc::new(Kept::new(process.with_exact())), acts.into()));
        }
    }
}

fn worker_acts(
    process: &mut Worker,
    held: &[(TaskKey, RunId)],
    action: WorkerAction,
) -> Result<Option<WorkerAct>, Violation> {
    match action {
        WorkerAction::Dial { conn, .. } => {
            process.dialled = conn.0;
            return Ok(Some(WorkerAct::Dials(conn)));
        }
        WorkerAction::Close { conn, reason } => {
            judge_reason("a worker", reason)?;
            process.open.retain(|open| *open != conn);
            return Ok(Some(WorkerAct::Closes(conn)));
        }
        WorkerAction::Start { key, .. } => {
            if !process.started.insert(key) {
                let words = format!("a worker's process starts {key:?} a second time");
                return Err(Violation::new(Rule::StartedTwice, words));
            }
        }
        WorkerAction::Event(WorkerEvent::Settled { key, disposition, .. }) => {
            let run = held.iter().find(|(held, _)| *held == key).map(|(_, run)| *run);
            if run.is_some_and(|run| process.succeeded.remove(&run)) {
                return Ok(Some(WorkerAct::IsAnswered(key, disposition)));
            }
        }
        WorkerAction::Event(WorkerEvent::Link(transition)) => {
            judge_reason("a worker", transition.reason.unwrap_or(Reason::Moved))?;
        }
        // Nobody is sent elsewhere here.
        WorkerAction::Abort { .. }
        | WorkerAction::Vet { .. }
        | WorkerAction::Journal(_)
        | WorkerAction::Event(_) => {}
    }
    Ok(None)
}

/// The coordinator's turn.
pub(super) fn coordinator(
    before: &Coordinator,
    cue: Cue<CoordinatorInput, UpFrame>,
) -> Turn<Coordinator, CoordinatorAct> {
    let mut process = before.clone();
    let input = match cue {
        Cue::Wake(at) => {
            process.now = at;
            CoordinatorInput::Timeout
        }
        Cue::Packet(conn, packet) => {
            CoordinatorInput::Packet { conn, frames: packet.frames.clone() }
        }
        Cue::Input(input) => input,
    };
    if let CoordinatorInput::Committed { .. } = input {
        process.wanted.clear();
    }
    process.node.handle(process.now, input);
    coordinator_acts(process)
}

/// A new coordinator does what it has to do at first.
pub(super) fn coordinator_acts(mut process: Coordinator) -> Turn<Coordinator, CoordinatorAct> {
    let mut acts = Vec::new();
    while let Some(action) = process.node.poll_action() {
        match action {
            CoordinatorAction::Persist(persist) => process.wanted.push(persist),
            CoordinatorAction::Close { conn, reason } => {
                judge_reason("the coordinator", reason)?;
                acts.push(CoordinatorAct::Closes(conn));
            }
            CoordinatorAction::Flush { conn } => {
                while let Some(packet) = process.node.poll_transmit(process.now, conn) {
                    acts.push(CoordinatorAct::Sends(conn, Arc::new(Kept::new(packet))));
                }
            }
            CoordinatorAction::Event(CoordinatorEvent::Detached { reason, .. }) => {
                judge_reason("the coordinator", reason)?;
            }
            CoordinatorAction::Ended { task } => acts.push(CoordinatorAct::Reports(task)),
            // It was not made to authenticate anybody.
            CoordinatorAction::Authenticate { .. }
            | CoordinatorAction::Event(_)
            | CoordinatorAction::Reply { .. } => {}
        }
    }
    Ok((Arc::new(Kept::new(process.with_exact())), acts.into()))
}

/// Turns that were taken lately, by process and cue.
#[derive(Debug)]
pub(super) struct Memory<P, A> {
    lately: BTreeMap<u128, Turn<P, A>>,
    before: BTreeMap<u128, Turn<P, A>>,
}

impl<P, A> Default for Memory<P, A> {
    fn default() -> Self {
        Self { lately: BTreeMap::new(), before: BTreeMap::new() }
    }
}

impl<P, A> Memory<P, A> {
    /// So many are kept, and as many older ones: a process takes about 8 KiB.
    const MOST: usize = 4_096;

    fn get(&mut self, key: u128) -> Option<Turn<P, A>> {
        if let Some(turn) = self.lately.get(&key) {
            return Some(turn.clone());
        }
        let turn = self.before.remove(&key)?;
        self.put(key, turn.clone());
        Some(turn)
    }

    fn put(&mut self, key: u128, turn: Turn<P, A>) {
        if self.lately.len() >= Self::MOST {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(key, turn);
    }
}

/// A turn that was taken before, or is taken now. The lock is for searches with several threads.
pub(super) fn remembered<P, A, C: Hash>(
    memory: &Mutex<Memory<P, A>>,
    exact: u128,
    cue: C,
    take: impl FnOnce(C) -> Turn<P, A>,
) -> Turn<P, A> {
    let key = Digest::of(&(exact, &cue));
    // Whoever panicked with it was not in the middle of a change.
    let known = memory.lock().unwrap_or_else(PoisonError::into_inner).get(key);
    known.unwrap_or_else(|| {
        let turn = take(cue);
        memory.lock().unwrap_or_else(PoisonError::into_inner).put(key, turn.clone());
        turn
    })
}
