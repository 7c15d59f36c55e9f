//! What the nodes say, as log lines: one file for each role, the words from the reason table.
//!
//! Every line has the fields `event` and `role`; lines about a worker `worker`; lines with a reason
//! `reason` and `code`.

pub(crate) mod coordinator;
pub(crate) mod worker;

use std::fmt;
use std::time::Duration;

use moorline_link::{Epoch, Reason};
use moorline_store::StoreError;
use moorline_work::{TaskId, TaskKey};

/// While something lasts, it is summed up this often, if nobody says otherwise.
pub(crate) const REPEAT_EVERY: Duration = Duration::from_secs(30);

/// A reason's code as it is looked up: `ML2104`.
pub(crate) struct Code(pub(crate) Reason);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ML{:04}", self.0.code())
    }
}

/// The code of what failed in a store or a journal, as people write it.
pub(crate) struct StoreCode<'a>(pub(crate) &'a StoreError);

impl fmt::Display for StoreCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ML{:04}", self.0.code())
    }
}

/// A session as people name it: epoch and number.
pub(crate) struct Session(pub(crate) Epoch, pub(crate) u64);

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.0, self.1)
    }
}

/// A task's id as the command line writes it.
pub(crate) struct Task(pub(crate) TaskId);

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ulid::Ulid(self.0.0), f)
    }
}

/// One attempt of a task.
pub(crate) struct Key(pub(crate) TaskKey);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (attempt {})", Task(self.0.task), self.0.attempt.0)
    }
}

/// Places in order, as people write them: `grpcs://a:1, wss://b:2`.
pub(crate) struct List<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, item) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{item}")?;
        }
        Ok(())
    }
}

/// A time as people say it: `7.4s`, `2m10s`, `4h12m`.
pub(crate) struct Time(pub(crate) Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{:.1}s", self.0.as_secs_f64()),
            60..3_600 => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
            _ => write!(f, "{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        }
    }
}

/// The words for what became of a result.
pub(crate) const DISPOSITIONS: [&str; 5] =
    ["accepted", "late_accepted", "duplicate", "stale", "unknown"];

/// Milliseconds for a field.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `s` for none and for many.
pub(crate) fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
pub(crate) mod tests;
