//! What a list of tasks is asked for.

use moorline_work::TaskState;

/// Which tasks to list.
///
/// ```
/// use moorline::{TaskQuery, TaskState};
///
/// let failed = TaskQuery::of(TaskState::Failed);
/// assert_eq!(failed.limit, 100);
/// let latest = TaskQuery::default().limit(10);
/// assert_eq!(latest.state, None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TaskQuery {
    /// Only of this state.
    pub state: Option<TaskState>,
    /// At most so many. Default 100.
    pub limit: u32,
}

impl Default for TaskQuery {
    fn default() -> Self {
        Self { state: None, limit: 100 }
    }
}

impl TaskQuery {
    /// Only of this state.
    ///
    /// ```
    /// use moorline::{TaskQuery, TaskState};
    ///
    /// assert_eq!(TaskQuery::of(TaskState::Queued).state, Some(TaskState::Queued));
    /// ```
    #[must_use]
    pub fn of(state: TaskState) -> Self {
        Self { state: Some(state), ..Self::default() }
    }

    /// At most so many.
    ///
    /// ```
    /// use moorline::TaskQuery;
    ///
    /// assert_eq!(TaskQuery::default().limit(10).limit, 10);
    /// ```
    #[must_use]
    pub const fn limit(self, limit: u32) -> Self {
        Self { limit, ..self }
    }
}
