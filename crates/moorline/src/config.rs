//! The configuration: one table of settings feeds the file, the environment, the flags, the commands
//! that show them, and the documentation.
//!
//! A flag goes before the environment, the environment before the file, the file before the preset,
//! the preset before what is built in. Values are read once, each by its kind; the builders of the
//! library then parse what belongs together, and [`rules`] compares what no single machine sees.

mod checks;
#[cfg(test)]
mod document;
mod environment;
mod file;
mod flags;
pub(crate) mod fuzzing;
mod init;
mod preset;
mod problem;
mod reload;
mod roles;
mod rules;
mod schema;
mod setting;
mod table;
mod timing;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use flags::{CoordinatorFlags, Given, GlobalFlags, WorkerFlags};
pub(crate) use init::init;
pub(crate) use problem::{Level, Origin, Problem};
pub(crate) use reload::{Reloaded, Reloader};
pub(crate) use schema::schema;
pub(crate) use setting::Role;
pub(crate) use table::{Key, SETTINGS};
pub(crate) use timing::Timing;
#[cfg(test)]
pub(crate) use value::Kind;
pub(crate) use value::Value;

use crate::Code;

/// What one source says.
type Layer = BTreeMap<Key, (Value, Origin)>;

/// The file that is read when nobody names one, if it is there.
const LOCAL_FILE: &str = "moorline.toml";
/// The file of the machine, read when there is no other.
const SYSTEM_FILE: &str = "/etc/moorline/moorline.toml";
/// The variable that names the file.
const FILE_VARIABLE: &str = "MOORLINE_CONFIG";

/// Where values come from besides the table: read again at every reload.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sources {
    /// The flags of this process.
    pub(crate) flags: Given,
    /// The file named by `--config`.
    pub(crate) file: Option<PathBuf>,
}

/// The world the sources are read in: this process's, or a test's.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    variables: Vec<(String, String)>,
    local: PathBuf,
    system: PathBuf,
}

impl Surroundings {
    /// Those of this process. A variable that is no text is one of ours by no means.
    pub(crate) fn of_this_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.into_string().ok()?;
            // What cannot be read is reported by the kind of its setting.
            Some((name, value.to_string_lossy().into_owned()))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            local: LOCAL_FILE.into(),
            system: SYSTEM_FILE.into(),
        }
    }

    /// Without variables and without a file.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        Self { variables: Vec::new(), local: "/nowhere/a".into(), system: "/nowhere/b".into() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(own, text)| own == name && !text.is_empty());
        found.map(|(_, text)| text.as_str())
    }
}

/// Every setting's value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    layer: Layer,
    file: Option<PathBuf>,
    /// Settings whose flag was given, where what they say needs that.
    confirmed: BTreeSet<Key>,
}

/// Reads every source. What is wrong is found at once; what remains holds for the rest.
pub(crate) fn load(sources: &Sources, surroundings: &Surroundings) -> (Config, Vec<Problem>) {
    let mut problems = Vec::new();
    let (file, text) = match find(sources, surroundings) {
        Ok(found) => found,
        Err((path, error)) => {
            let text = format!("{} cannot be read: {error}", path.display());
            problems.push(Problem::new(Code::CONFIG_FILE, text));
            (None, String::new())
        }
    };
    let (in_file, wrong) = file::read(file.as_deref().unwrap_or(Path::new("")), &text);
    problems.extend(wrong);
    let (in_environment, wrong) = environment::read(&surroundings.variables);
    problems.extend(wrong);
    let (in_flags, wrong) = flags::read(&sources.flags);
    problems.extend(wrong);

    let mut given = in_file;
    given.extend(in_environment);
    given.extend(in_flags);
    let confirmed = flags::confirmed(&sources.flags);
    (Config { layer: layered(given), file, confirmed }, problems)
}

/// What was given, above the preset it names and what is built in.
fn layered(given: Layer) -> Layer {
    let mut layer: Layer = SETTINGS
        .iter()
        .filter_map(|row| Some((row.key, (row.standard_value()?, Origin::Standard))))
        .collect();
    if let Some((Value::Text(name), _)) = given.get(&Key::Preset) {
        let origin = || Origin::Preset(name.clone());
        layer.extend(
            preset::values_of(name).into_iter().map(|(key, value)| (key, (value, origin()))),
        );
    }
    layer.extend(given);
    layer
}

/// Reads every source and judges what came out for processes of the roles that `roles` chooses. What
/// is wrong with the file itself hides the rest: nothing is known of what it meant to say.
pub(crate) fn examine(
    sources: &Sources,
    surroundings: &Surroundings,
    roles: impl FnOnce(&Config) -> Vec<Role>,
) -> (Config, Vec<Problem>) {
    let (config, mut problems) = load(sources, surroundings);
    let unread = [Code::CONFIG_FILE, Code::CONFIG_SYNTAX, Code::CONFIG_VERSION];
    if !problems.iter().any(|problem| unread.contains(&problem.code)) {
        problems.extend(config.problems(&roles(&config)));
    }
    problems.sort_by_key(|problem| problem.level);
    (config, problems)
}

