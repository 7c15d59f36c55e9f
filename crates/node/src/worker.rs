//! The worker's node: a link and a runner, joined.

mod bodies;
mod canonical;
mod directory;
mod elsewhere;
mod incoming;
mod io;
mod journal;
mod pump;
mod transmit;

pub use io::{
    Vet, WorkerAction, WorkerConfig, WorkerConfigError, WorkerEvent, WorkerInput, WorkerTimer,
    WorkerVerdict,
};

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    ConnId, Credit, Features, Hello, Identity, Incarnation, Instant, Link, LinkInput, LinkSnapshot,
    LinkStatistics, LinkVerdict, State, Sym, Versions, Wake, WorkerId,
};
use moorline_work::{
    Holding, Outcome, RunId, RunSnapshot, Runner, RunnerInput, RunnerVerdict, TaskKey,
};

use self::bodies::{Bodies, Outgoing};
use self::directory::Directory;
use self::journal::Journal;
use crate::frame::{BODY_MAX, PACKET_MAX, convert};
use crate::parts::{Assembly, Rest};
use crate::{About, Address, Credential, KeptResult, Name, Names, ToWorker, UpFrame, WorkerLoad};

/// The worker's machine: stays connected, runs what it is assigned, and offers every result until the
/// coordinator has answered it, over any number of connections and sessions (P50).
///
/// ```text
/// loop {
///     node.handle(now, input);                         // a packet, a handler's end, a timeout
///     while let Some(action) = node.poll_action() {}   // Dial, Close, Start, Abort, Event
///     while the connection takes packets {             // every connection that is open
///         node.poll_transmit(now, conn)                // until None
///     }
///     wait until node.next_wake() or the next input
/// }
/// ```
///
/// Bodies are [`Bytes`]: kept from the handler's end until the result is settled, and shared, not
/// copied, on their way out. It keeps the laws of every machine: [`Wake::Now`] exactly while an
/// action is due, a timeout at a deadline moves the next one on, a drained node that is polled and an
/// early timeout change nothing, and the same inputs give the same node.
///
/// ```
/// use moorline_link::{Incarnation, Instant, LinkConfig, Wake, WorkerId};
/// use moorline_node::{Name, WorkerAction, WorkerConfig, WorkerInput, WorkerNode};
/// use moorline_work::RunnerConfig;
///
/// let config = WorkerConfig {
///     link: LinkConfig::default(),
///     runner: RunnerConfig { slots: 4, ..RunnerConfig::default() },
///     worker: WorkerId(7),
///     incarnation: Incarnation(1),
///     name: Name::new("build-3")?,
///     handlers: vec![Name::new("hash")?],
///     software: Name::new("example 1.0")?,
///     seed: 42,
/// };
/// let mut node = WorkerNode::new(config, Instant::ZERO)?;
/// let Wake::At { deadline, .. } = node.next_wake() else { panic!("it waits to dial") };
/// node.handle(deadline, WorkerInput::Timeout);
/// let actions: Vec<_> = std::iter::from_fn(|| node.poll_action()).collect();
/// assert!(actions.iter().any(|action| matches!(action, WorkerAction::Dial { attempt: 1, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WorkerNode {
    link: Link,
    runner: Runner,
    names: Names,
    about: About,
    /// What the Hello of this connection is to show.
    credential: Option<(ConnId, Credential)>,
    directory: Directory,
    bodies: Bodies,
    /// What is kept on a disk of its own, if it has one.
    journal: Option<Journal>,
    /// The registered connection's half-sent and half-received bodies, and its inventory.
    wire: Option<Wire>,
    /// The version the coordinator said in the Welcome whose inventory is not taken yet.
    coordinator: Option<Name>,
    told: Report,
    due: VecDeque<Due>,
    freed: Freed,
}

/// What belongs to one registered connection, and dies with it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Wire {
    conn: ConnId,
    incoming: Assembly<ToWorker>,
    outgoing: Option<Rest>,
    inventory: Vec<Item>,
    /// Answers so far: the coordinator gives them in any order, the link counts them.
    answered: u32,
}

/// One key of an inventory, as it was when it was taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Item {
    key: TaskKey,
    holding: Holding,
    answered: bool,
}

/// What the link was told last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Report {
    free: u16,
    owes: bool,
}

/// An action that is due. A start gives lane credit back when it is handed to the driver: `credit`
/// is what the assignment counted for, 0 when its session is over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Due {
    action: WorkerAction,
    credit: u32,
}

