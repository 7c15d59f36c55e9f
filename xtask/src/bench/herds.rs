//! `bench herds`: fleets of up to 100,000 in virtual time, by our policy and by others.
//!
//! What comes out is exact, so it is written into the document; `--quick` sees that the smallest fleet
//! still does what the document says.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::cargo;
use crate::Outcome;
use crate::table::{Table, thousands};

type Error = Box<dyn std::error::Error>;

/// A table for each size.
const TABLES: Table = Table {
    document: "docs/performance.md",
    begin: "<!-- herds: written by `cargo xtask bench herds` -->\n",
    end: "<!-- /herds -->",
    head: "",
};

/// The smallest is what `--quick` looks at.
const SIZES: [u64; 3] = [1_000, 10_000, 100_000];

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
    let names = lines(&program, &[])?;
    for workers in SIZES.into_iter().take(if quick { 1 } else { SIZES.len() }) {
        // Ours are the last ones, and the quickest.
        for name in names.iter().rev() {
            let lines = lines(&program, &[&workers.to_string(), name])?;
            let mut outages = Vec::new();
            for line in lines {
                println!("{line}");
                outages.push(outage(&serde_json::from_str(&line)?)?);
            }
            let row = row(&outages)?;
            let document = TABLES.read()?;
            let before = TABLES.rows(&document)?;
            let after = with_row(before, workers, row, &names);
            if after != before {
                if quick {
                    return Err(format!("{} says otherwise", TABLES.document).into());
                }
                TABLES.write(&after)?;
            }
        }
    }
    Ok(())
}

/// What the program says.
fn lines(program: &Path, args: &[&str]) -> Result<Vec<String>, Error> {
    let output = Command::new(program).args(args).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
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

/// Both outages of a policy in a row.
fn row(outages: &[Outage]) -> Result<String, Error> {
    match outages {
        [short, long] if (short.down, long.down) == (3, 60) && short.policy == long.policy => {
            Ok(format!("| {} | {} | {} |", short.policy, short.cells, long.cells))
        }
        _ => Err(format!("not both outages of one policy: {outages:?}").into()),
    }
}

/// The tables with this row in that of its size, in the order of these policies.
fn with_row(tables: &str, workers: u64, row: String, names: &[String]) -> String {
    let mut text = String::new();
    for size in SIZES {
        let heading = heading(size);
        let old = tables.split("\n\n").find(|table| table.trim_start().starts_with(&heading));
        let mut rows: Vec<&str> =
            old.into_iter().flat_map(|table| table.trim().lines().skip(2)).collect();
        if size == workers {
            rows.retain(|old| name_of(old) != name_of(&row));
            rows.push(&row);
        }
        let place = |row: &&str| names.iter().position(|name| name == name_of(row));
        rows.sort_by_key(place);
        if rows.is_empty() {
            continue;
        }
        text += &heading;
        for down in [3, 60] {
            text += &format!(" {down} s: peak | dials | half back | last back |");
        }
        text += &format!("\n| --- |{}\n{}\n\n", " ---: |".repeat(8), rows.join("\n"));
    }
    format!("{}\n", text.trim_end())
}

/// Whose row it is.
fn name_of(row: &str) -> &str {
    row.split('|').nth(1).unwrap_or_default().trim()
}

/// With one decimal, rounded.
fn tenths(number: u64, of: u64) -> String {
    let tenths = (number * 10 + of / 2) / of;
    format!("{}.{}", thousands(tenths / 10), tenths % 10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{SIZES, heading, outage, row, with_row};

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
        let said = "| ours | 1,550 | 2.1 | 27.7 s | 52.7 s | 1,550 | 2.1 | 27.7 s | > 3660 s (43 % back) |";
        assert_eq!(row(&[of(3, Some(52_650)), of(60, None)]).unwrap(), said);
        assert!(row(&[of(3, None)]).is_err());
        assert!(row(&[of(60, None), of(3, None)]).is_err());
        assert!(outage(&json!({"workers": 1})).is_err());
    }

    #[test]
    fn a_row_takes_its_place_in_the_table_of_its_size() {
        let names = ["none", "full", "ours"].map(str::to_owned);
        let add =
            |tables: &str, workers, row: &str| with_row(tables, workers, row.to_owned(), &names);
        let one = add(&add("", 10_000, "| ours | 1 |"), 1_000, "| ours | 2 |");
        let both = add(&add(&one, 10_000, "| none | 3 |"), 10_000, "| ours | 4 |");
        assert!(both.ends_with("\n| none | 3 |\n| ours | 4 |\n"), "{both}");
        assert!(both.starts_with("| 1,000 workers |") && both.contains("| ours | 2 |\n\n| 10,000"));
        assert_eq!(add(&both, 10_000, "| none | 3 |"), both);
    }

    #[test]
    fn the_document_has_a_table_of_each_size() {
        let document = include_str!("../../../docs/performance.md");
        for workers in SIZES {
            let (_, table) = document.split_once(&heading(workers)).expect("a table");
            assert!(table.contains("\n| ours | "), "{workers}");
        }
    }
}
