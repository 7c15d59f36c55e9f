//! Log lines on stderr: for people on a terminal, JSON with stable names elsewhere.

use std::fmt;
use std::io::IsTerminal;
use std::time::SystemTime;

use clap::ValueEnum;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum LogFormat {
    /// Pretty on a terminal, json elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The variable with filter directives, such as `debug` or `moorline_driver=trace,info`.
const FILTER: &str = "MOORLINE_LOG";

/// Logs of a server: transitions and more.
pub(super) fn for_server(format: LogFormat) {
    init(format, "info,h2=warn,hyper=warn,tonic=warn,tower=warn");
}

/// Logs of a client: what it waits for.
pub(super) fn for_client(format: LogFormat) {
    let format = if format == LogFormat::Auto { LogFormat::Pretty } else { format };
    init(format, "warn");
}

/// Logs of the demo and of benchmarks, which tell their own story: what goes wrong only.
pub(super) fn for_demo(format: LogFormat) {
    let format = if format == LogFormat::Auto { LogFormat::Pretty } else { format };
    init(format, "error");
}

fn init(format: LogFormat, standard: &str) {
    let given = std::env::var(FILTER).ok().filter(|text| !text.is_empty());
    let filter = given.as_deref().and_then(|text| EnvFilter::try_new(text).ok());
    let misread = given.is_some() && filter.is_none();
    let filter = filter.unwrap_or_else(|| EnvFilter::new(standard));
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that cannot be written would be complained about on stderr, in vain, by a panic:
        // whoever read the log may be gone, and the work goes on all the same.
        .log_internal_errors(false);
    // Whoever has set a subscriber before has decided.
    if json {
        let _ = builder.event_format(JsonLine).try_init();
    } else {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|text| text.is_empty());
        let _ = builder.event_format(PrettyLine { colour }).try_init();
    }
    if misread {
        tracing::warn!(
            event = "log.filter",
            "{FILTER} is not a log filter; the standard one is used"
        );
    }
}

/// `{"ts":"…","level":"info","event":"link.lost",…,"msg":"…"}`: names are stable.
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
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
        let mut line = Map::new();
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        line.insert("ts".into(), now().into());
        line.insert("level".into(), level.into());
        line.insert("target".into(), event.metadata().target().into());
        line.append(&mut fields.fields);
        line.insert("msg".into(), fields.message.into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// `10:02:11.480  WARN  Lost connection …  reason=stream_lost`.
struct PrettyLine {
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for PrettyLine
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
        let now = now();
        let time = now.get(11..23).unwrap_or(&now);
        let level = event.metadata().level();
        let (on, off) = match (self.colour, *level) {
            (true, tracing::Level::ERROR) => ("\x1b[31m", "\x1b[0m"),
            (true, tracing::Level::WARN) => ("\x1b[33m", "\x1b[0m"),
            (true, _) | (false, _) => ("", ""),
        };
        // Words of a peer must not steer the terminal.
        let message = super::output::short(&fields.message, usize::MAX);
        write!(writer, "{time} {on}{level:>5}{off} {message}")?;
        for (name, value) in &fields.fields {
            // What the sentence says already is for machines.
            if !["event", "role"].contains(&name.as_str()) {
                write!(writer, "  {name}={}", super::output::short(&bare(value), 200))?;
            }
        }
        writeln!(writer)
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
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
