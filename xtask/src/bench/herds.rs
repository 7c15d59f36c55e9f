//! `bench herds`: fleets of up to 100,000 in virtual time, by our policy and by others.
//!
//! What comes out is exact, so it is written into the document; `--quick` sees that the smallest fleet
//! still does what the document says.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::cargo;
use super::process::Process;
use crate::Outcome;
use crate::write::root;

type Error = Box<dyn std::error::Error>;

const DOCUMENT: &str = "docs/performance.md";
const BEGIN: &str = "<!-- herds: written by `cargo xtask bench herds` -->\n";
const END: &str = "<!-- /herds -->";

/// The smallest is what `--quick` looks at.
const SIZES: [u64; 3] = [1_000, 10_000, 100_000];
/// How long one outage may take to be simulated.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What became of one fleet in one outage.
#[derive(Clone, PartialEq, Debug)]
struct Outage {
    policy: String,
    down: u64,
    cells: String,
}

pub(super) fn measure(flags: &[&str]) -> Outcome {
    let quick = flags.contains(&"--quick");
    let build = ["build", "--release", "--package", "moorline-sim", "--example", "herds"];
    let built = cargo::build(&build)?;
    let (_, program) =
        built.into_iter().find(|(name, _)| name == "herds").ok_or("cargo built no herds")?;
    let mut tables = tables(&document()?)?;
    for workers in SIZES.into_iter().take(if quick { 1 } else { SIZES.len() }) {
        let mut outages = Vec::new();
        let fleets = Process::start(Command::new(&program).arg(workers.to_string()))?;
        while let Ok(line) = fleets.line(PATIENCE) {
            println!("{line}");
            outages.push(outage(&serde_json::from_str(&line)?)?);
        }
        fleets.ends(PATIENCE)?;
        let table = table(workers, &outages)?;
        let heading = heading(workers);
        let before = tables.iter_mut().find(|table| table.starts_with(&heading));
        match (before, quick) {
            (Some(before), true) if *before == table => {}
            (_, true) => return Err(format!("{DOCUMENT} says otherwise than\n{table}").into()),
            (Some(before), false) => *before = table,
            (None, false) => tables.push(table),
        }
        if !quick {
            write(&tables)?;
        }
    }
    Ok(())
}

fn outage(line: &Value) -> Result<Outage, Error> {
    let number = |name: &str| line[name].as_u64().ok_or_else(|| format!("no {name}: {line}"));
    let (workers, down) = (number("workers")?, number("down_s")?);
    let back = number("back")?;
    let when = |name: &str| match line[name].as_u64() {
        Some(millis) => format!("{} s", tenths(millis, 1_000)),
        // Who was still missing when the run was ended.
        None => format!("> {} s ({} % back)", down + 3_600, back * 100 / workers.max(1)),
    };
    if line["last_ms"].is_null() && number("patience_s")? != 3_600 {
        return Err(format!("it was ended at another time: {line}").into());
    }
    let cells = format!(
        "{} | {} | {} | {}",
        thousands(number("peak")?),
        tenths(number("dials")?, workers.max(1)),
        when("half_ms"),
        when("last_ms")
    );
    let policy = line["policy"].as_str().ok_or("no policy")?.to_owned();
    Ok(Outage { policy, down, cells })
}

fn heading(workers: u64) -> String {
    format!("| {} workers |", thousands(workers))
}

/// One row for each policy, both outages in it.
fn table(workers: u64, outages: &[Outage]) -> Result<String, Error> {
    let mut text = heading(workers);
    for down in [3, 60] {
        text += &format!(" {down} s: peak | dials | half back | last back |");
    }
    text += &format!("\n| --- |{}\n", " ---: |".repeat(8));
    for pair in outages.chunks(2) {
        let [short, long] = pair else { return Err("an outage is missing".into()) };
        if short.policy != long.policy || (short.down, long.down) != (3, 60) {
            return Err(format!("no pair: {short:?}, {long:?}").into());
        }
        text += &format!("| {} | {} | {} |\n", short.policy, short.cells, long.cells);
    }
    Ok(text)
}

/// With one decimal, rounded.
fn tenths(number: u64, of: u64) -> String {
    let tenths = (number * 10 + of / 2) / of;
    format!("{}.{}", thousands(tenths / 10), tenths % 10)
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn document() -> Result<String, Error> {
    Ok(fs::read_to_string(root().join(DOCUMENT))?)
}

/// What is before the tables, they themselves, and what is behind them.
fn parts(document: &str) -> Result<(&str, &str, &str), Error> {
    let missing = || format!("{DOCUMENT} has no place for the fleets");
    let (before, rest) = document.split_once(BEGIN).ok_or_else(missing)?;
    let (tables, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok((before, tables, after))
}

/// The tables as they stand.
fn tables(document: &str) -> Result<Vec<String>, Error> {
    let (_, tables, _) = parts(document)?;
    let tables = tables.split("\n\n").map(str::trim_end).filter(|table| !table.is_empty());
    Ok(tables.map(|table| format!("{table}\n")).collect())
}

fn write(tables: &[String]) -> Outcome {
    let document = document()?;
    let (before, _, after) = parts(&document)?;
    let tables = tables.join("\n");
    fs::write(root().join(DOCUMENT), format!("{before}{BEGIN}{tables}{END}{after}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{outage, table, tables, thousands};

    fn line(policy: &str, down: u64, last: Option<u64>) -> serde_json::Value {
        json!({
            "workers": 10_000, "policy": policy, "down_s": down, "peak": 1_550, "dials": 20_550,
            "while_down": 7, "back": 4_321, "half_ms": 27_749, "last_ms": last, "patience_s": 3_600,
            "wall_ms": 5
        })
    }

    #[test]
    fn outages_of_both_lengths_share_a_row() {
        let of = |down, last| outage(&line("ours", down, last)).unwrap();
        let text = table(10_000, &[of(3, Some(52_650)), of(60, None)]).unwrap();
        let row = "| ours | 1,550 | 2.1 | 27.7 s | 52.7 s | 1,550 | 2.1 | 27.7 s | > 3660 s (43 % back) |\n";
        assert!(
            text.starts_with("| 10,000 workers | 3 s: peak |") && text.ends_with(row),
            "{text}"
        );
        assert!(table(10_000, &[of(3, None)]).is_err());
        assert!(table(10_000, &[of(60, None), of(3, None)]).is_err());
        assert!(outage(&json!({"workers": 1})).is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let document = format!("text\n{}a\n\nb\nc\n{}\nmore", super::BEGIN, super::END);
        assert_eq!(tables(&document).unwrap(), ["a\n", "b\nc\n"]);
        assert!(tables("nothing").is_err());
        assert_eq!([thousands(7), thousands(1_000), thousands(123_456)], ["7", "1,000", "123,456"]);
    }

    #[test]
    fn the_document_has_a_table_of_each_size() {
        let tables = tables(include_str!("../../../docs/performance.md")).unwrap();
        for (table, workers) in tables.iter().zip(super::SIZES) {
            assert!(table.starts_with(&super::heading(workers)), "{table}");
        }
        assert_eq!(tables.len(), super::SIZES.len());
    }
}
