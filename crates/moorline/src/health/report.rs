//! How a worker or a coordinator is: checks, and what people and programs want to know beside them.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::Code;

/// One thing that has to be well.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// Its name.
    pub(crate) name: &'static str,
    /// Why it is not well; `None`: it is.
    pub(crate) problem: Option<Problem>,
    /// In words, well or not.
    pub(crate) detail: String,
    /// It belongs to the start: once well, the process has started.
    pub(crate) startup: bool,
}

/// Why something is not well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem {
    /// In a word.
    pub(crate) reason: &'static str,
    /// As it can be looked up.
    pub(crate) code: Option<Code>,
    /// Since when.
    pub(crate) since: Option<SystemTime>,
}

/// How it is at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// What has to be well for it to be ready, the most telling first.
    pub(crate) checks: Vec<Check>,
    /// Until the next attempt to be well again.
    pub(crate) next_attempt: Option<Duration>,
    /// One line for people.
    pub(crate) summary: String,
    /// It finishes what it has and takes nothing new.
    pub(crate) stopping: bool,
    /// Everything else, for the status page.
    pub(crate) details: Map<String, Value>,
}

impl Check {
    pub(crate) fn new(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, problem: None, detail: detail.into(), startup: false }
    }

    pub(crate) fn of_start(self) -> Self {
        Self { startup: true, ..self }
    }

    /// Not well if there is a problem.
    pub(crate) fn unless(self, problem: Option<Problem>) -> Self {
        Self { problem, ..self }
    }
}

impl Problem {
    pub(crate) fn new(reason: &'static str, code: Option<Code>) -> Self {
        Self { reason, code, since: None }
    }
}

impl Report {
    /// The first thing that is not well.
    pub(crate) fn problem(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.problem.is_some())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.problem().is_none()
    }

    /// Whether the start is over.
    pub(crate) fn has_started(&self) -> bool {
        self.checks.iter().all(|check| !check.startup || check.problem.is_none())
    }

    /// `{"status":"unready","reason":"stream_lost","code":"ML2104","since":"…","next_attempt_in_s":9}`.
    pub(crate) fn verdict(&self, well: bool, words: [&str; 2], startup_only: bool) -> Value {
        let mut verdict = Map::new();
        verdict.insert("status".into(), words[usize::from(!well)].into());
        let failing = self.checks.iter().filter(|check| !startup_only || check.startup);
        let problem = failing.filter_map(|check| check.problem.as_ref()).next();
        if let Some(problem) = problem.filter(|_| !well) {
            verdict.insert("reason".into(), problem.reason.into());
            if let Some(code) = problem.code {
                verdict.insert("code".into(), code.to_string().into());
            }
            if let Some(since) = problem.since {
                verdict.insert("since".into(), time(since));
            }
            if let Some(next) = self.next_attempt {
                verdict.insert("next_attempt_in_s".into(), seconds(next));
            }
        }
        Value::Object(verdict)
    }

    /// The list of checks, for people.
    pub(crate) fn verbose(&self) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let mark = if check.problem.is_some() { '✗' } else { '✓' };
            text += &format!("{mark} {:<10} {}\n", check.name, check.detail);
            if let Some(problem) = &check.problem {
                let code = problem.code.map(|code| format!(" ({code})")).unwrap_or_default();
                text += &format!("  {:<10} {}{code}\n", "", problem.reason);
                if let Some(hint) = problem.code.map(Code::hint).filter(|hint| !hint.is_empty()) {
                    text += &format!("  {:<10} {hint}\n", "");
                }
            }
        }
        if let Some(next) = self.next_attempt {
            text += &format!("next attempt in {:.1} s\n", next.as_secs_f64());
        }
        text
    }

    /// All of it, for programs.
    pub(crate) fn json(&self) -> Value {
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|check| {
                let problem = check.problem.as_ref();
                json!({
                    "name": check.name,
                    "ok": problem.is_none(),
                    "reason": problem.map(|problem| problem.reason),
                    "code": problem.and_then(|problem| problem.code).map(|code| code.to_string()),
                    "since": problem.and_then(|problem| problem.since).map(time),
                    "detail": check.detail,
                })
            })
            .collect();
        let mut all = self.details.clone();
        all.insert("ready".into(), self.is_ready().into());
        all.insert("started".into(), self.has_started().into());
        all.insert("stopping".into(), self.stopping.into());
        all.insert("summary".into(), self.summary.clone().into());
        all.insert("checks".into(), checks.into());
        all.insert("next_attempt_in_s".into(), self.next_attempt.map_or(Value::Null, seconds));
        Value::Object(all)
    }
}

/// A time as it is written everywhere.
pub(crate) fn time(time: SystemTime) -> Value {
    humantime::format_rfc3339_millis(time).to_string().into()
}

/// Seconds with milliseconds behind the point.
pub(crate) fn seconds(duration: Duration) -> Value {
    ((duration.as_secs_f64() * 1_000.0).round() / 1_000.0).into()
}
