//! Values of settings, and how each kind is read from a text and from TOML, and written again.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use crate::cli::values;

/// A value that fits its setting.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Bool(bool),
    Integer(u64),
    Factor(f64),
    Duration(Duration),
    /// In bytes.
    Size(u64),
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer { min: u64, max: u64 },
    /// A factor: a number with or without a fraction.
    Factor,
    /// A time with a unit: `5s`. Zero where that has a meaning.
    Duration { zero: bool },
    /// A size with a unit: `256MiB`. At least so many bytes.
    Size { min: u64 },
    /// Any text, or one that this check accepts.
    Text(fn(&str) -> Result<(), String>),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A jitter: a word or a fraction, which TOML may also write as a number.
    Jitter,
    /// How many a second: a whole number above 0, or the word `measured`.
    Rate,
    /// Several texts.
    List,
    /// Names with a text each.
    Map,
}

impl Kind {
    /// From texts as a flag gives them, one for each time it was given.
    pub(crate) fn parse_all(self, texts: &[String]) -> Result<Value, String> {
        match self {
            Self::List => Ok(Value::List(texts.to_vec())),
            Self::Map => {
                let mut map = BTreeMap::new();
                for text in texts {
                    let pair = values::handler(text)?;
                    if map.insert(pair.name.clone(), pair.command).is_some() {
                        return Err(format!("`{}` is given twice", pair.name));
                    }
                }
                Ok(Value::Map(map))
            }
            Self::Bool
            | Self::Integer { .. }
            | Self::Factor
            | Self::Duration { .. }
            | Self::Size { .. }
            | Self::Text(_)
            | Self::Choice(_)
            | Self::Jitter
            | Self::Rate => self.parse(texts.last().map_or("", String::as_str)),
        }
    }

    /// From one text, as the environment gives it: a list is separated by commas, a map by lines.
    pub(crate) fn parse(self, text: &str) -> Result<Value, String> {
        let parts = |separator| {
            let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect::<Vec<_>>()
        };
        match self {
            Self::Bool => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(format!("`{text}` is not true or false")),
            },
            Self::Integer { min, max } => match text.parse() {
                Ok(number) if (min..=max).contains(&number) => Ok(Value::Integer(number)),
                Ok(_) | Err(_) => {
                    Err(format!("`{text}` is not a whole number from {min} to {max}"))
                }
            },
            Self::Factor => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Factor(number)),
                Ok(_) | Err(_) => Err(format!("`{text}` is not a number")),
            },
            Self::Duration { zero: true } => values::duration(text).map(Value::Duration),
            Self::Duration { zero: false } => values::some_duration(text).map(Value::Duration),
            Self::Size { min } => values::size(text, min).map(Value::Size),
            Self::Text(check) => check(text).map(|()| Value::Text(text.to_owned())),
            Self::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::Choice(words) => {
                Err(format!("`{text}` is not one of {}{}", words.join(", "), meant(text, words)))
            }
            Self::Jitter => values::jitter(text).map(|_| Value::Text(text.to_owned())),
            Self::Rate => values::registration_rate(text).map(|_| Value::Text(text.to_owned())),
            Self::List => self.parse_all(&parts(',')),
            Self::Map => self.parse_all(&parts('\n')),
        }
    }

    /// From TOML, which knows numbers from strings. Times are strings with a unit and nothing else.
    pub(crate) fn read(self, value: &DeValue<'_>) -> Result<Value, String> {
        let wrong = || Err(format!("it has to be {}, not {}", self.form(), value.type_str()));
        match (self, value) {
            (Self::Bool, DeValue::Boolean(flag)) => Ok(Value::Bool(*flag)),
            (Self::Integer { .. } | Self::Rate, DeValue::Integer(number)) => {
                let decimal = i128::from_str_radix(number.as_str(), number.radix());
                self.parse(&decimal.map_or_else(|_| number.to_string(), |n| n.to_string()))
            }
            (Self::Factor | Self::Jitter, DeValue::Integer(number)) => self.parse(number.as_str()),
            (Self::Factor | Self::Jitter, DeValue::Float(number)) => self.parse(number.as_str()),
            (
                Self::Duration { .. }
                | Self::Size { .. }
                | Self::Text(_)
                | Self::Choice(_)
                | Self::Jitter
                | Self::Rate,
                DeValue::String(text),
            ) => self.parse(text),
            (Self::List, DeValue::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                match texts.collect::<Option<Vec<_>>>() {
                    Some(texts) => Ok(Value::List(texts)),
                    None => Err(format!("it has to be {}", self.form())),
                }
            }
            (Self::Map, DeValue::Table(items)) => {
                let mut map = BTreeMap::new();
                for (name, item) in items {
                    let Some(text) = item.get_ref().as_str() else {
                        return Err(format!("`{}` has to be a string", name.get_ref()));
                    };
                    let pair = values::handler(&format!("{}={text}", name.get_ref()))?;
                    map.insert(pair.name, pair.command);
                }
                Ok(Value::Map(map))
            }
            _ => wrong(),
        }
    }

    /// What it looks like in the file, for messages.
    pub(crate) fn form(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Integer { .. } => "a whole number",
            Self::Factor => "a number",
            Self::Duration { .. } => "a string with a unit, such as \"5s\" or \"1m30s\"",
            Self::Size { .. } => "a string with a unit, such as \"256MiB\"",
            Self::Text(_) | Self::Choice(_) => "a string",
            Self::Jitter => "a string or a fraction",
            Self::Rate => "a whole number or \"measured\"",
            Self::List => "an array of strings",
            Self::Map => "a table of strings",
        }
    }

    /// The placeholder of its flag's value.
    pub(crate) fn placeholder(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Integer { .. } => "N",
            Self::Factor => "FACTOR",
            Self::Duration { .. } => "DURATION",
            Self::Size { .. } => "SIZE",
            Self::Text(_) | Self::List => "TEXT",
            Self::Choice(_) => "WORD",
            Self::Jitter => "JITTER",
            Self::Rate => "RATE",
            Self::Map => "NAME=COMMAND",
        }
    }
}

