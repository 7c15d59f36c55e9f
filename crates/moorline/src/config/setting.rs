//! What a row of the table of settings says.

use super::table::Key;
use super::value::{Kind, Value};

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Its name in code.
    pub(crate) key: Key,
    /// Its path in the file.
    pub(crate) path: &'static str,
    /// What values it takes.
    pub(crate) kind: Kind,
    /// What holds when nobody says anything.
    pub(crate) standard: Standard,
    /// What it is for, in one sentence.
    pub(crate) doc: &'static str,
    /// Its flag, if it has one.
    pub(crate) flag: Option<Flag>,
    /// Whether a running server takes a new value.
    pub(crate) reloadable: bool,
}

/// The value of a setting that nobody has given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standard {
    /// This one, as the environment would give it.
    Is(&'static str),
    /// None: what happens then, and an example of a value.
    Unset { words: &'static str, example: &'static str },
}

/// The flag of a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    /// Its name, without the dashes.
    pub(crate) long: &'static str,
    /// Other names it has.
    pub(crate) aliases: &'static [&'static str],
    /// What its value is called in the help, where the kind does not say it.
    pub(crate) placeholder: Option<&'static str>,
    /// It takes no value and means `true`.
    pub(crate) asserts: bool,
    /// It takes no value and means `false`.
    pub(crate) negates: bool,
    /// It takes no value and is none: what is set elsewhere holds only if this is given too.
    pub(crate) confirms: bool,
}

/// Which process a setting is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Role {
    Worker,
    Coordinator,
}

impl Role {
    /// As the file, the commands and the logs call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Coordinator => "coordinator",
        }
    }
}

impl Setting {
    /// A setting without a flag, which takes a restart to change.
    pub(super) const fn new(
        key: Key,
        path: &'static str,
        kind: Kind,
        standard: Standard,
        doc: &'static str,
    ) -> Self {
        Self { key, path, kind, standard, doc, flag: None, reloadable: false }
    }

    /// It has this flag.
    pub(super) const fn flag(self, long: &'static str) -> Self {
        let flag = Flag {
            long,
            aliases: &[],
            placeholder: None,
            asserts: false,
            negates: false,
            confirms: false,
        };
        Self { flag: Some(flag), ..self }
    }

    /// Its flag has these other names.
    pub(super) const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        match self.flag {
            Some(flag) => Self { flag: Some(Flag { aliases, ..flag }), ..self },
            None => self,
        }
    }

    /// Its flag's value is called so.
    pub(super) const fn named(self, placeholder: &'static str) -> Self {
        match self.flag {
            Some(flag) => {
                Self { flag: Some(Flag { placeholder: Some(placeholder), ..flag }), ..self }
            }
            None => self,
        }
    }

    /// Its flag takes no value and means `true`.
    pub(super) const fn asserts(self) -> Self {
        match self.flag {
            Some(flag) => Self { flag: Some(Flag { asserts: true, ..flag }), ..self },
            None => self,
        }
    }

    /// Its flag takes no value and means `false`.
    pub(super) const fn negates(self) -> Self {
        match self.flag {
            Some(flag) => Self { flag: Some(Flag { negates: true, ..flag }), ..self },
            None => self,
        }
    }

    /// What is set elsewhere holds only if its flag is given too.
    pub(super) const fn confirms(self) -> Self {
        match self.flag {
            Some(flag) => Self { flag: Some(Flag { confirms: true, ..flag }), ..self },
            None => self,
        }
    }

    /// A running server takes a new value.
    pub(super) const fn reloadable(self) -> Self {
        Self { reloadable: true, ..self }
    }

    /// The process it is for; `None` for both.
    pub(crate) fn role(&self) -> Option<Role> {
        let first = self.path.split('.').next();
        [
            ("worker", Role::Worker),
            ("coordinator", Role::Coordinator),
            ("metrics", Role::Coordinator),
        ]
        .into_iter()
        .find_map(|(section, role)| (first == Some(section)).then_some(role))
    }

    /// Whether a process of this role reads it.
    pub(crate) fn is_for(&self, role: Role) -> bool {
        self.role().is_none_or(|own| own == role)
    }

    /// Its variable: `MOORLINE_` and its path in capitals.
    pub(crate) fn variable(&self) -> String {
        format!("MOORLINE_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// The section it is in, and its name there.
    pub(crate) fn section(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }

    /// The standard value.
    pub(crate) fn standard_value(&self) -> Option<Value> {
        match self.standard {
            // Every standard value fits its kind: a test reads them all.
            Standard::Is(text) => self.kind.parse(text).ok(),
            Standard::Unset { .. } => None,
        }
    }

    /// A value for an example: the standard one, if there is one.
    pub(crate) fn example(&self) -> Option<Value> {
        match self.standard {
            Standard::Is(text) | Standard::Unset { example: text, .. } => {
                self.kind.parse(text).ok()
            }
        }
    }

    /// What to write, as a hint.
    pub(crate) fn such_as(&self) -> String {
        let example = self.example().map(|value| value.toml()).unwrap_or_default();
        format!("Write it as {}, such as {} = {example}.", self.kind.form(), self.section().1)
    }

    /// What holds without a value, in words.
    pub(crate) fn standard_words(&self) -> &'static str {
        match self.standard {
            Standard::Is(text) => text,
            Standard::Unset { words, .. } => words,
        }
    }
}
