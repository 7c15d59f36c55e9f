//! The JSON of the admin API: what the coordinator answers, the client reads and `--json` prints.

mod event;
mod submit;
mod text;

use std::collections::BTreeMap;
use std::time::SystemTime;

use moorline_work::TaskState;
use serde::{Deserialize, Serialize};

pub use event::EventInfo;
pub(crate) use event::EventPage;
#[cfg(feature = "coordinator")]
pub(crate) use event::parse_kinds;
#[cfg(feature = "coordinator")]
pub(crate) use submit::SUBMIT_BODY_MAX;
pub use submit::Submit;
pub(crate) use submit::SubmitBody;
#[cfg(feature = "coordinator")]
pub(crate) use text::parse_task_state;
pub(crate) use text::time;

use crate::{Code, TaskId};

/// Largest input of a task in bytes: what one message to a worker can carry.
pub(crate) const INPUT_MAX: usize = moorline_node::BODY_MAX as usize;

/// Longest time one request may wait for a task: clients ask again.
pub(crate) const WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(30);

/// Every word for where a worker may be.
#[cfg(feature = "coordinator")]
pub(crate) const WORKER_STATES: [&str; 8] =
    ["expected", "restoring", "active", "suspect", "disconnected", "lost", "draining", "departed"];

/// The word for where a worker is.
#[cfg(feature = "coordinator")]
pub(crate) fn presence_word(presence: moorline_link::Presence) -> &'static str {
    use moorline_link::Presence;

    match presence {
        Presence::Expected => "expected",
        Presence::Restoring => "restoring",
        Presence::Active => "active",
        Presence::Suspect => "suspect",
        Presence::Disconnected => "disconnected",
        Presence::Lost => "lost",
        Presence::Draining => "draining",
        Presence::Departed => "departed",
        _ => "unknown",
    }
}

/// A task, as the store has it.
///
/// ```
/// let json = r#"{
///     "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "type": "resize", "state": "leased", "attempts": 1,
///     "worker": "gpu-1", "submitted_at": "2026-11-22T10:00:00.000Z", "finished_at": null,
///     "error": null, "priority": 0, "retries": 0, "max_retries": 3, "lost": 0,
///     "cancel_requested": false, "result_bytes": null, "cursor": 81
/// }"#;
/// let task: moorline::TaskInfo = serde_json::from_str(json)?;
/// assert_eq!(task.state, moorline::TaskState::Leased);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its id.
    pub id: TaskId,
    /// Its type: which handler runs it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it stands.
    #[serde(with = "text::task_state")]
    pub state: TaskState,
    /// How many attempts were given out.
    pub attempts: u32,
    /// The name of the worker that holds it or ended it; its identity where the name is not known.
    pub worker: Option<String>,
    /// When it was submitted, to the millisecond.
    #[serde(with = "text::time")]
    pub submitted_at: SystemTime,
    /// When it ended.
    #[serde(with = "text::time::option")]
    pub finished_at: Option<SystemTime>,
    /// The last error of its handler.
    pub error: Option<String>,
    /// Larger goes first.
    pub priority: i16,
    /// Retries so far.
    pub retries: u32,
    /// How many it may have.
    pub max_retries: u32,
    /// How often it was lost with its worker.
    pub lost: u32,
    /// A client wants it to end.
    pub cancel_requested: bool,
    /// The size of its result.
    pub result_bytes: Option<u64>,
    /// Its place in the order of submission: for the next page of a list.
    pub cursor: u64,
}

/// A worker, as the coordinator sees it.
///
/// ```
/// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
/// let worker: moorline::WorkerInfo = client.worker("gpu-1").await?;
/// println!("{} is {} ({:?})", worker.name, worker.state, worker.reason);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its identity: 32 hexadecimal digits, stable across restarts.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `expected`, `restoring`, `active`, `suspect`, `disconnected`, `lost`, `draining` or `departed`.
    pub state: String,
    /// Since when.
    #[serde(with = "text::time")]
    pub since: SystemTime,
    /// Why it is not active: a word of the list of reasons.
    pub reason: Option<String>,
    /// How many attempts it runs at once; 0 until it was seen.
    pub slots: u16,
    /// Leases it holds.
    pub running: u32,
    /// Milliseconds since its last frame.
    pub last_contact_ms: Option<u64>,
    /// Milliseconds of a round trip, as the worker measured it: it tells with the second heartbeat of
    /// a session how long the first one took, and nothing before.
    pub rtt_ms: Option<f64>,
    /// What its link has counted, as the worker told last in this session: with its second heartbeat
    /// on a connection and every sixth after it.
    #[serde(default)]
    pub link: Option<WorkerLink>,
    /// How its packets travel; `null` while it has no connection.
    pub transport: Option<String>,
    /// Where it came in: the URL of one of the coordinator's listeners.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// From where it came, as the transport names it: an address, its own or that of a proxy in between.
    #[serde(default)]
    pub remote: Option<String>,
    /// The number of its connection in this life of the coordinator: over another one, it has come again.
    #[serde(default)]
    pub connection: Option<u64>,
    /// It is connected, and understands where it is told to go.
    #[serde(default)]
    pub moves: bool,
    /// The version of its software.
    pub version: Option<String>,
    /// An operator has drained it: it gets nothing new until it is resumed, over lives of both sides.
    #[serde(default)]
    pub cordoned: bool,
    /// What it lost lately, while it comes and goes; `null` = it is calm.
    #[serde(default)]
    pub flapping: Option<WorkerFlapping>,
}

