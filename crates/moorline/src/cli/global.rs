//! Options that every command takes, wherever they stand on the line.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use clap::{ArgAction, ValueEnum};

use super::Context;
use super::logs::LogSettings;
use super::values::some_duration;
use crate::config::{GlobalFlags, Sources};

#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(super) struct GlobalArgs {
    /// The coordinator's admin API [default: $MOORLINE_SERVER, else that of the context in use, else
    /// http://127.0.0.1:8741].
    #[arg(short, long, global = true, value_name = "URL")]
    pub(super) server: Option<String>,

    /// The coordinator of this context, see `moorline context`.
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "server")]
    pub(super) context: Option<String>,

    /// How long to try while the coordinator is away, and how long to wait where a command waits
    /// [default: 10s; without limit for what it waits for].
    #[arg(long, global = true, value_name = "DURATION", value_parser = some_duration)]
    pub(super) timeout: Option<Duration>,

    /// How data is printed: table, wide (all columns), json (a list as one array, a thing as one
    /// object), jsonl (an object a line), name (names or ids alone).
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    #[arg(default_value_t = Format::Table, hide_possible_values = true, hide_default_value = true)]
    pub(super) output: Format,

    /// Print data as JSON: the same as --output json.
    #[arg(long, global = true, conflicts_with = "output")]
    pub(super) json: bool,

    /// Whether messages are coloured: auto, always or never. NO_COLOR is heeded by auto.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(super) color: ColorWhen,

    /// Ask nothing: what would be asked is refused.
    #[arg(long, global = true)]
    pub(super) no_input: bool,

    /// Take yes for an answer to everything that would be asked.
    #[arg(short, long, global = true)]
    pub(super) yes: bool,

    /// Log more; twice for still more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// Say nothing but data and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    #[command(flatten)]
    pub(super) settings: GlobalFlags,

    /// The configuration file [default: $MOORLINE_CONFIG, else moorline.toml in the working directory,
    /// else /etc/moorline/moorline.toml].
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// How data is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For people with wide terminals.
    Wide,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Jsonl,
    /// Names or ids, for other commands.
    Name,
}

/// Whether messages are coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also elsewhere.
    Always,
    /// Nowhere.
    Never,
}

impl GlobalArgs {
    /// What commands need to know of it.
    pub(super) fn context(&self) -> Context {
        let format = if self.json { Format::Json } else { self.output };
        Context {
            json: matches!(format, Format::Json | Format::Jsonl),
            format,
            log: LogSettings::of(&self.settings.0),
            yes: self.yes,
            no_input: self.no_input,
        }
    }

    /// Where settings come from.
    pub(super) fn sources(&self) -> Sources {
        Sources { file: self.config.clone(), flags: self.settings.0.clone() }
    }

    /// How this process looks to whoever started it.
    pub(super) fn look(&self) -> Look {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
        let color = match self.color {
            ColorWhen::Auto => std::io::stderr().is_terminal() && !no_color,
            ColorWhen::Always => true,
            ColorWhen::Never => false,
        };
        Look { color, verbose: self.verbose, quiet: self.quiet }
    }
}

/// How a process looks to whoever started it: colours and how much it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Look {
    /// Messages on stderr are coloured.
    pub(super) color: bool,
    /// How often more was asked for.
    pub(super) verbose: u8,
    /// Nothing but data and errors.
    pub(super) quiet: bool,
}

/// There is one stderr, so there is one of these.
static LOOK: OnceLock<Look> = OnceLock::new();

/// Sets it, once, before anything is said.
pub(super) fn set_look(look: Look) {
    // Whoever was first has decided.
    let _ = LOOK.set(look);
}

/// How this process looks; plain, before that is known.
pub(super) fn look() -> Look {
    LOOK.get().copied().unwrap_or_default()
}