impl Value {
    /// As the file writes it.
    pub(crate) fn toml(&self) -> String {
        match self {
            Self::Bool(flag) => flag.to_string(),
            Self::Integer(number) => number.to_string(),
            // Always with a fraction.
            Self::Factor(number) => format!("{number:?}"),
            Self::Duration(time) => quoted(&duration(*time)),
            Self::Size(bytes) => quoted(&values::bytes_text(*bytes)),
            Self::Text(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(map) if map.is_empty() => "{}".to_owned(),
            Self::Map(map) => {
                let pair = |(name, text): (&String, &String)| {
                    format!("{} = {}", quoted(name), quoted(text))
                };
                format!("{{ {} }}", map.iter().map(pair).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// As JSON; times and sizes as the texts the file has.
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Bool(flag) => (*flag).into(),
            Self::Integer(number) => (*number).into(),
            Self::Factor(number) => (*number).into(),
            Self::Duration(time) => duration(*time).into(),
            Self::Size(bytes) => values::bytes_text(*bytes).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => items.clone().into(),
            Self::Map(map) => serde_json::json!(map),
        }
    }
}

/// A time as settings write it: `1m30s`, `7d`.
pub(crate) fn duration(time: Duration) -> String {
    const UNITS: [(u128, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let mut left = time.as_nanos();
    let mut text = String::new();
    for (nanos, unit) in UNITS {
        if left >= nanos {
            text.push_str(&format!("{}{unit}", left / nanos));
            left %= nanos;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A TOML string. JSON's is one, but for a character that only TOML wants escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// `: did you mean …?` for a word that was mistyped.
pub(crate) fn meant(text: &str, words: &[&str]) -> String {
    nearest(text, words.iter().copied())
        .map(|word| format!(": did you mean `{word}`?"))
        .unwrap_or_default()
}

/// The candidate a mistyped text probably is.
pub(crate) fn nearest<'a>(
    text: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(text, candidate);
    let nearest = candidates.into_iter().min_by_key(|candidate| distance(candidate))?;
    let near = 1 + text.chars().count() / 5;
    (distance(nearest) <= near).then_some(nearest)
}

#[cfg(test)]
mod tests;