/// A worker that comes and goes: what it has lost within the window (`coordinator.flapping`).
///
/// ```
/// let json = r#"{"losses": 6, "reason": "half_open", "median_life_ms": 60000}"#;
/// let flapping: moorline::WorkerFlapping = serde_json::from_str(json)?;
/// assert_eq!(flapping.losses, 6);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerFlapping {
    /// Connections; 16 and more count as 16.
    pub losses: u8,
    /// The most common reason: a word of the list of reasons.
    pub reason: String,
    /// Milliseconds that a connection lived: as many lived longer as shorter.
    pub median_life_ms: u64,
}

/// A worker's link in figures, since its process began or its statistics were reset.
///
/// ```no_run
/// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
/// let worker = client.worker("gpu-1").await?;
/// if let Some(link) = worker.link {
///     println!("{} outages, round trips of {:?} ms", link.outages, link.rtt_p50_ms);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerLink {
    /// The share of all the time that it was active: 0 to 1. `null` before any time has passed.
    pub stability: Option<f64>,
    /// The same of the last 10 min.
    pub recent_stability: f64,
    /// Milliseconds of a round trip: the mean of the last 100 heartbeats.
    pub rtt_mean_ms: Option<f64>,
    /// Their median.
    pub rtt_p50_ms: Option<f64>,
    /// Their 99th percentile.
    pub rtt_p99_ms: Option<f64>,
    /// Their smoothed mean deviation.
    pub jitter_ms: Option<f64>,
    /// Dials that were begun.
    pub dials: u64,
    /// Those that ended in a registration.
    pub successes: u64,
    /// Their share of all that have ended: 0 to 1.
    pub success_rate: Option<f64>,
    /// Milliseconds in which it was active.
    pub connected_ms: u64,
    /// Milliseconds in which it was not.
    pub disconnected_ms: u64,
    /// Times that it was lost.
    pub outages: u64,
    /// What is bad about it: `stability`, `round_trip`, `queue`.
    pub degraded: Vec<String>,
}

/// A number that not every reader of JSON keeps exactly, as a string of digits.
pub(crate) mod digits {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("a string of digits was expected"))
    }
}

/// What a reload of the coordinator's configuration came to: the paths of settings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ReloadReport {
    /// Those that have a new value now.
    pub(crate) applied: Vec<String>,
    /// Those whose new value waits for a restart.
    pub(crate) restart: Vec<String>,
}

/// The coordinator in figures.
///
/// ```
/// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
/// let overview: moorline::Overview = client.overview().await?;
/// println!("{:?} active", overview.workers.get("active"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Overview {
    /// Which life of the coordinator this is: above 2^53, so a string of digits in JSON.
    #[serde(with = "digits")]
    pub epoch: u64,
    /// How many workers are in each state; states without a worker are left out.
    pub workers: BTreeMap<String, u64>,
    /// How many tasks are in each state; every state is there.
    pub tasks: BTreeMap<String, u64>,
    /// Tasks whose result was applied more than once: 0, or a promise is broken.
    pub applied_twice: u64,
    /// Attempts that were accepted and lost with their worker, over all tasks.
    pub lost_attempts: u64,
    /// Why it is not ready: the first check that fails. `None` if it is ready.
    #[serde(default)]
    pub problem: Option<String>,
}

/// The answer to a drain of the coordinator.
///
/// ```no_run
/// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
/// let draining = client.drain_coordinator(None, None, None).await?;
/// println!("stops within {} s", draining.timeout_s);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Draining {
    /// Workers that are connected and will be sent away.
    pub connected: usize,
    /// Seconds after which it stops at the latest.
    pub timeout_s: f64,
    /// Where they are told to go; empty: they come back, or go where they were configured to.
    #[serde(default)]
    pub to: Vec<String>,
    /// Workers that cannot be told where to go, and why.
    #[serde(default)]
    pub left: Vec<LeftBehind>,
}

/// A worker that is not told where to go when its coordinator stops.
///
/// ```
/// let json = r#"{"name": "gpu-1", "code": "ML6018", "detail": "gpu-1 is disconnected"}"#;
/// let left: moorline::LeftBehind = serde_json::from_str(json)?;
/// assert_eq!(left.code, "ML6018");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeftBehind {
    /// Its name.
    pub name: String,
    /// Why, as a code that `moorline explain` knows.
    pub code: String,
    /// The same in words.
    pub detail: String,
}

