//! What is wrong with a configuration: where it came from, the numbers, and what to do.

use std::fmt;
use std::path::PathBuf;

use crate::Code;

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// A flag, without its dashes.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(String),
    /// A line of a file, counted from 1.
    File { path: PathBuf, line: usize },
    /// The preset of this name.
    Preset(String),
    /// Nobody said anything.
    Standard,
}

impl Origin {
    /// The line of a file; none for anything else.
    pub(crate) fn line(&self) -> usize {
        match self {
            Self::File { line, .. } => *line,
            Self::Flag(_) | Self::Variable(_) | Self::Preset(_) | Self::Standard => 0,
        }
    }

    /// One word for what it is.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Variable(_) => "environment",
            Self::File { .. } => "file",
            Self::Preset(_) => "preset",
            Self::Standard => "default",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::Standard => f.write_str("default"),
        }
    }
}

/// Whether a problem keeps a process from starting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// It does.
    Error,
    /// It does not, but somebody should know.
    Warning,
}

impl Level {
    /// As the messages begin.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    /// Its code.
    pub(crate) code: Code,
    /// How bad it is.
    pub(crate) level: Level,
    /// What it is about, and where that came from: `worker.name` and a line, or the line alone.
    pub(crate) at: Vec<(String, Origin)>,
    /// What is wrong, with the numbers.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) hint: String,
}

impl Problem {
    /// An error with the hint of its code.
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        let hint = code.hint().to_owned();
        Self { code, level: Level::Error, at: Vec::new(), text: text.into(), hint }
    }

    /// About this setting, or this other thing, which came from there.
    pub(crate) fn at(mut self, what: impl Into<String>, origin: Origin) -> Self {
        self.at.push((what.into(), origin));
        self
    }

    /// With another hint than the code's.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// Of this level.
    pub(crate) fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// As JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let at = self.at.iter().map(|(what, origin)| {
            serde_json::json!({"setting": what, "origin": origin.kind(), "where": origin.to_string()})
        });
        serde_json::json!({
            "code": self.code.to_string(),
            "level": self.level.name(),
            "error": self.text,
            "at": at.collect::<Vec<_>>(),
            "hint": self.hint,
        })
    }
}

impl fmt::Display for Problem {
    /// As it is printed: without a line's end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.level.name(), self.code, self.text)?;
        for (what, origin) in &self.at {
            if what.is_empty() {
                write!(f, "\n  at {origin}")?;
            } else {
                write!(f, "\n  at {what} ({origin})")?;
            }
        }
        write!(f, "\n  hint: {}", self.hint)
    }
}
