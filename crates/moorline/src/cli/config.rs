//! `moorline config`: begin a configuration, check it, show it, and say what its times mean.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;

use super::exit::Exit;
use super::{Context, Outcome, logs, output};
use crate::config::{
    Config, Key, Level, Problem, Role, SETTINGS, Sources, Surroundings, Timing, examine, init,
    load, schema,
};
use crate::{Error, Result};

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Print a configuration file that names every setting, with its default.
    Init(InitArgs),
    /// Say everything that is wrong with the configuration, at once.
    Check,
    /// Print every setting and its value.
    Show(ShowArgs),
    /// Print what the times mean together: when a loss is noticed, when a worker is back.
    Timing,
    /// Print a JSON Schema of the configuration file.
    Schema,
}

#[derive(clap::Args, Debug)]
pub(super) struct InitArgs {
    /// Write it to this file, which must not exist, instead of stdout.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
pub(super) struct ShowArgs {
    /// Also print where each value came from.
    #[arg(long)]
    origin: bool,
}

/// Both: what a file may be for.
const ROLES: [Role; 2] = [Role::Worker, Role::Coordinator];

pub(super) fn run(command: Command, sources: &Sources, context: Context) -> Outcome {
    match command {
        Command::Init(args) => write_init(args),
        Command::Schema => {
            // For people and for editors: indented.
            output::line(&serde_json::to_string_pretty(&schema())?)?;
            Ok(Exit::Done)
        }
        Command::Check => check(sources, context),
        Command::Show(args) => show(&args, sources, context),
        Command::Timing => timing(sources, context),
    }
}

fn write_init(args: InitArgs) -> Outcome {
    let Some(path) = args.file else {
        output::bytes(init().as_bytes())?;
        return Ok(Exit::Done);
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(init().as_bytes()));
    written.map_err(|error| {
        let problem = format!("{} cannot be written: {error}", path.display());
        Error::refused_setting(crate::Code::CONFIG_FILE, "config init", problem)
    })?;
    output::message(&format!("wrote {}", path.display()));
    Ok(Exit::Done)
}

/// The roles that a configuration is about: those it says something of, or both.
fn concerned(config: &Config) -> Vec<Role> {
    let some: Vec<_> = ROLES.into_iter().filter(|&role| config.concerns(role)).collect();
    if some.is_empty() { vec![Role::Coordinator] } else { some }
}

fn check(sources: &Sources, context: Context) -> Outcome {
    // What the configuration allows is what is checked, not whether somebody says it again.
    let mut sources = sources.clone();
    for key in [Key::WorkerInsecure, Key::CoordinatorInsecure] {
        sources.flags.insert(key, Vec::new());
    }
    let (config, problems) = examine(&sources, &Surroundings::of_this_process(), concerned);
    let errors = problems.iter().filter(|problem| problem.level == Level::Error).count();
    if context.json {
        let problems: Vec<_> = problems.iter().map(Problem::json).collect();
        output::json(&serde_json::json!({
            "file": config.file().map(|file| file.display().to_string()),
            "ok": errors == 0,
            "problems": problems,
        }))?;
    } else {
        for problem in &problems {
            output::line(&output::printable(&problem.to_string()))?;
        }
        let what = config.file().map_or_else(
            || "no file; variables and defaults".to_owned(),
            |file| file.display().to_string(),
        );
        let (warnings, ok) = (problems.len() - errors, if errors == 0 { "ok" } else { "refused" });
        output::line(&format!("{what}: {ok}, {errors} errors, {warnings} warnings"))?;
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Config })
}

fn show(args: &ShowArgs, sources: &Sources, context: Context) -> Outcome {
    let (config, problems) = load(sources, &Surroundings::of_this_process());
    if let Some(exit) = refused(&problems, context) {
        return Ok(exit);
    }
    if context.json {
        let rows = SETTINGS.iter().map(|row| {
            let origin = config.origin(row.key);
            serde_json::json!({
                "setting": row.path,
                "value": config.get(row.key).map(crate::config::Value::json),
                "origin": origin.kind(),
                "where": origin.to_string(),
            })
        });
        output::json(&rows.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = SETTINGS
        .iter()
        .map(|row| {
            let words = || format!("({})", row.standard_words());
            let value = config.get(row.key).map_or_else(words, crate::config::Value::toml);
            let mut cells = vec![row.path.to_owned(), output::printable(&value)];
            if args.origin {
                cells.push(config.origin(row.key).to_string());
            }
            cells
        })
        .collect();
    let head: &[&str] =
        if args.origin { &["SETTING", "VALUE", "ORIGIN"] } else { &["SETTING", "VALUE"] };
    output::line(&output::table(head, &rows))?;
    Ok(Exit::Done)
}

fn timing(sources: &Sources, context: Context) -> Outcome {
    let (config, problems) = load(sources, &Surroundings::of_this_process());
    if let Some(exit) = refused(&problems, context) {
        return Ok(exit);
    }
    let Some(timing) = Timing::of(&config) else {
        // What keeps the machines from being made; a missing URL does not.
        let problems: Vec<_> = config
            .problems(&Timing::ROLES)
            .into_iter()
            .filter(|problem| problem.code != crate::Code::MISSING_SETTING)
            .collect();
        return Ok(refused(&problems, context).unwrap_or(Exit::Config));
    };
    if context.json {
        output::json(&timing.json())?;
    } else {
        output::line(&timing.text())?;
    }
    Ok(Exit::Done)
}

/// Tells the errors, if there are any, and how the process ends then.
fn refused(problems: &[Problem], context: Context) -> Option<Exit> {
    let errors: Vec<_> = problems.iter().filter(|problem| problem.level == Level::Error).collect();
    if errors.is_empty() {
        return None;
    }
    for problem in errors {
        output::message(&if context.json {
            problem.json().to_string()
        } else {
            output::printable(&problem.to_string())
        });
    }
    Some(Exit::Config)
}

/// A configuration with which a server may start. From here on its logs are written.
pub(super) struct Started {
    pub(super) config: Config,
    pub(super) sources: Sources,
    pub(super) logs: logs::Control,
}

/// Reads the configuration of a server; its errors are told, and end the process.
pub(super) fn start(role: Role, sources: Sources, context: Context) -> Result<Started, Exit> {
    let (config, problems) = examine(&sources, &Surroundings::of_this_process(), |_| vec![role]);
    if let Some(exit) = refused(&problems, context) {
        return Err(exit);
    }
    let logs = logs::start(&config);
    if let Some(file) = config.file() {
        tracing::info!(
            event = "config.read",
            role = role.name(),
            file = %file.display(),
            "Configuration read from {}",
            file.display()
        );
    }
    for problem in problems {
        tracing::warn!(
            event = "config.warning",
            role = role.name(),
            code = %problem.code,
            "{problem}"
        );
    }
    Ok(Started { config, sources, logs })
}
