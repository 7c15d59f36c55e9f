//! The ids of tasks and workers as people see them.

use std::fmt;
use std::str::FromStr;

use moorline_link::WorkerId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// The id of a task: chosen by the client, so that submitting it again is idempotent.
///
/// Its text is a [ULID](https://github.com/ulid/spec): 26 characters that sort by time.
///
/// ```
/// use moorline::TaskId;
///
/// let task = TaskId::generate();
/// assert_eq!(task.to_string().parse(), Ok(task));
/// assert!("resize-81".parse::<TaskId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u128);

/// A text is not a task's id.
///
/// ```
/// use moorline::{TaskId, TaskIdError};
///
/// let error: TaskIdError = "resize-81".parse::<TaskId>().unwrap_err();
/// assert!(error.to_string().contains("26 characters"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is not a task id: it has 26 characters, such as 01ARZ3NDEKTSV4RRFFQ69G5FAV")]
pub struct TaskIdError {
    text: String,
}

impl TaskId {
    /// A new id: the time in milliseconds and 80 random bits.
    ///
    /// ```
    /// use moorline::TaskId;
    ///
    /// assert_ne!(TaskId::generate(), TaskId::generate());
    /// ```
    #[must_use]
    pub fn generate() -> Self {
        Self(Ulid::new().0)
    }

    /// The number behind the text.
    ///
    /// ```
    /// use moorline::TaskId;
    ///
    /// assert_eq!(TaskId::from(81).to_u128(), 81);
    /// ```
    #[must_use]
    pub const fn to_u128(self) -> u128 {
        self.0
    }
}

impl From<u128> for TaskId {
    fn from(number: u128) -> Self {
        Self(number)
    }
}

impl From<moorline_work::TaskId> for TaskId {
    fn from(task: moorline_work::TaskId) -> Self {
        Self(task.0)
    }
}

impl From<TaskId> for moorline_work::TaskId {
    fn from(task: TaskId) -> Self {
        Self(task.0)
    }
}

impl FromStr for TaskId {
    type Err = TaskIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ulid::from_string(text)
            .map(|ulid| Self(ulid.0))
            .map_err(|_| TaskIdError { text: text.chars().take(64).collect() })
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Ulid(self.0), f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The identity of a worker that has no data directory: a hash of its name, so that a restart under
/// the same name takes over.
pub(crate) fn worker_of_name(name: &str) -> WorkerId {
    let digest = Sha256::new().chain_update("moorline worker\0").chain_update(name).finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    WorkerId(u128::from_be_bytes(first))
}

/// A worker's identity as text: 32 hexadecimal digits.
#[cfg_attr(not(feature = "coordinator"), allow(dead_code))]
pub(crate) fn worker_text(worker: WorkerId) -> String {
    format!("{:032x}", worker.0)
}

/// The identity that such a text is.
#[cfg_attr(not(feature = "coordinator"), allow(dead_code))]
pub(crate) fn parse_worker(text: &str) -> Option<WorkerId> {
    let hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u128::from_str_radix(text, 16).ok().map(WorkerId)).flatten()
}

#[cfg(test)]
mod tests;
