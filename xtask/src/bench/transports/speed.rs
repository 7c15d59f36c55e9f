//! Tasks, reliable messages alone, and bare messages: many in flight, and one at a time.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use super::super::peers::table::{Turn, grouped};
use super::super::process::{Process, free_address, median};
use super::side::{LIMITS, PAIRS, Programs, Side};
use super::{Error, Plan};

const ROUNDS: usize = 5;

/// Seconds of one turn, of which the first fifth does not count.
const SECONDS: u64 = 2;

/// Messages or tasks under way at a time.
const WINDOWS: [u32; 2] = [256, 1];

/// How long a process may take beyond its turn before it counts as stuck.
const GRACE: Duration = Duration::from_secs(60);

/// What a row of the table tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A library, with nothing on top.
    Bare(&'static str),
    /// Through both machines of a link, the wire and this transport.
    Messages(&'static str),
    /// From submission to settled, over this transport.
    Tasks(&'static str),
}

/// A row, and the places of those it is compared with: its library, and the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row {
    pub(super) what: What,
    pub(super) library: Option<usize>,
    pub(super) limit: usize,
}

/// In the order of their turns.
pub(super) fn rows() -> Vec<Row> {
    let limit = |encrypted| usize::from(encrypted);
    let mut rows: Vec<Row> = LIMITS
        .iter()
        .enumerate()
        .map(|(limit, library)| Row { what: What::Bare(library), library: None, limit })
        .collect();
    for pair in PAIRS {
        let limit = limit(Side::Bare(pair.library).is_encrypted());
        let bare = rows.len();
        rows.push(Row { what: What::Bare(pair.library), library: None, limit });
        for what in [What::Messages(pair.scheme), What::Tasks(pair.scheme)] {
            rows.push(Row { what, library: Some(bare), limit });
        }
    }
    rows
}

impl What {
    fn name(self) -> String {
        match self {
            Self::Bare(library) => Side::Bare(library).name(),
            Self::Messages(scheme) => format!("{scheme}: reliable messages"),
            Self::Tasks(scheme) => format!("{scheme}: whole tasks"),
        }
    }

    fn turn(self, programs: &Programs, window: u32, seconds: u64) -> Result<Turn, Error> {
        let address = free_address()?.to_string();
        let [mut submit, mut work] = match self {
            Self::Bare(library) => programs.load(Side::Bare(library), &address, window, seconds),
            Self::Messages(scheme) => programs.messages(scheme, &address, window, seconds),
            Self::Tasks(scheme) => programs.load(Side::Ours(scheme), &address, window, seconds),
        };
        run(&mut submit, &mut work, seconds)
    }
}

/// Both sides, until the one that measures has printed its figures. The other one is ended then: of some
/// ends it would learn late.
fn run(submit: &mut Command, work: &mut Command, seconds: u64) -> Result<Turn, Error> {
    let submitter = Process::start(submit)?;
    submitter.until("READY", GRACE)?;
    let _worker = Process::start(work)?;
    let figures = submitter.line(Duration::from_secs(seconds) + GRACE)?;
    submitter.ends(GRACE)?;
    Turn::read(&figures)
}

pub(super) fn measure(programs: &Programs, plan: Plan) -> Result<String, Error> {
    let (rounds, seconds) = if plan.quick { (1, 1) } else { (ROUNDS, SECONDS) };
    let rows = rows();
    let mut turns = WINDOWS.map(|window| (window, Vec::new()));
    for _ in 0..rounds {
        for (window, turns) in &mut turns {
            let mut round = Vec::new();
            for row in &rows {
                let turn = row
                    .what
                    .turn(programs, *window, seconds)
                    .map_err(|error| format!("{}, {window} in flight: {error}", row.what.name()))?;
                round.push(turn);
            }
            turns.push(round);
        }
    }
    let tables = turns.iter().map(|(window, turns)| text(*window, &rows, turns));
    Ok(tables.collect::<Vec<_>>().join("\n"))
}

/// Medians of all rounds, and of the ratios of one round: of a second's work, more is better; of a lone
/// message's p50, less is.
pub(super) fn text(window: u32, rows: &[Row], rounds: &[Vec<Turn>]) -> String {
    let (what, of): (_, fn(&Turn) -> f64) =
        if window == 1 { ("p50", |turn| turn.p50) } else { ("a second", |turn| turn.per_second) };
    let mut text = format!(
        "| {window} in flight, medians of {} | a second | p50 / p99 us | {what}, against its library | \
         {what}, against length-prefixed TCP, or TLS |\n| --- | ---: | ---: | ---: | ---: |\n",
        rounds.len()
    );
    for (place, row) in rows.iter().enumerate() {
        let all =
            |of: fn(&Turn) -> f64| grouped(median(rounds.iter().map(|round| of(&round[place]))));
        let against = |other: Option<usize>| {
            other.filter(|other| *other != place).map_or(String::new(), |other| {
                let ratios = rounds.iter().map(|round| of(&round[place]) / of(&round[other]));
                format!("{:.2}", median(ratios))
            })
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} / {} | {} | {} |",
            row.what.name(),
            all(|turn| turn.per_second),
            all(|turn| turn.p50),
            all(|turn| turn.p99),
            against(row.library),
            against(Some(row.limit)),
        );
    }
    text
}
