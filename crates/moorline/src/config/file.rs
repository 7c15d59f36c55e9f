//! The configuration file: TOML, read with the line of everything.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::Layer;
use super::problem::{Origin, Problem};
use super::table::SETTINGS;
use super::value::nearest;
use crate::Code;

/// The version of the file's form.
pub(super) const VERSION: &str = "1";

/// Reads what a file says; everything that is wrong with it is found at once.
pub(super) fn read(path: &Path, text: &str) -> (Layer, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading { path, text, layer: Layer::new(), problems: Vec::new() };
    for error in errors {
        let origin = reading.origin(error.span().unwrap_or(0..0));
        let problem = Problem::new(Code::CONFIG_SYNTAX, error.message());
        reading.problems.push(problem.at("", origin));
    }
    let table = table.into_inner();
    // What a broken file says of itself means nothing.
    if reading.problems.is_empty() {
        reading.version(&table);
        reading.section("", &table);
    }
    // The table is in the order of names; people read by lines.
    reading.problems.sort_by_key(|problem| problem.at.first().map(|(_, origin)| origin.line()));
    (reading.layer, reading.problems)
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    layer: Layer,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        Origin::File { path: self.path.to_owned(), line: 1 + before.matches('\n').count() }
    }

    /// `config_version` has to be there as soon as anything is.
    fn version(&mut self, table: &DeTable<'_>) {
        let found = table.iter().find(|(key, _)| key.get_ref() == "config_version");
        let problem = match found {
            None if table.is_empty() => return,
            None => Problem::new(Code::CONFIG_VERSION, "the file does not say its version")
                .at("config_version", self.origin(0..0)),
            Some((key, value)) => {
                let value = value.get_ref();
                let number = value.as_integer().map(ToString::to_string);
                if number.as_deref() == Some(VERSION) {
                    return;
                }
                let given = number.unwrap_or_else(|| value.type_str().to_owned());
                let text = format!("the file has version {given}; this moorline reads {VERSION}");
                Problem::new(Code::CONFIG_VERSION, text)
                    .at("config_version", self.origin(key.span()))
            }
        };
        self.problems.push(problem);
    }

    fn section(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            let origin = self.origin(name.span());
            if path == "config_version" {
                continue;
            }
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.path == path) {
                match setting.kind.read(value.get_ref()) {
                    Ok(value) => {
                        self.layer.insert(setting.key, (value, origin));
                    }
                    Err(text) => {
                        let problem = Problem::new(Code::SETTING, text).hint(setting.such_as());
                        self.problems.push(problem.at(path, origin));
                    }
                }
            } else if is_section(&path) {
                if let DeValue::Table(table) = value.get_ref() {
                    self.section(&path, table);
                } else {
                    let text = format!("it is a section, not {}", value.get_ref().type_str());
                    let hint = format!("Write its settings below [{path}].");
                    let problem = Problem::new(Code::SETTING, text).hint(hint);
                    self.problems.push(problem.at(path, origin));
                }
            } else {
                let text = format!("there is no setting `{path}`{}", suggestion(&path));
                let problem = Problem::new(Code::UNKNOWN_SETTING, text);
                self.problems.push(problem.at(path, origin));
            }
        }
    }
}

fn is_section(path: &str) -> bool {
    let inside =
        |setting: &str| setting.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    SETTINGS.iter().any(|setting| inside(setting.path))
}

/// `: did you mean …?`: a setting of this name in another section, or one with nearly this path.
fn suggestion(path: &str) -> String {
    let sections = SETTINGS.iter().flat_map(|setting| {
        let path = setting.path;
        path.match_indices('.').map(move |(end, _)| &path[..end])
    });
    let paths = SETTINGS.iter().map(|setting| setting.path);
    let name = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = || {
        let mut same = SETTINGS.iter().filter(|setting| setting.section().1 == name);
        // Only one that cannot be mistaken.
        same.next().filter(|_| same.next().is_none()).map(|setting| setting.path)
    };
    nearest(path, paths.chain(sections).chain(["config_version"]))
        .or_else(elsewhere)
        .map(|path| format!(": did you mean `{path}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