/// The answer to a submit.
///
/// ```
/// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
/// use moorline::{Submit, Submitted, TaskId};
///
/// let task = Submit::json("greet", &"you")?.with_id(TaskId::from(81));
/// let Submitted { again, .. } = client.submit(task).await?;
/// println!("{}", if again { "it was there already" } else { "it is new" });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Submitted {
    /// The task's id.
    pub id: TaskId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same task was there already.
    pub again: bool,
}

/// The answer to a cancel.
///
/// ```
/// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
/// use moorline::Cancelled;
///
/// match client.cancel(task).await? {
///     Cancelled::Cancelled => println!("it will not run"),
///     Cancelled::CancelRequested => println!("its worker is told to stop it"),
///     Cancelled::AlreadyEnded => println!("it was too late"),
///     _ => {}
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cancelled {
    /// It was queued and is cancelled.
    Cancelled,
    /// It runs: its worker is told to stop it.
    CancelRequested,
    /// It had ended before.
    AlreadyEnded,
}

/// The answer to a retry.
///
/// ```no_run
/// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
/// if client.retry(task).await? == moorline::Retried::NotEnded {
///     println!("it still runs");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Retried {
    /// It had ended and is queued again.
    Queued,
    /// It had not ended, or was queued again since: nothing changed.
    NotEnded,
}

/// The body of the answer to a retry.
#[derive(Serialize, Deserialize)]
pub(crate) struct RetryBody {
    pub(crate) id: TaskId,
    pub(crate) outcome: Retried,
}

/// The body of the answer to a cancel.
#[derive(Serialize, Deserialize)]
pub(crate) struct CancelBody {
    pub(crate) id: TaskId,
    pub(crate) outcome: Cancelled,
}

/// A page of tasks.
#[derive(Serialize, Deserialize)]
pub(crate) struct TaskPage {
    pub(crate) tasks: Vec<TaskInfo>,
    /// The `before` of the next page, if there may be one.
    pub(crate) next: Option<u64>,
}

/// All workers.
#[derive(Serialize, Deserialize)]
pub(crate) struct WorkerPage {
    pub(crate) workers: Vec<WorkerInfo>,
}

/// What runs: `moorline version` and `GET /version`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) version: String,
    pub(crate) protocol_min: u16,
    pub(crate) protocol_max: u16,
    /// The schema a store in a file has.
    pub(crate) store_schema: u32,
    /// The SQLite library that is built in.
    pub(crate) sqlite: String,
    /// For which machine it was built.
    #[serde(default)]
    pub(crate) target: String,
    /// What was built in, by the names of the package's features.
    #[serde(default)]
    pub(crate) features: Vec<String>,
    /// What it was built from, if whoever built it said so in MOORLINE_REVISION.
    #[serde(default)]
    pub(crate) revision: Option<String>,
}

/// The features of this package, and which of them are built in.
#[cfg(feature = "coordinator")]
const FEATURES: [(&str, bool); 7] = [
    ("cli", cfg!(feature = "cli")),
    ("client", cfg!(feature = "client")),
    ("coordinator", cfg!(feature = "coordinator")),
    ("grpc", cfg!(feature = "grpc")),
    ("health", cfg!(feature = "health")),
    ("process", cfg!(feature = "process")),
    ("sim", cfg!(feature = "sim")),
];

#[cfg(feature = "coordinator")]
impl Version {
    /// This build.
    pub(crate) fn here() -> Self {
        let spoken = moorline_link::Versions::SPOKEN;
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_min: spoken.min,
            protocol_max: spoken.max,
            store_schema: moorline_store::SqliteStore::SCHEMA,
            sqlite: moorline_store::SqliteStore::library().to_owned(),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            features: FEATURES
                .iter()
                .filter(|(_, is_there)| *is_there)
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            revision: option_env!("MOORLINE_REVISION").map(str::to_owned),
        }
    }
}

/// A problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type", default = "Problem::blank")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: u16,
    pub(crate) detail: String,
    pub(crate) code: String,
    pub(crate) hint: String,
}

impl Problem {
    /// Its media type.
    #[cfg(feature = "coordinator")]
    pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

    fn blank() -> String {
        "about:blank".to_owned()
    }

    #[cfg(feature = "coordinator")]
    pub(crate) fn new(status: u16, title: &str, code: Code, detail: String) -> Self {
        Self {
            kind: Self::blank(),
            title: title.to_owned(),
            status,
            detail,
            code: code.to_string(),
            hint: code.hint().to_owned(),
        }
    }

    /// The code it carries, if it is one.
    #[cfg(feature = "client")]
    pub(crate) fn code(&self) -> Option<Code> {
        Code::parse(&self.code)
    }
}

#[cfg(test)]
mod tests;
