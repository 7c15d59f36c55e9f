//! What the processes of the demo say, counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

/// Lines of each process that are kept for the case that the demo fails.
const LAST_LINES: usize = 12;

/// Reads the JSON log lines of all processes. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Logbook {
    book: Arc<Mutex<Book>>,
}

#[derive(Debug, Default)]
struct Book {
    counted: Counted,
    last: BTreeMap<String, VecDeque<String>>,
}

/// What was counted.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Counted {
    /// Results that were recognised as duplicates or stale.
    pub(super) duplicates_refused: u64,
    /// Tasks that went back to the queue because their worker was lost or came back without them.
    pub(super) redelivered: u64,
    /// Outages that are over, as the workers tell them.
    pub(super) outages: Vec<Outage>,
}

/// One outage of a worker.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Outage {
    /// Whose.
    pub(super) worker: String,
    /// Why the connection was lost.
    pub(super) reason: String,
    /// How long it had no active link.
    pub(super) duration_ms: u64,
}

impl Logbook {
    /// A process said this.
    pub(super) fn note(&self, process: &str, line: &str) {
        let mut book = self.book();
        if let Ok(value) = serde_json::from_str::<Value>(line) {
            book.counted.count(process, &value);
        }
        let last = book.last.entry(process.to_owned()).or_default();
        last.push_back(line.to_owned());
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }

    /// What was counted so far.
    pub(super) fn counted(&self) -> Counted {
        self.book().counted.clone()
    }

    /// The last lines of every process.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let book = self.book();
        let lines = book.last.iter().flat_map(|(process, lines)| {
            lines.iter().map(move |line| format!("{process}: {line}"))
        });
        lines.collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A count that a panic has interrupted is at most one short.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn count(&mut self, process: &str, line: &Value) {
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        match line["event"].as_str() {
            // Coordinator and workers both tell of a settled result: the coordinator decides.
            Some("task.result_settled") if line["role"] == "coordinator" => {
                let refused = ["duplicate", "stale"].contains(&text("disposition").as_str());
                self.duplicates_refused += u64::from(refused);
            }
            Some("task.redelivered") => self.redelivered += 1,
            Some("link.restored") => self.outages.push(Outage {
                worker: process.to_owned(),
                reason: text("reason"),
                duration_ms: line["outage_ms"].as_u64().unwrap_or_default(),
            }),
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST_LINES, Logbook};

    #[test]
    fn duplicates_redeliveries_and_outages_are_counted_from_the_lines() {
        let book = Logbook::default();
        let settled = |role: &str, disposition: &str| {
            format!(
                r#"{{"event":"task.result_settled","role":"{role}","disposition":"{disposition}"}}"#
            )
        };
        for line in [
            settled("coordinator", "accepted"),
            settled("coordinator", "late_accepted"),
            settled("coordinator", "duplicate"),
            settled("coordinator", "stale"),
            settled("worker", "duplicate"),
            r#"{"event":"task.redelivered","role":"coordinator"}"#.to_owned(),
            "not json".to_owned(),
        ] {
            book.note("coordinator", &line);
        }
        book.note("worker-1", r#"{"event":"link.restored","reason":"half_open","outage_ms":1700}"#);
        let counted = book.counted();
        assert_eq!((counted.duplicates_refused, counted.redelivered), (2, 1));
        let outage = &counted.outages[0];
        assert_eq!((outage.worker.as_str(), outage.reason.as_str()), ("worker-1", "half_open"));
        assert_eq!((counted.outages.len(), outage.duration_ms), (1, 1_700));
    }

    #[test]
    fn only_the_last_lines_of_each_process_are_kept() {
        let book = Logbook::default();
        for n in 0..100 {
            book.note("a", &n.to_string());
        }
        book.note("b", "x");
        let lines = book.last_lines();
        assert_eq!(lines.len(), LAST_LINES + 1);
        assert_eq!(lines[LAST_LINES - 1..], ["a: 99", "b: x"]);
    }
}