/// Credit of lane B to give back with the next packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Freed {
    messages: u32,
    bytes: u64,
}

impl Freed {
    /// What one message counted for; 0 if there is nothing to give back.
    fn give(&mut self, credit: u32) {
        self.messages += u32::from(credit > 0);
        self.bytes += u64::from(credit);
    }
}

impl WorkerNode {
    /// A worker that will dial by its policy. `now` is the time of the first input or earlier.
    ///
    /// # Errors
    /// [`WorkerConfigError`]: no slots, or more handlers than can be announced.
    pub fn new(config: WorkerConfig, now: Instant) -> Result<Self, WorkerConfigError> {
        let WorkerConfig { link, runner, worker, incarnation, name, mut handlers, software, seed } =
            config;
        if runner.slots == 0 {
            return Err(WorkerConfigError::NoSlots);
        }
        handlers.sort();
        handlers.dedup();
        let max = About::HANDLERS_MAX;
        if handlers.len() > max {
            return Err(WorkerConfigError::TooManyHandlers { count: handlers.len(), max });
        }
        let about = About { name, slots: runner.slots, handlers, software, credential: None };
        let bytes = hello_size(&about, worker, incarnation);
        if bytes > HELLO_MAX {
            return Err(WorkerConfigError::HelloTooLarge { bytes, max: HELLO_MAX });
        }

        // The table holds exactly the handlers and the worker's own name: both always fit.
        let mut names = Names::new(NAMES_MAX);
        let symbols: Vec<_> = about.handlers.iter().filter_map(|name| names.intern(name)).collect();
        let identity = Identity {
            worker,
            incarnation,
            name: names.intern(&about.name).map_or(UNKNOWN, Sym),
            versions: Versions::SPOKEN,
            features: Features::SPOKEN,
        };
        let mut node = Self {
            link: Link::new(link, identity, seed, now),
            runner: Runner::new(runner, symbols.into_iter().map(moorline_work::Sym)),
            names,
            about,
            credential: None,
            directory: Directory::default(),
            bodies: Bodies::default(),
            journal: None,
            wire: None,
            coordinator: None,
            told: Report::default(),
            due: VecDeque::new(),
            freed: Freed::default(),
        };
        node.pump(now);
        Ok(node)
    }

