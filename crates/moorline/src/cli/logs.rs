//! Log lines on stderr: for people on a terminal, JSON with stable names elsewhere.

mod format;
mod queue;

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Map;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::format::Shape;
use self::queue::Queue;

use super::global::look;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum LogFormat {
    /// Pretty on a terminal, json elsewhere.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// Pairs of names and values; the names are those of json.
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// How a process logs.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(super) struct LogArgs {
    /// How log lines on stderr look: pretty on a terminal and json elsewhere, or always one of them.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Auto)]
    #[arg(env = "MOORLINE_LOG_FORMAT", hide_env_values = true)]
    log_format: LogFormat,

    /// What a server logs: error, warn, info, debug, trace, or filter directives such as
    /// moorline_driver=debug,info [default: info].
    #[arg(long, global = true, value_name = "LEVEL", value_parser = level)]
    #[arg(env = "MOORLINE_LOG_LEVEL", hide_env_values = true)]
    log_level: Option<String>,

    /// What lasts, such as an outage, is summed up in a server's log this often.
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s")]
    #[arg(value_parser = super::values::some_duration)]
    #[arg(env = "MOORLINE_LOG_REPEAT_EVERY", hide_env_values = true)]
    log_repeat_every: Duration,
}

/// The same, in a form that goes along with every command.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogSettings {
    format: LogFormat,
    level: Option<&'static str>,
    /// What lasts is summed up this often.
    pub(super) repeat_every: Duration,
}

impl From<LogArgs> for LogSettings {
    fn from(args: LogArgs) -> Self {
        let LogArgs { log_format: format, log_level, log_repeat_every: repeat_every } = args;
        // Once a process, which needs it to its end.
        Self { format, level: log_level.map(|level| &*level.leak()), repeat_every }
    }
}

fn level(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(directives(text)) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The variable with filter directives, such as `debug` or `moorline_driver=trace,info`.
const FILTER: &str = "MOORLINE_LOG";
/// What libraries say below a warning is not about workers.
const LIBRARIES: &str = "h2=warn,hyper=warn,hyper_util=warn,tonic=warn,tower=warn";
/// Before the process ends, its log has so long to leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where the lines of a server go.
static QUEUE: OnceLock<Queue> = OnceLock::new();
/// Replaces the filter.
static RELOAD: OnceLock<Reload> = OnceLock::new();

type Reload = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// Logs of a server: transitions and more. Whoever logs waits for nobody (P23); see [`flush`].
pub(super) fn for_server(settings: LogSettings) {
    let shape = shape(settings.format, LogFormat::Auto);
    let dropped = move |lines: u64| {
        let fields = Map::from_iter([
            ("event".into(), "log.dropped".into()),
            ("lines".into(), lines.into()),
        ]);
        let message = format!("{lines} log lines were dropped: nobody read them in time");
        shape.line(Level::WARN, None, fields, &message)
    };
    let standard = directives(settings.level.unwrap_or("info"));
    match Queue::start(std::io::stderr(), dropped) {
        Ok(queue) => {
            let queue = QUEUE.get_or_init(|| queue).clone();
            init(shape, &standard, queue);
            log_panics();
        }
        // Rather lines that can be waited for than none.
        Err(_) => init(shape, &standard, std::io::stderr),
    }
}

/// Logs of a client: what it waits for.
pub(super) fn for_client(settings: LogSettings) {
    let standard = if look().quiet { "error" } else { "warn" };
    init(shape(settings.format, LogFormat::Pretty), standard, std::io::stderr);
}

/// Logs of the demo and of benchmarks, which tell their own story: what goes wrong only.
pub(super) fn for_demo(settings: LogSettings) {
    init(shape(settings.format, LogFormat::Pretty), "error", std::io::stderr);
}

/// From now on lines of this level and above are written, or those that directives such as
/// `moorline_driver=debug,info` choose. Returns whether that was understood and done.
#[allow(dead_code, reason = "for a configuration that is read again")]
pub(super) fn set_level(level: &str) -> bool {
    let filter = EnvFilter::try_new(directives(level)).ok();
    filter.zip(RELOAD.get()).is_some_and(|(filter, reload)| reload(filter))
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

fn init<W>(shape: Shape, standard: &str, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let given = std::env::var(FILTER).ok().filter(|text| !text.is_empty());
    let filter = given.as_deref().and_then(|text| EnvFilter::try_new(text).ok());
    let misread = given.is_some() && filter.is_none();
    let more = match look().verbose {
        0 => None,
        1 => Some("info,moorline=debug,moorline_driver=debug"),
        _ => Some("debug,moorline=trace,moorline_driver=trace"),
    };
    let standard = more.unwrap_or(standard);
    let builder = tracing_subscriber::fmt()
        .with_writer(writer)
        // A line that cannot be written would be complained about on stderr, in vain, by a panic:
        // whoever read the log may be gone, and the work goes on all the same.
        .log_internal_errors(false)
        .event_format(shape)
        .with_env_filter(filter.unwrap_or_else(|| EnvFilter::new(standard)))
        .with_filter_reloading();
    let handle = builder.reload_handle();
    // Whoever has set a subscriber before has decided.
    if builder.try_init().is_ok() {
        RELOAD.get_or_init(|| Box::new(move |filter| handle.reload(filter).is_ok()));
    }
    if misread {
        tracing::warn!(
            event = "log.filter",
            "{FILTER} is not a log filter; the standard one is used"
        );
    }
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
