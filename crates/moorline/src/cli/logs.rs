//! Log lines on stderr: for people on a terminal, JSON with stable names elsewhere.

mod format;
mod queue;

use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Map;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::format::{Current, Shape};
use self::queue::Queue;

use super::global::look;
use crate::config::{Config, Given, Key, said_of_logs};

/// How log lines look: a value of `log.format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum LogFormat {
    /// Pretty on a terminal, json elsewhere; pretty for clients.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// Pairs of names and values; the names are those of json.
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// What the setting says; its kind knows the same words.
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "auto" => Self::Auto,
            "pretty" => Self::Pretty,
            "logfmt" => Self::Logfmt,
            "json" => Self::Json,
            _ => return None,
        })
    }
}

/// How a process logs that reads no configuration: by its flags and its environment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogSettings {
    format: LogFormat,
    level: Option<&'static str>,
    /// A variable has a value that its setting does not take.
    misread: bool,
}

impl LogSettings {
    /// What these flags say, else the environment.
    pub(super) fn of(flags: &Given) -> Self {
        let (said, problems) = said_of_logs(flags);
        let text = |key| said.text(key).map(str::to_owned);
        Self {
            format: text(Key::LogFormat).and_then(|word| LogFormat::of(&word)).unwrap_or_default(),
            // Once a process, which needs it to its end.
            level: text(Key::LogLevel).map(|level| &*level.leak()),
            misread: !problems.is_empty(),
        }
    }

    fn complain(self) {
        if self.misread {
            tracing::warn!(
                event = "log.setting",
                "A variable of the log has a value that is none; `moorline config check` says which"
            );
        }
    }
}

/// What libraries say below a warning is not about workers.
const LIBRARIES: &str = "h2=warn,hyper=warn,hyper_util=warn,tonic=warn,tower=warn";
/// Before the process ends, its log has so long to leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where the lines of a server go.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Logs of a server that has no configuration: transitions and more.
pub(super) fn for_server(settings: LogSettings) {
    serve(settings.format, settings.level.unwrap_or("info"));
    settings.complain();
}

/// Logs of a server, by its configuration; they may change while it runs.
pub(super) fn start(config: &Config) -> Control {
    // Both were read by the kinds of their settings.
    let format = config.text(Key::LogFormat).and_then(LogFormat::of).unwrap_or_default();
    serve(format, config.text(Key::LogLevel).unwrap_or("info"))
}

/// Whoever logs waits for nobody (P23); see [`flush`].
fn serve(format: LogFormat, level: &str) -> Control {
    let shape = Current::new(shape(format, LogFormat::Auto));
    let in_use = shape.clone();
    let dropped = move |lines: u64| {
        let fields = Map::from_iter([
            ("event".into(), "log.dropped".into()),
            ("lines".into(), lines.into()),
        ]);
        let message = format!("{lines} log lines were dropped: nobody read them in time");
        in_use.get().line(Level::WARN, None, fields, &message)
    };
    match Queue::start(std::io::stderr(), dropped) {
        Ok(queue) => {
            let queue = QUEUE.get_or_init(|| queue).clone();
            let control = init(shape, level, queue);
            log_panics();
            control
        }
        // Rather lines that can be waited for than none.
        Err(_) => init(shape, level, std::io::stderr),
    }
}

/// Logs of a client: what it waits for.
pub(super) fn for_client(settings: LogSettings) {
    for_people(settings, if look().quiet { "error" } else { "warn" });
}

/// Logs of the demo and of benchmarks, which tell their own story: what goes wrong only.
pub(super) fn for_demo(settings: LogSettings) {
    for_people(settings, "error");
}

fn for_people(settings: LogSettings, standard: &str) {
    let shape = Current::new(shape(settings.format, LogFormat::Pretty));
    init(shape, settings.level.unwrap_or(standard), std::io::stderr);
    settings.complain();
}

/// Changes the logs of a running server.
#[derive(Clone)]
pub(super) struct Control {
    shape: Current,
    filter: Arc<dyn Fn(EnvFilter) -> bool + Send + Sync>,
}

impl Control {
    /// Takes the new value of a setting, if it is one of the logs'.
    pub(super) fn apply(&self, key: Key, config: &Config) {
        let Some(text) = config.text(key) else { return };
        if key == Key::LogFormat
            && let Some(format) = LogFormat::of(text)
        {
            self.shape.set(shape(format, LogFormat::Auto));
        }
        if key == Key::LogLevel
            && let Ok(filter) = EnvFilter::try_new(directives(text))
        {
            // Whoever has set a subscriber before us has decided.
            (self.filter)(filter);
        }
    }
}

/// Puts a line of another kind behind the log lines before it. `false` if this process has no such
/// queue.
pub(super) fn line(text: &str) -> bool {
    QUEUE.get().inspect(|queue| queue.push(format!("{text}\n").as_bytes())).is_some()
}

/// Lets the lines that are on their way leave, as far as somebody reads them.
pub(super) fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(FAREWELL);
    }
}

/// A level alone is about this software: libraries stay quiet.
fn directives(level: &str) -> String {
    if level.parse::<Level>().is_ok() { format!("{level},{LIBRARIES}") } else { level.to_owned() }
}

fn shape(format: LogFormat, auto: LogFormat) -> Shape {
    let terminal = std::io::stderr().is_terminal();
    let colour = look().color;
    match if format == LogFormat::Auto { auto } else { format } {
        LogFormat::Auto if terminal => Shape::Pretty { colour },
        LogFormat::Auto | LogFormat::Json => Shape::Json,
        LogFormat::Pretty => Shape::Pretty { colour },
        LogFormat::Logfmt => Shape::Logfmt,
    }
}

fn init<W>(shape: Current, level: &str, writer: W) -> Control
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let more = match look().verbose {
        0 => None,
        1 => Some("info,moorline=debug,moorline_driver=debug"),
        _ => Some("debug,moorline=trace,moorline_driver=trace"),
    };
    let level = more.unwrap_or(level);
    let builder = tracing_subscriber::fmt()
        .with_writer(writer)
        // A line that cannot be written would be complained about on stderr, in vain, by a panic:
        // whoever read the log may be gone, and the work goes on all the same.
        .log_internal_errors(false)
        .event_format(shape.clone())
        .with_env_filter(EnvFilter::new(directives(level)))
        .with_filter_reloading();
    let handle = builder.reload_handle();
    // Whoever has set a subscriber before has decided.
    let _ = builder.try_init();
    Control { shape, filter: Arc::new(move |filter| handle.reload(filter).is_ok()) }
}

/// A panic is a line of the log like any other, and what was said before it is not lost with it.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("?");
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("?");
        tracing::error!(
            event = "panic",
            thread,
            place,
            "Panic in thread {thread} at {place}: {what}"
        );
        flush();
    }));
}

#[cfg(test)]
mod tests;
