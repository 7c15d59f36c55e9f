//! Reading: every key with its place, and everything that is wrong with a file at once.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ScenarioError;
use super::form::{Form, Key};
use super::kind::{Kind, article};
use super::latency;
use super::words::meant;
use crate::Workers;
use crate::plan::Latency;

/// Errors after which nobody reads on.
pub(super) const ERRORS_MAX: usize = 100;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct File<'t> {
    text: &'t str,
    pub(super) errors: Vec<ScenarioError>,
    /// The workers there are, once that is known.
    pub(super) workers: Option<Workers>,
    /// The numbers of the tasks there are, once that is known.
    pub(super) tasks: Option<std::collections::BTreeSet<usize>>,
}

impl<'t> File<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, errors: Vec::new(), workers: None, tasks: None }
    }

    /// The line of a place, from 1.
    fn line(&self, span: Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    pub(super) fn wrong(&mut self, span: Range<usize>, key: &str, what: &str, hint: &str) {
        if self.errors.len() < ERRORS_MAX {
            let line = self.line(span);
            self.errors.push(ScenarioError::new(line, key, what, hint));
        }
    }

    /// Whether everything that this value names is there.
    fn check_names(&mut self, kind: Kind, value: i128, span: Range<usize>, path: &str) {
        let one = |number: i128| Workers::one(usize::try_from(number).unwrap_or(usize::MAX));
        if matches!(kind, Kind::Task) {
            let task = usize::try_from(value).unwrap_or(usize::MAX);
            if self.tasks.as_ref().is_some_and(|tasks| !tasks.contains(&task)) {
                let what = format!("there is no task t{task}");
                self.wrong(span, path, &what, "Name one that is there, or add it as [[task]].");
            }
            return;
        }
        let named = if matches!(kind, Kind::Worker) {
            one(value)
        } else if matches!(kind, Kind::Node) && value > 0 {
            one(value - 1)
        } else if matches!(kind, Kind::Workers) {
            Workers::from_bits(u64::try_from(value).unwrap_or(0))
        } else {
            return;
        };
        let Some(there) = self.workers else { return };
        if named == Workers::ALL {
            return;
        }
        if let Some(missing) = named.iter().find(|worker| !there.contains(*worker)) {
            let what = format!("there is no worker w{missing}; there are {there}");
            let hint = "Name one that is there, or add it as [[worker]].";
            self.wrong(span, path, &what, hint);
        }
    }
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Reads<'f, 't> {
    pub(super) file: &'f mut File<'t>,
    /// What it is called, and the dot after it; empty for the whole file.
    path: String,
    span: Range<usize>,
    table: &'f DeTable<'t>,
    asked: Vec<&'static str>,
}

impl<'f, 't> Reads<'f, 't> {
    pub(super) fn new(
        file: &'f mut File<'t>,
        path: &str,
        span: Range<usize>,
        table: &'f DeTable<'t>,
    ) -> Self {
        let path = if path.is_empty() { String::new() } else { format!("{path}.") };
        Self { file, path, span, table, asked: Vec::new() }
    }

    /// What a key says, and where.
    pub(super) fn get(&mut self, name: &'static str) -> Option<&'f Spanned<DeValue<'t>>> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        self.table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
    }

    /// A table in it.
    pub(super) fn section(
        &mut self,
        name: &'static str,
    ) -> Option<(Range<usize>, &'f DeTable<'t>)> {
        let value = self.get(name)?;
        if let DeValue::Table(table) = value.get_ref() {
            return Some((value.span(), table));
        }
        let what = format!("it is {}, and has to be a table", article(value.get_ref()));
        let hint = format!("Write its keys below [{}{name}].", self.path);
        self.wrong(value.span(), name, &what, &hint);
        None
    }

    /// The tables of an array in it.
    pub(super) fn many(&mut self, name: &'static str) -> Vec<(Range<usize>, &'f DeTable<'t>)> {
        let Some(value) = self.get(name) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            let what = format!("it is {}, and there can be several", article(value.get_ref()));
            let hint = format!("Write each below [[{}{name}]].", self.path);
            self.wrong(value.span(), name, &what, &hint);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            if let DeValue::Table(table) = item.get_ref() {
                tables.push((item.span(), table));
                continue;
            }
            let what = format!("it is {}, and has to be a table", article(item.get_ref()));
            self.wrong(item.span(), name, &what, "Write its keys in braces.");
        }
        tables
    }

    /// Something is wrong with a key of it; with all of it if the key is empty.
    pub(super) fn wrong(&mut self, span: Range<usize>, key: &str, what: &str, hint: &str) {
        let path = format!("{}{key}", self.path);
        self.file.wrong(span, path.trim_end_matches('.'), what, hint);
    }

    /// Something is wrong with it as a whole, or with a key of it where that is given.
    pub(super) fn wrong_at(&mut self, key: &str, what: &str, hint: &str) {
        let found = self.table.iter().find(|(name, _)| name.get_ref() == key);
        let span = found.map_or(self.span.clone(), |(name, _)| name.span());
        self.wrong(span, key, what, hint);
    }

    /// Every key was asked for: what else there is, is unknown.
    pub(super) fn finish(self) {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let path = format!("{}{name}", self.path);
            let what = format!("there is no such key{}", meant(name, self.asked.iter().copied()));
            let all = self.asked.join(", ");
            let hint = if all.is_empty() {
                String::from("Take it out.")
            } else {
                format!("The keys here are {all}.")
            };
            self.file.wrong(key.span(), &path, &what, &hint);
        }
    }
}

impl Form for Reads<'_, '_> {
    fn field(&mut self, key: Key, kind: Kind, value: Option<i128>) -> Option<i128> {
        let Some(said) = self.get(key.name) else {
            if key.needed {
                let what = "it is missing";
                self.wrong(self.span.clone(), key.name, what, &format!("Write {}.", kind.form()));
            }
            return key.unless.or(value);
        };
        match kind.read(said.get_ref()) {
            Ok(number) => {
                let path = format!("{}{}", self.path, key.name);
                self.file.check_names(kind, number, said.span(), &path);
                Some(number)
            }
            Err((what, hint)) => {
                self.wrong(said.span(), key.name, &what, &hint);
                key.unless.or(value)
            }
        }
    }

    fn latency(&mut self, key: Key, value: &mut Latency) {
        let Some(said) = self.get(key.name) else { return };
        let read = if let DeValue::Table(table) = said.get_ref() {
            let path = format!("{}{}", self.path, key.name);
            let before = self.file.errors.len();
            let mut inside = Reads::new(self.file, &path, said.span(), table);
            latency::fields(&mut inside, value);
            inside.finish();
            if self.file.errors.len() > before {
                return;
            }
            latency::checked(*value)
        } else if let Some(text) = said.get_ref().as_str() {
            latency::read_short(text).and_then(latency::checked)
        } else {
            let what =
                format!("it is {}, and has to be {}", article(said.get_ref()), latency::FORM);
            Err((what, format!("Write {}.", latency::FORM)))
        };
        match read {
            Ok(latency) => *value = latency,
            Err((what, hint)) => self.wrong(said.span(), key.name, &what, &hint),
        }
    }

    fn text(&mut self, key: Key, value: &mut String) {
        let Some(said) = self.get(key.name) else { return };
        if let Some(text) = said.get_ref().as_str() {
            *value = text.to_owned();
            return;
        }
        let what = format!("it is {}, and has to be a string", article(said.get_ref()));
        self.wrong(said.span(), key.name, &what, "Put it in double quotes.");
    }
}
