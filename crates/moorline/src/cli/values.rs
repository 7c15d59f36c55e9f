//! Values of flags: durations, sizes, jitter, handlers, places.

use std::num::NonZeroU32;
use std::time::Duration;

use moorline_link::{First, Jitter};

/// A duration such as `5s`, `1m30s` or `250ms`. A number without a unit is none.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write it as 5s, 1m30s or 250ms");
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(wrong());
    }
    // humantime also takes a bare zero.
    if !text.ends_with(|last: char| last.is_ascii_alphabetic()) {
        return Err(wrong());
    }
    humantime::parse_duration(text).map_err(|_| wrong())
}

/// The same, and not zero.
pub(crate) fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        some => Ok(some),
    }
}

/// A place that may be read by the coordinator: a URL, or HOST:PORT.
pub(super) fn place(text: &str) -> Result<String, String> {
    match crate::reach::is_place(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `full`, `none`, `equal`, `decorrelated`, or a fraction of the delay below 1 such as `0.2`.
pub(crate) fn jitter(text: &str) -> Result<Jitter, String> {
    match text {
        "full" => Ok(Jitter::FULL),
        "none" => Ok(Jitter::None),
        "equal" => Ok(Jitter::Equal),
        "decorrelated" => Ok(Jitter::Decorrelated),
        fraction => parts_per_million(fraction).map(|ppm| Jitter::Proportional { ppm }).ok_or_else(|| {
            format!("`{text}` is not full, none, equal, decorrelated or a fraction from 0 to below 1")
        }),
    }
}

/// The same, as it is written. The shortest delay of a full jitter of one's own has no word.
pub(crate) fn jitter_text(jitter: Jitter) -> String {
    match jitter {
        Jitter::Full { .. } => "full".to_owned(),
        Jitter::None => "none".to_owned(),
        Jitter::Equal => "equal".to_owned(),
        Jitter::Decorrelated => "decorrelated".to_owned(),
        Jitter::Proportional { ppm } => format!("{}", f64::from(ppm) / 1_000_000.0),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn parts_per_million(fraction: &str) -> Option<u32> {
    let scaled = (fraction.parse::<f64>().ok()? * 1_000_000.0).round();
    (0.0..1_000_000.0).contains(&scaled).then_some(scaled as u32)
}

/// `window`, `backoff` or `immediate`.
pub(crate) fn first(text: &str) -> Result<First, String> {
    match text {
        "window" => Ok(First::Window),
        "backoff" => Ok(First::Backoff),
        "immediate" => Ok(First::Immediate),
        _ => Err(format!("`{text}` is not window, backoff or immediate")),
    }
}

/// The same, as it is written.
pub(crate) fn first_text(first: First) -> &'static str {
    match first {
        First::Window => "window",
        First::Backoff => "backoff",
        First::Immediate => "immediate",
    }
}

/// How many registrations a second: a number above 0, or none for `measured`.
pub(crate) fn registration_rate(text: &str) -> Result<Option<NonZeroU32>, String> {
    match text {
        "measured" => Ok(None),
        number => number
            .parse()
            .map(Some)
            .map_err(|_| format!("`{text}` is not a whole number above 0, nor `measured`")),
    }
}

/// Units of size, the larger ones first.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// A size of at least `min` bytes, such as `256MiB`. A number without a unit is none.
pub(crate) fn size(text: &str, min: u64) -> Result<u64, String> {
    match bytes(text) {
        Some(size) if size >= min => Ok(size),
        Some(_) => Err(format!("`{text}` is less than {}", bytes_text(min))),
        None => Err(format!("`{text}` is not a size; write it as 256MiB, 2GiB or 500MB")),
    }
}

/// A whole number and its unit.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, one) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*one)
}

/// The same, as it is written.
pub(crate) fn bytes_text(bytes: u64) -> String {
    let largest = UNITS.iter().find(|(_, one)| bytes.is_multiple_of(*one));
    let (unit, one) = largest.copied().unwrap_or(("B", 1));
    format!("{}{unit}", bytes / one)
}

/// A handler: `NAME=COMMAND`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HandlerArg {
    pub(crate) name: String,
    pub(crate) command: String,
}

/// `NAME=COMMAND`.
pub(crate) fn handler(text: &str) -> Result<HandlerArg, String> {
    match text.split_once('=') {
        Some((name, command)) if !name.is_empty() && !command.trim().is_empty() => {
            Ok(HandlerArg { name: name.to_owned(), command: command.to_owned() })
        }
        Some(_) | None => {
            Err(format!("`{text}` is not a handler; write it as NAME='COMMAND ARGUMENTS'"))
        }
    }
}

#[cfg(test)]
mod tests;
