//! What goes to stdout and what goes to stderr.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::Context;
use super::exit::Exit;
use super::global::{Format, look};
use crate::{Error, Result};

/// Prints a line of data. A reader that has gone away wants no more: that is no error.
pub(super) fn line(text: &str) -> Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints a line of a stream. Returns whether somebody still reads: a stream has no other end.
pub(super) fn streamed_line(text: &str) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(format!("{text}\n").as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::Output(error)),
    }
}

/// Prints data as it is.
pub(super) fn bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints data as one JSON value.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value)?)
}

/// Prints why something is where it is.
pub(super) fn explanation(explanation: &crate::Explanation, as_json: bool) -> Result<()> {
    if as_json {
        return json(explanation);
    }
    bytes(printable(&explanation.to_string()).as_bytes())
}

/// What a command prints as JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// One thing was asked for: one object, or nothing if it is not there.
    One,
    /// Any number of things was asked for: one array.
    List,
}

/// Prints what was asked for by name as JSON.
pub(super) fn named(values: &[impl Serialize], shape: Shape, context: Context) -> Result<()> {
    match shape {
        Shape::List if context.format == Format::Jsonl => values.iter().try_for_each(json),
        Shape::One => values.iter().try_for_each(json),
        Shape::List => json(&values),
    }
}

/// Prints a list in the format that was asked for. `table` is told whether all columns are wanted.
pub(super) fn list<T: Serialize>(
    context: Context,
    values: &[T],
    name: impl Fn(&T) -> String,
    table: impl FnOnce(bool) -> String,
) -> Result<()> {
    match context.format {
        Format::Table => line(&table(false)),
        Format::Wide => line(&table(true)),
        Format::Json => json(&values),
        Format::Jsonl => values.iter().try_for_each(json),
        Format::Name => values.iter().try_for_each(|value| line(&name(value))),
    }
}

/// Tells the user something that need not be known, unless nothing but data and errors is wanted.
pub(super) fn note(text: &str) {
    if !look().quiet {
        message(text);
    }
}

/// Tells the user that the command is not complete, in clap's own form.
pub(super) fn usage(text: &str) -> Exit {
    let error = clap::Error::raw(clap::error::ErrorKind::MissingRequiredArgument, text);
    let _ = error.print();
    message("");
    Exit::Usage
}

/// Tells the user something that is no data.
pub(super) fn message(text: &str) {
    if !super::logs::line(text) {
        // Without a stderr there is nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Puts text on the terminal as it is, at once.
pub(super) fn draw(text: &str) {
    // A terminal that is gone has no viewers.
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Tells the user what failed, and with which code the process ends.
pub(super) fn failed(error: &Error, as_json: bool) -> Exit {
    let (code, hint) = (error.code(), error.hint());
    if as_json {
        let reason = error.reason().map(moorline_link::Reason::name);
        let value = serde_json::json!({
            "code": code.to_string(), "error": error.to_string(), "reason": reason, "hint": hint,
        });
        message(&value.to_string());
    } else {
        let [red, bold, plain] =
            if look().color { ["\x1b[1;31m", "\x1b[1m", "\x1b[0m"] } else { [""; 3] };
        let hint = if hint.is_empty() {
            String::new()
        } else {
            format!("\n  {bold}hint:{plain} {}", printable(hint))
        };
        message(&format!("{red}error[{code}]:{plain} {}{hint}", printable(&error.to_string())));
    }
    Exit::from(error)
}

/// A table with aligned columns and two spaces between them.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head = line(&mut head.iter().copied());
    let rows = rows.iter().map(|row| line(&mut row.iter().map(String::as_str)));
    std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
}

/// Text of others for a terminal: without anything that steers it.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

/// The same, in one line of at most `max` characters.
pub(super) fn short(text: &str, max: usize) -> String {
    let text = printable(text).replace('\n', " ");
    if text.chars().count() <= max {
        return text;
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// How long ago something was, roughly: `3h`, `42s`.
pub(super) fn ago(then: SystemTime) -> String {
    roughly(SystemTime::now().duration_since(then).unwrap_or_default())
}

/// A duration in its largest unit: `3h`, `42s`, `250ms`.
pub(super) fn roughly(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
