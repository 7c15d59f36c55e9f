//! Events in JSON, and the words of the questions about them.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::text;
use crate::TaskId;

/// Something that happened, as the store has it.
///
/// ```
/// let json = r#"{
///     "seq": 812, "at": "2026-11-22T10:00:00.000Z", "epoch": "1795000000000000000",
///     "kind": "worker.disconnected", "worker": "gpu-1",
///     "worker_id": "0000000000000000000000000000002a", "task": null, "attempt": null, "type": null,
///     "reason": "stream_lost", "code": "ML2104", "session": null,
///     "detail": "last contact 3012 ms ago, leases 2"
/// }"#;
/// let event: moorline::EventInfo = serde_json::from_str(json)?;
/// assert_eq!(event.reason.as_deref(), Some("stream_lost"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventInfo {
    /// Its number: dense, in the order in which events became durable, never used twice.
    pub seq: u64,
    /// When it happened, to the millisecond.
    #[serde(with = "text::time")]
    pub at: SystemTime,
    /// In which life of the coordinator: above 2^53, so a string of digits in JSON.
    #[serde(with = "super::digits")]
    pub epoch: u64,
    /// What: a word of [`EventKind`](crate::EventKind).
    pub kind: String,
    /// The name of the worker it is about; its identity where the name is not known.
    pub worker: Option<String>,
    /// That worker's identity.
    pub worker_id: Option<String>,
    /// The task it is about.
    pub task: Option<TaskId>,
    /// Which attempt of it.
    pub attempt: Option<u32>,
    /// That task's type.
    #[serde(rename = "type")]
    pub task_type: Option<String>,
    /// Why a worker is not there: a word of the list of reasons.
    pub reason: Option<String>,
    /// The code of that reason.
    pub code: Option<String>,
    /// The worker's session: epoch and number.
    pub session: Option<String>,
    /// More, for people.
    pub detail: Option<String>,
}

/// A page of events.
#[derive(Serialize, Deserialize)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<EventInfo>,
    /// The `after` (newest first: the `before`) of the next page, if there may be one now.
    pub(crate) next: Option<u64>,
    /// The `after` for what comes later: how far was looked.
    pub(crate) cursor: u64,
}

/// The kinds that a text names: names separated by commas, or what stands before the point for all of
/// that group.
#[cfg(feature = "coordinator")]
pub(crate) fn parse_kinds(text: &str) -> Result<Vec<crate::EventKind>, String> {
    let mut kinds = Vec::new();
    for word in text.split(',') {
        let before = kinds.len();
        kinds.extend(crate::EventKind::ALL.iter().filter(|kind| {
            kind.name() == word
                || kind.name().split_once('.').is_some_and(|(group, _)| group == word)
        }));
        if kinds.len() == before {
            return Err(format!(
                "there is no kind of event `{word}`; write worker, task, coordinator or one such as \
                 worker.disconnected"
            ));
        }
    }
    Ok(kinds)
}
