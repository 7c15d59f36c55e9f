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
    let (code, hint, cause) = (error.code(), error.hint(), error.cause());
    if as_json {
        let reason = error.reason().map(moorline_link::Reason::name);
        let value = serde_json::json!({
            "code": code.to_string(), "error": error.to_string(), "reason": reason,
            "cause": cause, "hint": hint,
        });
        message(&value.to_string());
    } else {
        message(&told(error, look().color));
    }
    Exit::from(error)
}

/// An error for people: what, why and what to do, each on a line of its own.
fn told(error: &Error, color: bool) -> String {
    let [red, bold, plain] = if color { ["\x1b[1;31m", "\x1b[1m", "\x1b[0m"] } else { [""; 3] };
    let line = |name: &str, text: &str| {
        let text = printable(text.trim_end()).replace('\n', "\n         ");
        format!("\n  {bold}{name}:{plain} {text}")
    };
    let (code, cause, whole) = (error.code(), error.cause(), error.to_string());
    let what = cause.as_deref().and_then(|cause| whole.strip_suffix(cause)?.strip_suffix(": "));
    let mut text = format!("{red}error[{code}]:{plain} {}", printable(what.unwrap_or(&whole)));
    if let (Some(cause), Some(_)) = (&cause, what) {
        text += &line("cause", cause);
    }
    if !error.hint().is_empty() {
        text += &line("hint", error.hint());
    }
    text
}

/// A table with aligned columns and two spaces between them, as wide as the terminal at most.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    table_within(head, rows, columns())
}

/// How many characters a line has: what COLUMNS says, else the terminal that stdout is. What goes
/// elsewhere has no width of its own.
fn columns() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    said.or_else(terminal_width).filter(|columns| *columns > 0)
}

#[cfg(unix)]
fn terminal_width() -> Option<usize> {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn terminal_width() -> Option<usize> {
    None
}

/// Makes columns narrower, the widest first, until a line has room. Never the first few: names and ids
/// are for the next command.
fn fit(widths: &mut [usize], whole: usize, room: usize) {
    const LEAST: usize = 5;
    loop {
        let spaces = 2 * widths.len().saturating_sub(1);
        if widths.iter().sum::<usize>() + spaces <= room {
            return;
        }
        let others = widths.iter_mut().skip(whole);
        // Of several the last one: what comes first matters more.
        let Some(widest) = others.max_by_key(|width| **width).filter(|width| **width > LEAST)
        else {
            return;
        };
        *widest -= 1;
    }
}

fn table_within(head: &[&str], rows: &[Vec<String>], room: Option<usize>) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    if let Some(room) = room {
        // A column without a head marks what the next one names.
        fit(&mut widths, 1 + head.iter().take_while(|cell| cell.is_empty()).count(), room);
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded =
            cells.zip(&widths).map(|(cell, &width)| format!("{:width$}", short(cell, width)));
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
