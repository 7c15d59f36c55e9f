//! Everything that happened, in the words every surface uses: one table of kinds, one form of an event.

use std::fmt;
use std::sync::Arc;

use moorline_link::Reason;
use moorline_work::{Attempt, TaskId, WorkerId};

use crate::Name;

macro_rules! kinds {
    ($($variant:ident $name:literal $number:literal $meaning:literal;)*) => {
        /// What happened: a closed list.
        ///
        /// The same word is used in log lines, the admin API, `--json` and filters. Numbers are what a store
        /// keeps: they are never used for anything else.
        ///
        /// ```
        /// use moorline_node::EventKind;
        ///
        /// assert_eq!(EventKind::TaskLeased.name(), "task.leased");
        /// assert_eq!(EventKind::from_name("task.leased"), Some(EventKind::TaskLeased));
        /// assert_eq!(EventKind::from_number(2), Some(EventKind::TaskLeased));
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum EventKind { $(#[doc = $meaning] $variant,)* }

        impl EventKind {
            /// Every kind, by number.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word used in logs, API and filters, such as `worker.disconnected`.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }

            /// The number a store keeps: from 1, below 64.
            #[must_use]
            pub const fn number(self) -> u8 { match self { $(Self::$variant => $number,)* } }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str { match self { $(Self::$variant => $meaning,)* } }

            /// The kind with this number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The kind with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    TaskSubmitted "task.submitted" 1 "A task was handed in and is queued.";
    TaskLeased "task.leased" 2 "A task was given to a worker.";
    TaskAdopted "task.adopted" 3 "A worker that still ran an old attempt of a task was given it again.";
    TaskReturned "task.returned" 4 "An attempt was given back; it counts for nothing and the task is queued.";
    TaskRedelivered "task.redelivered" 5 "An attempt was lost with its worker; the task is queued again.";
    TaskRetried "task.retried" 6 "An attempt failed; the task is queued again and waits.";
    TaskCancelRequested "task.cancel_requested" 7 "A client wants a running task to end.";
    TaskFinished "task.finished" 8 "A task ended with a result, which was applied.";
    TaskFailed "task.failed" 9 "The last attempt of a task failed.";
    TaskCancelled "task.cancelled" 10 "A task was cancelled.";
    TaskDead "task.dead" 11 "A task was lost with its worker too often.";
    TaskResultSettled "task.result_settled" 12 "A result came late, twice or for nothing; the detail says what became of it.";
    TaskRevived "task.revived" 13 "A client wants an ended task again; it is queued.";
    WorkerRegistered "worker.registered" 20 "A worker came in with a new session.";
    WorkerResumed "worker.resumed" 21 "A worker came back and its session goes on.";
    WorkerActive "worker.active" 22 "A worker's session is active: it may receive work.";
    WorkerSuspect "worker.suspect" 23 "A worker is late; nothing is taken from it.";
    WorkerHeard "worker.heard" 24 "A worker that was late was heard again.";
    WorkerDisconnected "worker.disconnected" 25 "A worker has no connection any more; it keeps its leases for now.";
    WorkerLost "worker.lost" 26 "A worker was away for too long; its leases are given away.";
    WorkerDeparted "worker.departed" 27 "A worker left on purpose.";
    WorkerRefused "worker.refused" 28 "A registration was refused.";
    WorkerFlapping "worker.flapping" 29 "A worker loses its connection too often; the detail says how often.";
    WorkerForgotten "worker.forgotten" 30 "A worker that was gone for long is not remembered any more.";
    WorkerRedirected "worker.redirected" 31 "A worker was told to go elsewhere; the detail says where.";
    CoordinatorStarted "coordinator.started" 40 "A coordinator began its life and has read what earlier ones left.";
    CoordinatorStopping "coordinator.stopping" 41 "The coordinator was told to stop.";
    ClockJump "clock.jump" 42 "The coordinator was not run for a while; no worker is blamed for it.";
    EventsDropped "events.dropped" 43 "The store was behind and events were left out; the detail says how many.";
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that happened. Its place and its time come from the store.
///
/// ```
/// use moorline_link::Reason;
/// use moorline_node::{Event, EventKind, Name};
///
/// let event = Event {
///     name: Some(Name::new("gpu-1")?),
///     reason: Some(Reason::StreamLost),
///     ..Event::new(EventKind::WorkerDisconnected)
/// };
/// assert!(event.task.is_none());
/// # Ok::<(), moorline_node::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// Which worker it is about, if that is known.
    pub worker: Option<WorkerId>,
    /// That worker's name.
    pub name: Option<Name>,
    /// Which task it is about.
    pub task: Option<TaskId>,
    /// Which attempt of it.
    pub attempt: Option<Attempt>,
    /// That task's handler.
    pub handler: Option<Name>,
    /// Why a worker is not there.
    pub reason: Option<Reason>,
    /// The number of the worker's session in its epoch.
    pub session: Option<u64>,
    /// More, for people.
    pub detail: Option<Detail>,
}

impl Event {
    /// An event of which only the kind is known.
    #[must_use]
    pub const fn new(kind: EventKind) -> Self {
        Self {
            kind,
            worker: None,
            name: None,
            task: None,
            attempt: None,
            handler: None,
            reason: None,
            session: None,
            detail: None,
        }
    }
}

/// A short text for people: one line of at most [`Detail::MAX`] bytes.
///
/// ```
/// use moorline_node::Detail;
///
/// assert_eq!(Detail::new("silent for 15s,\n2 leases").as_str(), "silent for 15s, 2 leases");
/// assert!(Detail::new(&"é".repeat(1_000)).as_str().len() <= Detail::MAX);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Detail(Arc<str>);

impl Detail {
    /// Longest detail in bytes.
    pub const MAX: usize = 200;

    /// As much of a text as there is room for; control characters become spaces.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut end = text.len().min(Self::MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = &text[..end];
        if text.chars().any(char::is_control) {
            let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            // A space is never longer than what it stands for.
            return Self(line.into());
        }
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests;
