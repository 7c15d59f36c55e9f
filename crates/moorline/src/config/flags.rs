//! Flags, made from the table for each role.

use std::collections::{BTreeMap, BTreeSet};

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::Layer;
use super::problem::{Origin, Problem};
use super::setting::{Flag, Role, Setting, Standard};
use super::table::{Key, SETTINGS};
use super::value::Kind;
use crate::Code;

/// What was given by flags: every text of each.
pub(crate) type Given = BTreeMap<Key, Vec<String>>;

/// The flags of a worker that settings have.
#[derive(Clone, Default, Debug)]
pub(crate) struct WorkerFlags(pub(crate) Given);

/// The flags of a coordinator that settings have.
#[derive(Clone, Default, Debug)]
pub(crate) struct CoordinatorFlags(pub(crate) Given);

/// The flags of every command that settings have.
#[derive(Clone, Default, Debug)]
pub(crate) struct GlobalFlags(pub(crate) Given);

macro_rules! flags_of {
    ($name:ident, $role:expr) => {
        impl clap::FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(given($role, matches)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                self.0.extend(given($role, matches));
                Ok(())
            }
        }

        impl clap::Args for $name {
            fn augment_args(command: Command) -> Command {
                augment($role, command)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment($role, command)
            }
        }
    };
}

flags_of!(WorkerFlags, Some(Role::Worker));
flags_of!(CoordinatorFlags, Some(Role::Coordinator));
flags_of!(GlobalFlags, None);

/// The settings of this role alone that have a flag; those of every role have a global one.
fn rows(role: Option<Role>) -> impl Iterator<Item = (&'static Setting, Flag)> {
    let own = SETTINGS.iter().filter(move |row| row.role() == role);
    own.filter_map(|row| row.flag.map(|flag| (row, flag)))
}

fn augment(role: Option<Role>, command: Command) -> Command {
    let command = rows(role).fold(command, |command, (row, flag)| command.arg(arg(row, flag)));
    match role {
        Some(Role::Worker) => command.mut_arg(Key::ReconnectEnabled.path(), |arg| {
            arg.conflicts_with(Key::MaxAttempts.path())
        }),
        Some(Role::Coordinator) | None => command,
    }
}

fn arg(row: &'static Setting, flag: Flag) -> Arg {
    let arg = Arg::new(row.path).long(flag.long).aliases(flag.aliases);
    let arg = if row.role().is_none() {
        arg.global(true).help_heading("Global options")
    } else if is_of_connections(row) {
        arg.help_heading("Connection")
    } else {
        arg
    };
    if flag.negates {
        return arg.action(ArgAction::SetTrue).help("End at the first loss or failed dial");
    }
    if flag.asserts {
        return arg.action(ArgAction::SetTrue).help(row.doc.trim_end_matches('.'));
    }
    if flag.confirms {
        let help = format!("Do without TLS what {} = true allows", row.path);
        return arg.action(ArgAction::SetTrue).help(help);
    }
    let many = matches!(row.kind, Kind::List | Kind::Map);
    let standard = match row.standard {
        Standard::Is(text) | Standard::Unset { words: text, .. } => text,
    };
    let doc = row.doc.trim_end_matches('.');
    let kind = row.kind;
    arg.action(if many { ArgAction::Append } else { ArgAction::Set })
        .value_name(flag.placeholder.unwrap_or(row.kind.placeholder()))
        .help(format!("{doc} [default: {standard}]"))
        // Texts are kept as they were given: the configuration reads them with everything else.
        .value_parser(ValueParser::new(move |text: &str| {
            kind.parse_all(&[text.to_owned()]).map(|_| text.to_owned())
        }))
}

fn is_of_connections(row: &Setting) -> bool {
    let sections = ["worker.heartbeat", "worker.reconnect", "worker.tls", "coordinator.tls"];
    let of_worker = [Key::Transport, Key::Proxy, Key::WorkerInsecure, Key::CoordinatorInsecure];
    sections.contains(&row.section().0) || of_worker.contains(&row.key)
}

/// What was given on the command line.
fn given(role: Option<Role>, matches: &ArgMatches) -> Given {
    rows(role)
        .filter(|(row, _)| matches.value_source(row.path) == Some(ValueSource::CommandLine))
        .map(|(row, flag)| {
            let texts = if flag.negates {
                vec![false.to_string()]
            } else if flag.confirms || flag.asserts {
                vec![true.to_string()]
            } else {
                matches.get_many::<String>(row.path).into_iter().flatten().cloned().collect()
            };
            (row.key, texts)
        })
        .collect()
}

/// The settings that were confirmed: what they say holds.
pub(super) fn confirmed(given: &Given) -> BTreeSet<Key> {
    let confirms = |key: &&Key| key.setting().flag.is_some_and(|flag| flag.confirms);
    given.keys().filter(confirms).copied().collect()
}

/// Reads what was given.
pub(super) fn read(given: &Given) -> (Layer, Vec<Problem>) {
    let (mut layer, mut problems) = (Layer::new(), Vec::new());
    for (&key, texts) in given {
        let row = key.setting();
        let Some(flag) = row.flag.filter(|flag| !flag.confirms) else { continue };
        let origin = Origin::Flag(flag.long);
        match row.kind.parse_all(texts) {
            Ok(value) => {
                layer.insert(key, (value, origin));
            }
            Err(text) => problems.push(Problem::new(Code::SETTING, text).at(row.path, origin)),
        }
    }
    (layer, problems)
}
