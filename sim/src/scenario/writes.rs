//! Writing: one key a line, each with a comment where it stands first.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::form::{Form, Key};
use super::kind::Kind;
use super::latency;
use crate::plan::Latency;

/// Where comments begin, if the line is short enough.
const COLUMN: usize = 36;

/// A file that is being written.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) out: String,
    /// What was explained before.
    said: BTreeSet<(String, &'static str)>,
    /// What the table is called in which keys are written.
    table: String,
    /// Keys are separated by commas, all in one line.
    inline: bool,
}

impl Writes {
    /// A table: `[name]`, or one more of an array: `[[name]]`.
    pub(super) fn table(&mut self, name: &str, of_many: bool) {
        self.table = name.to_owned();
        let head = if of_many { format!("\n[[{name}]]\n") } else { format!("\n[{name}]\n") };
        self.out.push_str(&head);
    }

    /// What is explained from here on is explained once for this.
    pub(super) fn topic(&mut self, topic: &str) {
        self.table = topic.to_owned();
    }

    /// A comment on lines of its own.
    pub(super) fn comment(&mut self, text: &str) {
        for line in text.lines() {
            let _ = writeln!(self.out, "{}", format!("# {line}").trim_end());
        }
    }

    /// Keys with their values on one line, separated by commas.
    pub(super) fn inline(fields: impl FnOnce(&mut Self)) -> String {
        let mut inside = Self { inline: true, ..Self::default() };
        fields(&mut inside);
        inside.out
    }

    /// An array of tables, one a line.
    pub(super) fn lines<T>(
        &mut self,
        name: &str,
        items: impl Iterator<Item = T>,
        fields: impl Fn(&mut Self, T),
    ) {
        let _ = writeln!(self.out, "{name} = [");
        for item in items {
            let inside = Self::inline(|form| fields(form, item));
            let _ = writeln!(self.out, "  {{ {inside} }},");
        }
        self.out.push_str("]\n");
    }

    /// A line, with what it is for where that was not said before.
    pub(super) fn line(&mut self, key: Key, value: &str) {
        if self.inline {
            let comma = if self.out.is_empty() { "" } else { ", " };
            let _ = write!(self.out, "{comma}{} = {value}", key.name);
            return;
        }
        let line = format!("{} = {value}", key.name);
        let is_new = self.said.insert((self.table.clone(), key.name));
        if is_new && !key.doc.is_empty() {
            let _ = writeln!(self.out, "{line:COLUMN$} # {}", key.doc);
        } else {
            let _ = writeln!(self.out, "{line}");
        }
    }
}

impl Form for Writes {
    fn field(&mut self, key: Key, kind: Kind, value: Option<i128>) -> Option<i128> {
        if let Some(value) = value
            && key.unless != Some(value)
        {
            self.line(key, &kind.show(value));
        }
        value
    }

    fn latency(&mut self, key: Key, value: &mut Latency) {
        let text = match latency::short(value) {
            Some(text) => text,
            None => {
                let inside = Self::inline(|form| latency::fields(form, value));
                format!("{{ {inside} }}")
            }
        };
        self.line(key, &text);
    }

    fn text(&mut self, key: Key, value: &mut String) {
        if !value.is_empty() {
            self.line(key, &quoted(value));
        }
    }
}

/// A TOML string of one line.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
