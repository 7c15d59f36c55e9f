//! What a picture shows, computed from the records of a run.

mod reader;

use serde::Serialize;

use crate::{Plan, Recording};

/// One process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Lane {
    /// What it is called.
    pub name: String,
    /// Its number in the records.
    pub node: u16,
}

/// What a process is over a span of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// There is no process.
    Gone,
    /// It runs; all that is said of a coordinator.
    Up,
    /// A worker's link, by its state.
    Disconnected,
    /// The same.
    Connecting,
    /// The same.
    Registered,
    /// The same.
    Active,
    /// The same.
    Failed,
    /// The same.
    Shutdown,
    /// It gets nothing.
    Frozen,
}

impl SpanKind {
    /// Every kind, in the order of a legend.
    pub const ALL: [Self; 9] = [
        Self::Active,
        Self::Registered,
        Self::Connecting,
        Self::Disconnected,
        Self::Failed,
        Self::Shutdown,
        Self::Up,
        Self::Frozen,
        Self::Gone,
    ];

    /// By the value of a record of [`What::State`](crate::What::State).
    fn of_state(value: u64) -> Self {
        use moorline_link::State;
        let state = State::ALL.iter().find(|state| **state as u64 == value);
        match state {
            Some(State::Connecting) => Self::Connecting,
            Some(State::Registered) => Self::Registered,
            Some(State::Active) => Self::Active,
            Some(State::Failed) => Self::Failed,
            Some(State::Shutdown) => Self::Shutdown,
            Some(State::Disconnected) | None => Self::Disconnected,
        }
    }
}

/// A process is something for a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Span {
    /// Which lane.
    pub lane: usize,
    /// From when, in nanoseconds.
    pub from: u64,
    /// Until when.
    pub to: u64,
    /// What.
    pub kind: SpanKind,
    /// The record that began it.
    pub record: u32,
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// It arrived later than the path alone makes it.
    Late,
    /// It never arrived.
    Lost,
    /// It was under way when the record ends, or its receiver was gone.
    Open,
}

/// A packet on its way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Arrow {
    /// The lane that sent it.
    pub from: usize,
    /// The lane it went to.
    pub to: usize,
    /// When it was sent, in nanoseconds.
    pub sent: u64,
    /// When it arrived, or was lost; for an open one, when it was sent.
    pub ended: u64,
    /// What became of it.
    pub fate: Fate,
    /// What it said: kinds of frames.
    pub says: Vec<&'static str>,
    /// Which tasks it was about, as numbers in the plan.
    pub tasks: Vec<u32>,
    /// Nothing but heartbeats and acknowledgements.
    pub routine: bool,
    /// The record of its sending.
    pub record: u32,
    /// The record of its end; 0 for none.
    pub end: u32,
}

/// A handler that runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Bar {
    /// Which lane.
    pub lane: usize,
    /// The place among those that run there at once, from 0.
    pub row: usize,
    /// From when, in nanoseconds.
    pub from: u64,
    /// Until when.
    pub to: u64,
    /// Which task.
    pub task: u32,
    /// Which attempt.
    pub attempt: u64,
    /// The record of its start.
    pub record: u32,
}

/// A fault of the plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Band {
    /// Which lanes.
    pub lanes: Vec<usize>,
    /// From when, in nanoseconds.
    pub from: u64,
    /// Until when; the same as `from` for what takes no time.
    pub to: u64,
    /// In words.
    pub words: String,
    /// The record of its beginning.
    pub record: u32,
}

/// What happened at one instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// A timer fired.
    Timer,
    /// A worker dialled.
    Dial,
    /// A dial failed, or a process was told that a connection ended.
    Ended,
    /// A commit became durable.
    Commit,
    /// A client asked, or was answered.
    Client,
}

/// Something that happened at one instant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Mark {
    /// Which lane.
    pub lane: usize,
    /// When, in nanoseconds.
    pub at: u64,
    /// What.
    pub kind: MarkKind,
    /// More of it: the number of the attempt for a dial.
    pub value: u64,
    /// Which task, if one.
    pub task: Option<u32>,
    /// Its record.
    pub record: u32,
}

/// The promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Pin {
    /// When, in nanoseconds.
    pub at: u64,
    /// How.
    pub words: String,
    /// Its record.
    pub record: u32,
}

/// Everything that a picture shows.
///
/// ```
/// use moorline_sim::picture::Timeline;
/// use moorline_sim::{Plan, Run};
///
/// let plan = Plan::new(7);
/// let outcome = Run::new(plan.clone()).recorded(1_000_000).go();
/// let timeline = Timeline::new(&plan, &outcome.recording.expect("it was asked for"));
/// assert_eq!(timeline.lanes.len(), 1 + plan.workers.len());
/// assert!(timeline.html().starts_with("<!doctype html>"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Timeline {
    /// What it is called.
    pub title: String,
    /// The first instant that is shown, in nanoseconds.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// The processes, the coordinator first.
    pub lanes: Vec<Lane>,
    /// What they were.
    pub spans: Vec<Span>,
    /// The packets.
    pub arrows: Vec<Arrow>,
    /// The handlers.
    pub bars: Vec<Bar>,
    /// The faults.
    pub bands: Vec<Band>,
    /// Instants.
    pub marks: Vec<Mark>,
    /// When the phases of the run began, in words.
    pub phases: Vec<(u64, String)>,
    /// The broken promise.
    pub pin: Option<Pin>,
    /// Every record, for its causes: when, what, node, connection, task, value, cause.
    pub records: Vec<(u64, u8, u16, u32, u32, u64, u32)>,
    /// The number of the first of them, less one.
    pub forgotten: u32,
    /// Their words.
    pub words: Vec<String>,
    /// What kinds of records are called, by their number.
    pub kinds: Vec<String>,
}

impl Timeline {
    /// The timeline of a run.
    #[must_use]
    pub fn new(plan: &Plan, recording: &Recording) -> Self {
        reader::read(plan, recording)
    }
}
