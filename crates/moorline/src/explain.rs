//! Why a worker or a task is where it is: what the coordinator knows, weighed by one table.
//!
//! An [`Explanation`] is made from evidence (the state, the events of the store, the fleet, the
//! coordinator's own condition) by a pure function, so that the same evidence gives the same words.

#[cfg(feature = "coordinator")]
mod span;
#[cfg(feature = "coordinator")]
pub(crate) mod task;
mod text;
#[cfg(feature = "coordinator")]
pub(crate) mod worker;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::api::time;

/// Why a worker or a task is where it is, in words and in fields.
///
/// Printed, it is what `moorline worker explain` and `moorline task explain` show.
///
/// ```
/// let json = r#"{
///     "subject": "gpu-1", "state": "disconnected", "since": "2026-11-22T10:02:11.480Z",
///     "headline": "gpu-1 is DISCONNECTED for 42s. It holds nothing.",
///     "cause": {
///         "rule": "reason", "reason": "stream_lost", "code": "ML2104", "certainty": "sure",
///         "text": "The control stream ended while the transport stayed up."
///     },
///     "seen": [], "before": [], "after": [],
///     "ruled_out": ["version (0.1.0, as the coordinator)"], "others": null, "candidates": [],
///     "next": [], "todo": ["moorline worker timeline gpu-1 --since 15m"]
/// }"#;
/// let explanation: moorline::Explanation = serde_json::from_str(json)?;
/// let text = explanation.to_string();
/// assert!(text.starts_with("gpu-1 is DISCONNECTED for 42s. It holds nothing.\n"));
/// assert!(text.contains("Because   stream_lost (ML2104): The control stream ended"), "{text}");
/// assert!(text.contains("[sure]"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The name of the worker, or type and id of the task.
    pub subject: String,
    /// Its state, a word of the API.
    pub state: String,
    /// Since when it is in that state.
    #[serde(with = "time")]
    pub since: SystemTime,
    /// The state, and what it means for the work, in one or two sentences.
    pub headline: String,
    /// Why; `None` if nothing needs a cause.
    pub cause: Option<Cause>,
    /// What both sides saw at that moment, as far as it is known.
    pub seen: Vec<Sighting>,
    /// What happened before, newest first.
    pub before: Vec<Sighting>,
    /// What happened since, newest first.
    pub after: Vec<Sighting>,
    /// Causes that were looked for and not found, each with the figure that says so.
    pub ruled_out: Vec<String>,
    /// Whether others are affected too.
    pub others: Option<String>,
    /// Of a queued task: who could take it, and what each lacks.
    pub candidates: Vec<Candidate>,
    /// What happens next by itself, and when.
    pub next: Vec<String>,
    /// What to do, as sentences and commands.
    pub todo: Vec<String>,
}

/// The row of the table that applies.
///
/// ```
/// let cause: moorline::Cause = serde_json::from_str(
///     r#"{"rule": "reason", "reason": null, "code": null, "certainty": "likely", "text": "…"}"#,
/// )?;
/// assert_eq!(cause.certainty, moorline::Certainty::Likely);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cause {
    /// The name of the row.
    pub rule: String,
    /// The reason, a word of the closed list, where there is one.
    pub reason: Option<String>,
    /// Its code: `ML2104`.
    pub code: Option<String>,
    /// How well the evidence supports it.
    pub certainty: Certainty,
    /// In words.
    pub text: String,
}

/// How well the evidence supports a cause.
///
/// ```
/// assert_eq!(serde_json::to_string(&moorline::Certainty::Sure)?, r#""sure""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Certainty {
    /// One side said so, or did it.
    Sure,
    /// It fits what was seen; other causes would look the same.
    Likely,
    /// The evidence does not say.
    Unknown,
}

/// Something that one side saw.
///
/// ```
/// let seen: moorline::Sighting = serde_json::from_str(
///     r#"{"at": "2026-11-22T10:02:11.480Z", "by": "coordinator", "text": "stream reset"}"#,
/// )?;
/// assert_eq!(seen.by, "coordinator");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sighting {
    /// When, on the coordinator's wall clock; `None` if it has not come yet.
    #[serde(with = "time::option")]
    pub at: Option<SystemTime>,
    /// `coordinator` or `worker`.
    pub by: String,
    /// What.
    pub text: String,
}

/// A worker that could take a task, or why not.
///
/// ```
/// let candidate: moorline::Candidate = serde_json::from_str(
///     r#"{"worker": "cpu-1", "state": "active", "can": false, "text": "has no handler resize"}"#,
/// )?;
/// assert!(!candidate.can);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Candidate {
    /// Its name.
    pub worker: String,
    /// Its state.
    pub state: String,
    /// It could take the task now.
    pub can: bool,
    /// Why, or what it lacks.
    pub text: String,
}