/// What flags and the environment say of the logs, for commands that run by no configuration.
pub(crate) fn said_of_logs(flags: &Given) -> (Config, Vec<Problem>) {
    let of_logs = |row: &&setting::Setting| row.role().is_none();
    let names: Vec<_> = SETTINGS.iter().filter(of_logs).map(setting::Setting::variable).collect();
    let mut variables = Surroundings::of_this_process().variables;
    variables.retain(|(name, _)| names.contains(name) || name == environment::LOG);
    let (mut layer, mut problems) = environment::read(&variables);
    let (in_flags, wrong) = flags::read(flags);
    layer.extend(in_flags);
    problems.extend(wrong);
    (Config { layer, file: None, confirmed: BTreeSet::new() }, problems)
}

/// The file and what is in it, if there is one. One that was named has to be there.
fn find(
    sources: &Sources,
    surroundings: &Surroundings,
) -> Result<(Option<PathBuf>, String), (PathBuf, io::Error)> {
    let named =
        sources.file.clone().or_else(|| surroundings.variable(FILE_VARIABLE).map(PathBuf::from));
    if let Some(path) = named {
        return match std::fs::read_to_string(&path) {
            Ok(text) => Ok((Some(path), text)),
            Err(error) => Err((path, error)),
        };
    }
    for path in [&surroundings.local, &surroundings.system] {
        match std::fs::read_to_string(path) {
            Ok(text) => return Ok((Some(path.clone()), text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err((path.clone(), error)),
        }
    }
    Ok((None, String::new()))
}

impl Config {
    /// The file that was read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A setting's value, if it has one.
    pub(crate) fn get(&self, key: Key) -> Option<&Value> {
        self.layer.get(&key).map(|(value, _)| value)
    }

    /// Where it came from.
    pub(crate) fn origin(&self, key: Key) -> Origin {
        self.layer.get(&key).map_or(Origin::Standard, |(_, origin)| origin.clone())
    }

    /// Whether somebody chose it: by a flag, a variable, the file or a preset.
    pub(crate) fn is_given(&self, key: Key) -> bool {
        self.origin(key) != Origin::Standard
    }

    /// Whether anything of this role was chosen.
    pub(crate) fn concerns(&self, role: Role) -> bool {
        let mut own = SETTINGS.iter().filter(|row| row.role() == Some(role));
        own.any(|row| self.is_given(row.key))
    }

    /// A text, if there is one.
    pub(crate) fn text(&self, key: Key) -> Option<&str> {
        match self.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A time, if there is one.
    pub(crate) fn time(&self, key: Key) -> Option<Duration> {
        match self.get(key) {
            Some(Value::Duration(time)) => Some(*time),
            _ => None,
        }
    }

    /// A time that has a standard value.
    pub(crate) fn duration(&self, key: Key) -> Duration {
        self.time(key).unwrap_or_default()
    }

    /// A time where zero means none.
    pub(crate) fn limit(&self, key: Key) -> Option<Duration> {
        self.time(key).filter(|time| !time.is_zero())
    }

    /// A whole number that has a standard value.
    pub(crate) fn integer(&self, key: Key) -> u64 {
        match self.get(key) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }

    /// A size in bytes that has a standard value.
    pub(crate) fn size(&self, key: Key) -> u64 {
        match self.get(key) {
            Some(Value::Size(bytes)) => *bytes,
            _ => 0,
        }
    }

    /// A factor that has a standard value.
    pub(crate) fn factor(&self, key: Key) -> f64 {
        match self.get(key) {
            Some(Value::Factor(number)) => *number,
            _ => 1.0,
        }
    }

    /// A flag that has a standard value.
    pub(crate) fn flag(&self, key: Key) -> bool {
        matches!(self.get(key), Some(Value::Bool(true)))
    }

    /// Whether this is set, and its flag confirms it.
    pub(crate) fn is_confirmed(&self, key: Key) -> bool {
        self.flag(key) && self.confirmed.contains(&key)
    }

    /// Texts; none without a value.
    pub(crate) fn list(&self, key: Key) -> &[String] {
        match self.get(key) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// Names with a text each; none without a value.
    pub(crate) fn map(&self, key: Key) -> impl Iterator<Item = (&str, &str)> {
        let map = match self.get(key) {
            Some(Value::Map(map)) => Some(map),
            _ => None,
        };
        map.into_iter().flatten().map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

#[cfg(test)]
mod tests;
