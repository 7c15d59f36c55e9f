//! How a log line looks: for machines (JSON, logfmt) with stable names, for people as a sentence.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::output::short;

/// The shape of lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// `{"ts":"…","level":"info","event":"link.lost",…,"msg":"…"}`: names are stable.
    Json,
    /// `ts=… level=info event=link.lost … msg="…"`: the same names.
    Logfmt,
    /// `10:02:11.480  WARN  Lost connection …  reason=stream_lost`.
    Pretty {
        /// Errors red, warnings yellow.
        colour: bool,
    },
}

impl Shape {
    /// A line, with its newline.
    pub(super) fn line(
        self,
        level: Level,
        target: Option<&str>,
        fields: Map<String, Value>,
        message: &str,
    ) -> String {
        let ts = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        match self {
            Self::Json => {
                let mut line = Map::new();
                for (name, value) in head(ts, level, target) {
                    line.insert(name.to_owned(), value.into());
                }
                line.extend(fields);
                line.insert("msg".to_owned(), message.into());
                format!("{}\n", Value::Object(line))
            }
            Self::Logfmt => {
                let mut line = String::new();
                for (name, value) in head(ts, level, target) {
                    line += &format!("{name}={} ", quoted(&value));
                }
                for (name, value) in &fields {
                    line += &format!("{name}={} ", quoted(&bare(value)));
                }
                line + &format!("msg={}\n", quoted(message))
            }
            Self::Pretty { colour } => pretty(colour, &ts, level, &fields, message),
        }
    }
}

/// The shape of the next line; a server may be told another while it runs. Clones are the same one.
#[derive(Clone)]
pub(super) struct Current(Arc<RwLock<Shape>>);

impl Current {
    /// Begins with this one.
    pub(super) fn new(shape: Shape) -> Self {
        Self(Arc::new(RwLock::new(shape)))
    }

    /// What lines look like now.
    pub(super) fn get(&self) -> Shape {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What lines look like from now on.
    pub(super) fn set(&self, shape: Shape) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = shape;
    }
}

/// What every line begins with.
fn head(ts: String, level: Level, target: Option<&str>) -> Vec<(&'static str, String)> {
    let mut head = vec![("ts", ts), ("level", level.as_str().to_ascii_lowercase())];
    head.extend(target.map(|target| ("target", target.to_owned())));
    head
}

/// A value of logfmt: as it is, or in quotes where a reader would go astray.
fn quoted(text: &str) -> String {
    let plain = |c: char| !(c.is_whitespace() || c.is_control() || "\"=\\".contains(c));
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        // JSON's quotes are logfmt's.
        Value::from(text).to_string()
    }
}

fn pretty(
    colour: bool,
    ts: &str,
    level: Level,
    fields: &Map<String, Value>,
    message: &str,
) -> String {
    let time = ts.get(11..23).unwrap_or(ts);
    let (on, off) = match (colour, level) {
        (true, Level::ERROR) => ("\x1b[31m", "\x1b[0m"),
        (true, Level::WARN) => ("\x1b[33m", "\x1b[0m"),
        (true, _) | (false, _) => ("", ""),
    };
    // Words of a peer must not steer the terminal.
    let mut line = format!("{time} {on}{level:>5}{off} {}", short(message, usize::MAX));
    for (name, value) in fields {
        // What the sentence says already, and what is the same in every line, is for machines.
        if !["event", "role", "session", "epoch"].contains(&name.as_str()) {
            line += &format!("  {name}={}", short(&bare(value), 200));
        }
    }
    line + "\n"
}

impl<S, N> FormatEvent<S, N> for Current
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (metadata, Fields { message, fields }) = (event.metadata(), fields);
        let line = self.get().line(*metadata.level(), Some(metadata.target()), fields, &message);
        writer.write_str(&line)
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The fields of an event, in order.
#[derive(Default)]
struct Fields {
    message: String,
    fields: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = bare(&value);
        } else {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests;
