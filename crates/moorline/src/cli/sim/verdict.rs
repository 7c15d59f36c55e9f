//! What a run came to, for people and for programs.

use moorline_sim::{Failure, Report};
use serde_json::{Value, json};

use crate::cli::exit::Exit;

/// Nanoseconds as `12.345 s`.
pub(super) fn seconds(nanos: u64) -> String {
    format!("{}.{:03} s", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000_000)
}

/// How a process ends that found this.
pub(super) fn exit(failure: &Failure) -> Exit {
    Exit::of_class(failure.violation.class())
}

/// `3 dials`, `1 dial`.
pub(super) fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// Thousandths as `26.6 %`.
pub(super) fn percent(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// A run in which every promise was kept, in a few lines.
pub(super) fn kept(name: &str, report: &Report) -> String {
    let ended = match report.crashes {
        1 => "1 process ended".to_owned(),
        many => format!("{many} processes ended"),
    };
    format!(
        "{name} keeps every promise\n\
         {} in its world: {}, {}, {} in {}, {}, {}\n\
         back after {} of the time allowed, everything ended after {}\n\
         hash {:016x}",
        seconds(report.lasted),
        count(report.events, "event"),
        count(report.packets, "packet"),
        count(report.tasks, "task"),
        count(report.attempts, "attempt"),
        count(report.dials, "dial"),
        ended,
        percent(report.back),
        percent(report.ended),
        report.hash,
    )
}

/// A run in which a promise was broken, in two lines.
pub(super) fn broken(name: &str, failure: &Failure) -> String {
    let violation = &failure.violation;
    format!("{name} breaks {} after {}\n{violation}", violation.invariant, seconds(failure.at),)
}

/// A run as JSON.
pub(super) fn report(report: &Report) -> Value {
    json!({
        "result": "pass",
        "seed": report.seed,
        "hash": format!("{:016x}", report.hash),
        "events": report.events,
        "packets": report.packets,
        "lasted_nanos": report.lasted,
        "tasks": report.tasks,
        "attempts": report.attempts,
        "dials": report.dials,
        "crashes": report.crashes,
        "back_thousandths": report.back,
        "ended_thousandths": report.ended,
        "seen": report.seen.counts().into_iter().filter(|(_, times)| *times > 0)
            .map(|(name, times)| (name.to_owned(), times.into()))
            .collect::<serde_json::Map<String, Value>>(),
    })
}

/// A failure as JSON.
pub(super) fn failure(failure: &Failure, replay: &str) -> Value {
    let violation = &failure.violation;
    json!({
        "result": "fail",
        "seed": failure.seed,
        "at_nanos": failure.at,
        "invariant": violation.invariant.id(),
        "rule": format!("{:?}", violation.rule),
        "meaning": violation.invariant.meaning(),
        "words": violation.words,
        "exit": exit(failure) as u8,
        "replay": replay,
    })
}
