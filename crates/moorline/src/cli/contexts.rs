//! `moorline context`: names for coordinators, in a file of the user.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::output;
use super::server::ServerArgs;
use super::{Context, Outcome};
use crate::{Client, Code, Error, Result};

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Give the coordinator at --server a name, or a name another coordinator.
    Add(AddArgs),
    /// List contexts; the one in use is marked.
    List,
    /// Speak to the coordinator of this context from now on.
    Use(NameArgs),
    /// Show a context, by default the one in use.
    Show(ShowArgs),
    /// Remove a context.
    Remove(NameArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct AddArgs {
    /// Its name.
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args, Debug)]
pub(super) struct NameArgs {
    /// Its name.
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(clap::Args, Debug)]
pub(super) struct ShowArgs {
    /// Its name.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Letters, digits, `-`, `_` and `.`, at most 64.
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        return Err("a name has at most 64 letters, digits, `-`, `_` and `.`".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn run(command: Command, context: Context) -> Outcome {
    let path = path()?;
    let mut contexts = Contexts::read_from(&path)?;
    match command {
        Command::Add(args) => {
            let Some(server) = args.server.server() else {
                return Ok(output::usage("`moorline context add` needs --server URL"));
            };
            contexts.add(&args.name, server)?;
            contexts.write_to(&path)?;
        }
        Command::List => {
            let shown: Vec<_> = contexts.shown();
            let table = |_wide| {
                let mark = |shown: &Shown| if shown.current { "*" } else { "" }.to_owned();
                let row =
                    |shown: &Shown| vec![mark(shown), shown.name.clone(), shown.server.clone()];
                output::table(&["", "NAME", "SERVER"], &shown.iter().map(row).collect::<Vec<_>>())
            };
            output::list(context, &shown, |shown| shown.name.clone(), table)?;
        }
        Command::Use(args) => {
            contexts.get(&args.name)?;
            contexts.current = Some(args.name);
            contexts.write_to(&path)?;
        }
        Command::Show(args) => {
            let Some(name) = args.name.or_else(|| contexts.current.clone()) else {
                output::note("no context is in use");
                return Ok(Exit::NotFound);
            };
            contexts.get(&name)?;
            let shown = contexts.shown().into_iter().find(|shown| shown.name == name);
            let Some(shown) = shown else { return Ok(Exit::NotFound) };
            if context.json {
                output::json(&shown)?;
            } else {
                let in_use = if shown.current { "  (in use)" } else { "" };
                output::line(&format!("{}  {}{in_use}", shown.name, shown.server))?;
            }
        }
        Command::Remove(args) => {
            contexts.get(&args.name)?;
            contexts.servers.remove(&args.name);
            if contexts.current.as_ref() == Some(&args.name) {
                contexts.current = None;
            }
            contexts.write_to(&path)?;
        }
    }
    Ok(Exit::Done)
}

/// One context, as `list` and `show` print it.
#[derive(Serialize)]
struct Shown {
    name: String,
    server: String,
    current: bool,
}

/// The file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contexts {
    /// The one in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<String>,
    /// URLs of admin APIs, by name.
    #[serde(default, rename = "server")]
    servers: BTreeMap<String, String>,
}

impl Contexts {
    /// The user's; none without a file.
    pub(super) fn read() -> Result<Self> {
        // A user without a home has no contexts.
        path().map_or_else(|_| Ok(Self::default()), |path| Self::read_from(&path))
    }

    fn read_from(path: &Path) -> Result<Self> {
        let unusable = |problem: &dyn std::fmt::Display| Error::Command {
            code: Code::CONTEXT_FILE,
            detail: format!("{}: {problem}", path.display()),
        };
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|error| unusable(&error.message())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(unusable(&error)),
        }
    }

    /// Writes all of it or nothing, for the user's eyes only.
    fn write_to(&self, path: &Path) -> Result<()> {
        let unusable = |problem: &dyn std::fmt::Display| Error::Command {
            code: Code::CONTEXT_FILE,
            detail: format!("{}: {problem}", path.display()),
        };
        let text = toml::to_string(self).map_err(|error| unusable(&error))?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let write = || {
            std::fs::create_dir_all(directory)?;
            // Such a file is readable by its owner alone.
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)
        };
        write().map(drop).map_err(|error: std::io::Error| unusable(&error))
    }

    /// Adds one, or changes it. A URL that cannot be used is refused now, not at the next command.
    pub(super) fn add(&mut self, name: &str, server: &str) -> Result<()> {
        Client::new(server)?;
        self.servers.insert(name.to_owned(), server.to_owned());
        Ok(())
    }

    /// The server of a context.
    pub(super) fn get(&self, name: &str) -> Result<&str> {
        self.servers.get(name).map(String::as_str).ok_or_else(|| {
            let likeness = |known: &&String| (strsim::jaro_winkler(known, name) * 1e6) as u32;
            let nearest = self.servers.keys().max_by_key(likeness);
            let nearest = nearest.filter(|known| strsim::jaro_winkler(known, name) > 0.8);
            let tip = nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
            let detail = format!("there is no context `{name}`{tip}");
            Error::Command { code: Code::CONTEXT, detail }
        })
    }

    /// The server of the context in use, if one is.
    pub(super) fn current(&self) -> Result<Option<&str>> {
        self.current.as_deref().map(|name| self.get(name)).transpose()
    }

    fn shown(&self) -> Vec<Shown> {
        let shown = |(name, server): (&String, &String)| Shown {
            name: name.clone(),
            server: server.clone(),
            current: self.current.as_ref() == Some(name),
        };
        self.servers.iter().map(shown).collect()
    }
}

/// `$XDG_CONFIG_HOME/moorline/contexts.toml`, else below `~/.config`.
fn path() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let config = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let home = variable("HOME").filter(|path| path.is_absolute());
    let config = config.or_else(|| home.map(|home| home.join(".config")));
    config.map(|config| config.join("moorline/contexts.toml")).ok_or_else(|| Error::Command {
        code: Code::CONTEXT_FILE,
        detail: "neither XDG_CONFIG_HOME nor HOME is set: there is no place for it".to_owned(),
    })
}

#[cfg(test)]
mod tests;