    /// With the endpoints of its coordinators, in the order in which to try them. Without any the driver is
    /// left to know them: [`WorkerAction::Dial`] names none.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: Vec<Address>) -> Self {
        self.directory = Directory::new(endpoints);
        self
    }

    /// With a journal, and what it keeps of earlier processes of this worker: that is offered like results of
    /// this one. From now on each result is written to it, and its slot is used until it is there or
    /// answered; see [`WorkerAction::Journal`]. To be said before any input; `now` as for
    /// [`new`](Self::new).
    ///
    /// ```
    /// # use moorline_link::{Incarnation, Instant, LinkConfig, WorkerId};
    /// # use moorline_node::{KeptResult, Name, WorkerConfig, WorkerConfigError, WorkerNode};
    /// # use moorline_work::RunnerConfig;
    /// /// As its journal left it.
    /// fn again(config: WorkerConfig, kept: Vec<KeptResult>) -> Result<WorkerNode, WorkerConfigError> {
    ///     let now = Instant::ZERO;
    ///     Ok(WorkerNode::new(config, now)?.with_journal(now, kept))
    /// }
    /// # let _ = again;
    /// ```
    #[must_use]
    pub fn with_journal(mut self, now: Instant, kept: Vec<KeptResult>) -> Self {
        let heads = kept.iter().map(|kept| (kept.run, kept.key, kept.outcome, len_of(&kept.body)));
        self.runner = self.runner.with_results(heads);
        self.journal = Some(Journal::new(kept.iter().map(|kept| kept.run).collect()));
        for KeptResult { run, body, .. } in kept {
            self.bodies.keep(run, body, true);
        }
        self.pump(now);
        self
    }

    /// Places that are equally good are tried in an order of this worker's own, drawn from the seed, instead of
    /// the one in which they were configured and told. To be said after
    /// [`with_endpoints`](Self::with_endpoints).
    #[must_use]
    pub fn with_shuffled_endpoints(mut self, seed: u64) -> Self {
        self.directory = self.directory.shuffled(seed);
        self
    }

    /// Tells the node what happened at `now`, which never goes back. The only door in.
    pub fn handle(&mut self, now: Instant, input: WorkerInput) -> WorkerVerdict {
        let verdict = match input {
            WorkerInput::Timeout => {
                self.runner.handle(convert::instant(now), RunnerInput::Timeout);
                self.ask(now, LinkInput::Timeout)
            }
            WorkerInput::Credential { conn, credential } => {
                self.credential = Some((conn, credential));
                WorkerVerdict::Accepted
            }
            WorkerInput::Reached { conn, at } => {
                self.directory.reached(conn, at);
                WorkerVerdict::Accepted
            }
            WorkerInput::Vetted { vet, endpoints } => self.vetted(now, vet, endpoints),
            WorkerInput::Opened { conn } => self.ask(now, LinkInput::Opened { conn }),
            WorkerInput::DialFailed { conn, reason } => {
                self.gone(conn, reason);
                self.ask(now, LinkInput::DialFailed { conn, reason })
            }
            WorkerInput::Closed { conn, reason } => {
                self.wire.take_if(|wire| wire.conn == conn);
                self.gone(conn, reason);
                self.credential.take_if(|(of, _)| *of == conn);
                self.ask(now, LinkInput::Closed { conn, reason })
            }
            WorkerInput::Packet { conn, frames } => {
                let mut verdict = WorkerVerdict::Accepted;
                for frame in frames {
                    verdict = self.frame(now, conn, frame);
                    self.pump(now);
                }
                verdict
            }
            WorkerInput::Undecodable { conn } => self.violation(now, conn),
            WorkerInput::Done { run, outcome, body } => self.done(now, run, outcome, body),
            WorkerInput::Journaled { up_to, full } => self.journaled(up_to, &full),
            WorkerInput::Kick(kick) => self.ask(now, LinkInput::Kick(kick)),
            WorkerInput::Reconnect => self.ask(now, LinkInput::Reconnect),
            WorkerInput::Migrate => self.ask(now, LinkInput::Migrate),
            WorkerInput::Stop { within } => {
                self.runner.handle(convert::instant(now), RunnerInput::Drain);
                self.ask(now, LinkInput::Stop { within })
            }
            WorkerInput::Restart => self.ask(now, LinkInput::Restart),
            WorkerInput::ResetStatistics => self.ask(now, LinkInput::ResetStatistics),
        };
        self.pump(now);
        verdict
    }

    /// The next thing the driver is to do. Poll until it is empty.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<WorkerAction> {
        let due = self.due.pop_front()?;
        // A payload is the driver's now: the coordinator may send another.
        self.freed.give(due.credit);
        Some(due.action)
    }

    /// When to call next: now while an action is due, else at the earliest deadline. Packets to
    /// write do not count: they wait for the connection.
    #[must_use]
    pub fn next_wake(&self) -> Wake<WorkerTimer> {
        if !self.due.is_empty() {
            return Wake::Now;
        }
        let link = match self.link.next_wake() {
            Wake::Now => return Wake::Now,
            Wake::At { deadline, timer } => Some((deadline, WorkerTimer::Link(timer))),
            Wake::OnInput => None,
        };
        let runner = match self.runner.next_wake() {
            moorline_work::Wake::Now => return Wake::Now,
            #[cfg(moorline_planted = "SAFE-13")]
            moorline_work::Wake::At { timer, .. } if self.runner.results() > 0 => {
                Some((Instant::ZERO, WorkerTimer::Runner(timer)))
            }
            moorline_work::Wake::At { deadline, timer } => {
                Some((convert::instant_back(deadline), WorkerTimer::Runner(timer)))
            }
            moorline_work::Wake::OnInput => None,
        };
        match link.into_iter().chain(runner).min_by_key(|(deadline, _)| *deadline) {
            Some((deadline, timer)) => Wake::At { deadline, timer },
            None => Wake::OnInput,
        }
    }

    /// The state of the link.
    #[must_use]
    pub fn state(&self) -> State {
        self.link.state()
    }

    /// Everything one may want to show of the link.
    #[must_use]
    pub fn link(&self) -> LinkSnapshot {
        self.link.snapshot()
    }

    /// Messages and bytes that wait to be acknowledged on each lane of the link.
    #[must_use]
    pub fn held(&self) -> [(u32, u64); 2] {
        self.link.held()
    }

    /// Numbered messages that were sent again since the start, because a session went on over a new
    /// connection.
    #[must_use]
    pub const fn resent(&self) -> u64 {
        self.link.resent()
    }

    /// What the link has counted.
    #[must_use]
    pub const fn statistics(&self) -> &LinkStatistics {
        self.link.statistics()
    }

    /// Every run that is not settled, oldest first.
    pub fn runs(&self) -> impl Iterator<Item = RunSnapshot> + '_ {
        self.runner.runs()
    }

    /// Runs whose handler has not ended, wanted or not.
    #[must_use]
    pub fn running(&self) -> usize {
        self.runner.running()
    }

    /// Runs that wait for the journal before their handlers begin.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.journal.as_ref().map_or(0, Journal::waits)
    }

    /// Results that are kept until they are answered.
    #[must_use]
    pub fn results(&self) -> usize {
        self.runner.results()
    }

    /// How much it holds.
    #[must_use]
    pub fn load(&self) -> WorkerLoad {
        let (bodies, messages) = self.bodies.load();
        let (running, results) = (self.runner.running(), self.runner.results());
        WorkerLoad { running, results, bodies, messages }
    }

    /// Slots no handler uses.
    #[must_use]
    pub fn free(&self) -> u16 {
        self.runner.free()
    }

    /// Something runs, or is finished and not answered: a stop before this ends loses work that
    /// has to be done again.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.runner.owes()
    }

    fn ask(&mut self, now: Instant, input: LinkInput) -> WorkerVerdict {
        match self.link.handle(now, input) {
            LinkVerdict::Accepted
            | LinkVerdict::Deliver
            | LinkVerdict::Duplicate
            | LinkVerdict::Answer
            | LinkVerdict::Violation(_) => WorkerVerdict::Accepted,
            LinkVerdict::Later { within } => WorkerVerdict::Later { within },
            LinkVerdict::Stale => WorkerVerdict::Stale,
            LinkVerdict::Rejected(rejection) => WorkerVerdict::Rejected(rejection),
        }
    }

    fn done(&mut self, now: Instant, run: RunId, outcome: Outcome, body: Bytes) -> WorkerVerdict {
        let (outcome, body) = within_limit(outcome, body);
        let input = RunnerInput::Done { run, outcome, len: len_of(&body) };
        match self.runner.handle(convert::instant(now), input) {
            RunnerVerdict::Accepted => {
                let offline = self.link.state() != State::Active;
                self.bodies.keep(run, body, offline);
                self.keep(run);
                if offline && let Some(key) = self.runner.key_of(run) {
                    self.event(WorkerEvent::ResultKept { key });
                }
                WorkerVerdict::Accepted
            }
            RunnerVerdict::Stale | RunnerVerdict::NotStarted | RunnerVerdict::Started { .. } => {
                WorkerVerdict::Stale
            }
        }
    }
}

