//! `soak`: worlds of every kind for as long as one likes, all that was broken once, and what it all comes to.
//!
//! The worlds are run by the example `soak` of the simulator, optimised. `--built` takes the one that
//! `cargo test --workspace` has left beside this program: CI need not build the simulator twice.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::Outcome;
use crate::mutants::duration;
use crate::table::{Table, thousands};
use crate::write::{root, target};

type Error = Box<dyn std::error::Error>;

const USAGE: &str =
    "takes [--time 1m] [--jobs N] [--from SEED] [--floor PERCENT] [--built] [--update]";

/// The sums of all soaks.
const TABLE: Table = Table {
    document: "docs/simulation.md",
    begin: "<!-- soaked: written by `cargo xtask soak --update` -->\n",
    end: "<!-- /soaked -->",
    head: "| worlds | number | of those steered | simulated hours | events | packets | failures |\n\
           | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
};

/// No machine runs so many worlds in a second: soaks that begin at different times have different seeds.
const SEEDS_A_SECOND: u64 = 1_000_000;

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Asked {
    time: Duration,
    jobs: Option<u16>,
    /// The first seed; none: one that depends on the time.
    from: Option<u64>,
    /// So many hundredths of the cells that can be covered have to be.
    floor: Option<u8>,
    built: bool,
    update: bool,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let asked = parse(args)?;
    let program = if asked.built { beside()? } else { build()? };
    let fresh = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs()).saturating_mul(SEEDS_A_SECOND)
    };
    let mut command = Command::new(program);
    command.args(["--time", &asked.time.as_secs().to_string()]);
    command.args(["--from", &asked.from.unwrap_or_else(fresh).to_string()]);
    if let Some(jobs) = asked.jobs {
        command.args(["--jobs", &jobs.to_string()]);
    }
    if let Some(floor) = asked.floor {
        command.args(["--floor", &floor.to_string()]);
    }
    command.arg("--replay").arg(root().join("sim/regressions"));
    command.arg("--out").arg(target().join("soak"));
    let mut child = command.current_dir(root()).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or("no output")?;
    let mut rows = Vec::new();
    for line in BufReader::new(out).lines() {
        let line = line?;
        println!("{line}");
        rows.extend(row(&line));
    }
    let status = child.wait()?;
    if asked.update {
        TABLE.write(&summed(TABLE.rows(&TABLE.read()?)?, &rows))?;
    }
    match status.code() {
        Some(0) => Ok(()),
        // What it means is in the table of exit codes of the simulator.
        Some(code) => std::process::exit(code),
        None => Err(format!("the soak ended with {status}").into()),
    }
}

fn parse(args: &[String]) -> Result<Asked, String> {
    let time = Duration::from_secs(60);
    let mut asked =
        Asked { time, jobs: None, from: None, floor: None, built: false, update: false };
    let mut args = args.iter();
    let wrong = |what: &str| format!("{USAGE}; got {what}");
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| wrong(arg));
        match arg.as_str() {
            "--time" => asked.time = duration(value()?)?,
            "--jobs" => asked.jobs = Some(number(value()?).ok_or_else(|| wrong(arg))?),
            "--from" => asked.from = Some(number(value()?).ok_or_else(|| wrong(arg))?),
            "--floor" => asked.floor = Some(number(value()?).ok_or_else(|| wrong(arg))?),
            "--built" => asked.built = true,
            "--update" => asked.update = true,
            other => return Err(wrong(other)),
        }
    }
    Ok(asked)
}

fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.parse().ok()
}

/// The one that was built with this program.
fn beside() -> Result<PathBuf, Error> {
    let here = std::env::current_exe()?;
    let program = here.parent().ok_or("this program has no folder")?.join("examples/soak");
    if program.exists() {
        return Ok(program);
    }
    Err(format!("there is no {}: `cargo test --workspace` builds it", program.display()).into())
}

fn build() -> Result<PathBuf, Error> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "-p", "moorline-sim", "--example", "soak"])
        .current_dir(root())
        .status()?;
    if status.success() {
        Ok(target().join("release/examples/soak"))
    } else {
        Err(format!("the build ended with {status}").into())
    }
}

/// A row of the table: which worlds, and its figures.
type Row = (String, Vec<u64>);

/// The row that a line is, if it is one.
fn row(line: &str) -> Option<Row> {
    let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
    let name = cells.next()?.to_owned();
    let figures: Option<Vec<u64>> = cells.map(|cell| number(&cell.replace(',', ""))).collect();
    Some((name, figures.filter(|figures| figures.len() == 6)?))
}

/// The rows of the table with these figures added.
fn summed(table: &str, more: &[Row]) -> String {
    let mut rows: Vec<Row> = table.lines().filter_map(row).collect();
    for (name, figures) in more {
        match rows.iter_mut().find(|(known, _)| known == name) {
            Some((_, sums)) => sums.iter_mut().zip(figures).for_each(|(sum, more)| *sum += more),
            None => rows.push((name.clone(), figures.clone())),
        }
    }
    let line = |(name, figures): &Row| {
        let figures: Vec<String> = figures.iter().map(|figure| thousands(*figure)).collect();
        format!("| {name} | {} |\n", figures.join(" | "))
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn only_what_makes_sense_is_understood() {
        let asked = parse(&words("--time 10m --jobs 1 --from 7 --floor 80 --built --update"));
        let time = Duration::from_secs(600);
        let expected = Asked {
            time,
            jobs: Some(1),
            from: Some(7),
            floor: Some(80),
            built: true,
            update: true,
        };
        assert_eq!(asked, Ok(expected));
        assert_eq!(parse(&[]).unwrap().time, Duration::from_secs(60));
        for wrong in ["--time", "--time 5", "--jobs many", "--floor 300", "--all", "seed"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_run_is_added_to_what_was_run_before() {
        let lines = "| all | 1234 | 2 | 3 | 4 | 5 | 0 |\nby temper\n| worlds | number |";
        let rows: Vec<Row> = lines.lines().filter_map(row).collect();
        assert_eq!(rows, [("all".to_owned(), vec![1_234, 2, 3, 4, 5, 0])]);
        let once = summed("", &rows);
        assert_eq!(once, "| all | 1,234 | 2 | 3 | 4 | 5 | 0 |\n");
        assert_eq!(summed(&once, &rows), "| all | 2,468 | 4 | 6 | 8 | 10 | 0 |\n");
    }
}
