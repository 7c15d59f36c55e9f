//! What a check found, in the formats that monitoring systems read.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// How bad it is. The numbers are the exit codes of monitoring plugins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl Level {
    /// By limits from which on it is bad.
    pub(super) fn of(
        value: Option<Duration>,
        warning: Option<Duration>,
        critical: Option<Duration>,
    ) -> Self {
        let reaches = |limit: Option<Duration>| {
            limit.is_some_and(|limit| value.is_some_and(|value| value >= limit))
        };
        if reaches(critical) {
            Self::Critical
        } else if reaches(warning) {
            Self::Warning
        } else {
            Self::Ok
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

/// How it is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    Nagios,
    Json,
    Prometheus,
    Text,
}

/// A figure, and from where on it is bad.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    name: &'static str,
    value: f64,
    warning: Option<f64>,
    critical: Option<f64>,
}

impl Metric {
    pub(super) fn new(name: &'static str, value: f64) -> Self {
        Self { name, value, warning: None, critical: None }
    }

    pub(super) fn limits(self, warning: Option<f64>, critical: Option<f64>) -> Self {
        Self { warning, critical, ..self }
    }

    /// `away=1;1;14`: value, from where on a warning, from where on critical.
    fn performance(&self) -> String {
        let limit = |limit: Option<f64>| limit.map(figure).unwrap_or_default();
        let (warning, critical) = (limit(self.warning), limit(self.critical));
        let all = format!("{}={};{warning};{critical}", self.name, figure(self.value));
        all.trim_end_matches(';').to_owned()
    }
}

/// At most three digits behind the point.
fn figure(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a check found.
#[derive(Clone, Debug)]
pub(super) struct Report {
    name: &'static str,
    pub(super) level: Level,
    pub(super) message: String,
    pub(super) metrics: Vec<Metric>,
}

impl Report {
    pub(super) fn new(name: &'static str, level: Level, message: String) -> Self {
        Self { name, level, message, metrics: Vec::new() }
    }

    pub(super) fn text(&self, format: Format) -> String {
        let (name, level) = (self.name, self.level.name());
        match format {
            // What stands behind a bar is figures, in one line: so no other may be there.
            Format::Nagios => {
                let (name, level) = (name.to_uppercase(), level.to_uppercase());
                let message = self.message.replace('|', "/").replace('\n', " ");
                let metrics: Vec<_> = self.metrics.iter().map(Metric::performance).collect();
                let metrics = metrics.join(" ");
                let bar = if metrics.is_empty() { "" } else { " | " };
                format!("{name} {level} - {message}{bar}{metrics}")
            }
            Format::Text => format!("{name}: {level}: {}", self.message),
            Format::Json => {
                let metrics: Map<String, Value> = self
                    .metrics
                    .iter()
                    .map(|one| (one.name.to_owned(), one.value.into()))
                    .collect();
                json!({
                    "check": name, "status": level, "exit": self.level as u8,
                    "message": self.message, "metrics": metrics,
                })
                .to_string()
            }
            Format::Prometheus => {
                let mut lines = vec![
                    "# HELP moorline_check_status What a check found: 0 ok, 1 warning, 2 critical, 3 unknown.".to_owned(),
                    "# TYPE moorline_check_status gauge".to_owned(),
                    format!("moorline_check_status{{check=\"{name}\"}} {}", self.level as u8),
                ];
                if !self.metrics.is_empty() {
                    lines.push("# HELP moorline_check_value The figures of a check.".to_owned());
                    lines.push("# TYPE moorline_check_value gauge".to_owned());
                }
                lines.extend(self.metrics.iter().map(|one| {
                    let value = figure(one.value);
                    format!(
                        "moorline_check_value{{check=\"{name}\",name=\"{}\"}} {value}",
                        one.name
                    )
                }));
                lines.join("\n")
            }
        }
    }
}
