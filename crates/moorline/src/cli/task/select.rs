//! Which tasks a command is about: those that are named, or all that match.

use super::task_state;
use crate::client::{Client, TaskQuery};
use crate::{Result, TaskId, TaskInfo, TaskState};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Selection {
    /// Ids of tasks.
    #[arg(value_name = "ID", required_unless_present = "all")]
    tasks: Vec<TaskId>,

    /// All tasks that the command can change, or those of them that --handler and --state leave.
    #[arg(long, conflicts_with = "tasks")]
    all: bool,

    /// With --all: only tasks of this type.
    #[arg(long, value_name = "TYPE", requires = "all")]
    handler: Option<String>,

    /// With --all: only tasks in one of these states.
    #[arg(long, value_name = "STATE", value_delimiter = ',', requires = "all")]
    #[arg(value_parser = task_state)]
    state: Vec<TaskState>,
}

impl Selection {
    /// The named ones.
    pub(super) fn named(&self) -> &[TaskId] {
        &self.tasks
    }

    /// Whether it is not known beforehand how many there are.
    pub(super) fn is_open(&self) -> bool {
        self.all
    }

    /// All that match and are in one of the states in which the command can change them, the latest
    /// submitted first.
    pub(super) async fn matching(
        &self,
        client: &Client,
        able: &[TaskState],
    ) -> Result<Vec<TaskInfo>> {
        let mut found = Vec::new();
        let wanted = |state| self.state.is_empty() || self.state.contains(state);
        for &state in able.iter().filter(|state| wanted(state)) {
            let query = TaskQuery::of(state).limit(u32::MAX);
            let tasks = client.list(query).await?;
            let of_handler =
                |task: &TaskInfo| self.handler.as_ref().is_none_or(|handler| task.kind == *handler);
            found.extend(tasks.into_iter().filter(of_handler));
        }
        Ok(found)
    }
}
