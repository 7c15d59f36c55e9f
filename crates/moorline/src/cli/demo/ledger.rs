//! The sum at the end.

use std::fmt;

use serde::Serialize;

use super::Failure;
use super::logbook::{Logbook, Outage};
use super::plan::Plan;
use crate::cli::output::{roughly, table};
use crate::client::Client;
use crate::{Error, TaskId, TaskState};

/// What became of everything that was submitted.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub(super) struct Ledger {
    submitted: u64,
    succeeded: u64,
    applied_twice: u64,
    lost: u64,
    duplicates_refused: u64,
    redelivered: u64,
    outages: Vec<Outage>,
    /// Files whose result is not the hash computed in place.
    #[serde(skip)]
    wrong: Vec<String>,
}

impl Ledger {
    /// Asks the coordinator about every task and compares every result.
    pub(super) async fn read(
        client: &Client,
        plan: &Plan,
        tasks: &[TaskId],
    ) -> Result<Self, Failure> {
        let mut ledger =
            Self { submitted: u64::try_from(tasks.len()).unwrap_or(u64::MAX), ..Self::default() };
        for (&task, (file, hash)) in tasks.iter().zip(&plan.files) {
            match client.get(task).await {
                Ok(seen) => ledger.note(seen.state),
                // Accepted, and not there any more.
                Err(Error::NoSuchTask { .. }) => {
                    ledger.lost += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            let same = match client.result(task).await {
                Ok(result) => result == hash.as_bytes(),
                // It did not succeed, which is counted already.
                Err(Error::Refused { .. }) => true,
                Err(error) => return Err(error.into()),
            };
            if !same {
                ledger.wrong.push(file.display().to_string());
            }
        }
        ledger.applied_twice = client.overview().await?.applied_twice;
        Ok(ledger)
    }

    fn note(&mut self, state: TaskState) {
        match state {
            TaskState::Succeeded => self.succeeded += 1,
            // Nobody works on it any more, or it was lost too often: it would never succeed.
            TaskState::Queued | TaskState::Leased | TaskState::Dead => self.lost += 1,
            TaskState::Failed | TaskState::Cancelled => {}
        }
    }

    /// What the processes have told.
    pub(super) fn add_logs(&mut self, logbook: &Logbook) {
        let counted = logbook.counted();
        self.duplicates_refused = counted.duplicates_refused;
        self.redelivered = counted.redelivered;
        self.outages = counted.outages;
    }

    /// Why it does not balance; nothing if it does.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.succeeded != self.submitted {
            faults.push(format!("{} of {} tasks succeeded", self.succeeded, self.submitted));
        }
        if self.applied_twice != 0 {
            faults.push(format!("{} results were applied twice", self.applied_twice));
        }
        if self.lost != 0 {
            faults.push(format!("{} tasks were lost", self.lost));
        }
        for file in &self.wrong {
            faults.push(format!("the result for {file} is not its hash"));
        }
        faults
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = if self.wrong.is_empty() {
            "every result equals the hash computed in place".to_owned()
        } else {
            format!("{} results differ from the hash computed in place", self.wrong.len())
        };
        writeln!(f, "submitted           {:>6}", self.submitted)?;
        writeln!(f, "succeeded           {:>6}   {compared}", self.succeeded)?;
        writeln!(f, "applied twice       {:>6}", self.applied_twice)?;
        writeln!(f, "lost                {:>6}", self.lost)?;
        writeln!(f, "duplicates refused  {:>6}", self.duplicates_refused)?;
        writeln!(f, "redelivered         {:>6}", self.redelivered)?;
        write!(f, "outages             {:>6}", self.outages.len())?;
        if !self.outages.is_empty() {
            let rows: Vec<_> = self
                .outages
                .iter()
                .map(|outage| {
                    let duration = std::time::Duration::from_millis(outage.duration_ms);
                    let duration = if outage.duration_ms < 1_000 {
                        roughly(duration)
                    } else {
                        format!("{:.1}s", duration.as_secs_f64())
                    };
                    vec![format!("  {}", outage.worker), outage.reason.clone(), duration]
                })
                .collect();
            write!(f, "\n{}", table(&["  WORKER", "REASON", "DURATION"], &rows))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, Outage};
    use crate::TaskState;

    fn balanced() -> Ledger {
        Ledger {
            submitted: 96,
            succeeded: 96,
            duplicates_refused: 2,
            redelivered: 4,
            outages: vec![Outage {
                worker: "worker-3".into(),
                reason: "half_open".into(),
                duration_ms: 1_730,
            }],
            ..Ledger::default()
        }
    }

    #[test]
    fn a_ledger_balances_only_if_everything_was_done_once_and_right() {
        assert_eq!(balanced().faults(), Vec::<String>::new());
        let cases = [
            Ledger { succeeded: 95, ..balanced() },
            Ledger { applied_twice: 1, ..balanced() },
            Ledger { lost: 1, ..balanced() },
            Ledger { wrong: vec!["/a".into()], ..balanced() },
        ];
        for ledger in cases {
            assert_eq!(ledger.faults().len(), 1, "{ledger:?}");
        }
    }

    #[test]
    fn every_state_a_task_may_be_left_in_is_counted() {
        let mut ledger = Ledger::default();
        TaskState::ALL.into_iter().for_each(|state| ledger.note(state));
        assert_eq!((ledger.succeeded, ledger.lost), (1, 3));
    }

    #[test]
    fn the_json_is_one_object_with_the_fields_of_the_contract() {
        let json = serde_json::to_value(balanced()).unwrap();
        let fields: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "applied_twice",
            "duplicates_refused",
            "lost",
            "outages",
            "redelivered",
            "submitted",
            "succeeded",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_ledger_is_readable() {
        insta::assert_snapshot!(balanced());
    }
}