/// What the registration of this worker needs in a packet, at most.
fn hello_size(about: &About, worker: WorkerId, incarnation: Incarnation) -> usize {
    let head = Hello {
        versions: Versions::SPOKEN,
        features: Features::SPOKEN,
        worker,
        incarnation,
        name: UNKNOWN,
        resume: None,
        credit: [Credit::default(); 2],
        beat_interval: Duration::ZERO,
        ticket: None,
        holds_work: false,
    };
    UpFrame::Hello { head, about: about.clone() }.size_bound()
}

/// What one Hello may need beside a credential: it is alone in its packet.
const HELLO_MAX: usize = PACKET_MAX - Credential::MAX - 24;
/// Handlers and the worker's own name.
const NAMES_MAX: u32 = 1_025;
/// The symbol of every name that is not in the table; no name gets it.
const UNKNOWN: Sym = Sym(u32::MAX);

/// Size of a body in bytes; bodies are bounded far below.
fn len_of(body: &Bytes) -> u32 {
    u32::try_from(body.len()).unwrap_or(u32::MAX)
}

/// A result that no message can carry is a failure that says so (P77); too long an error text is cut.
fn within_limit(outcome: Outcome, mut body: Bytes) -> (Outcome, Bytes) {
    let max = usize::try_from(BODY_MAX).unwrap_or(usize::MAX);
    if body.len() <= max {
        return (outcome, body);
    }
    match outcome {
        Outcome::Succeeded => {
            let text = format!("the result has {} bytes; the limit is {max}", body.len());
            (Outcome::Failed { retryable: false }, text.into())
        }
        Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled => {
            body.truncate(max);
            (outcome, body)
        }
    }
}
