//! Searches through all states of small worlds: `check [--time SECONDS] MODEL..`, for example
//! `check --time 60 w1-t1-b1-c1 w2-t1-e1`.
//!
//! Prints a row of a table for each, with the time and the most memory the process has had so far. Exit
//! code 0: everything that was searched holds; 10: a promise is broken; 11: a trap; 2: usage.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command for people")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use moorline_sim::check::{Bounds, Checked, Verdict, check};

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut limit = Duration::from_secs(60);
    if args.first().is_some_and(|first| first == "--time") && args.len() > 1 {
        let Ok(seconds) = args[1].parse() else { return usage("--time takes whole seconds") };
        limit = Duration::from_secs(seconds);
        args.drain(..2);
    }
    let bounds: Result<Vec<Bounds>, _> = args.iter().map(|text| text.parse::<Bounds>()).collect();
    let bounds = match bounds {
        Ok(bounds) if !bounds.is_empty() => bounds,
        Ok(_) => return usage("say which models to search"),
        Err(error) => return usage(&error.to_string()),
    };
    println!("| model | states | steps | depth | s | MiB | |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
    let mut worst = 0;
    for bounds in bounds {
        let began = Instant::now();
        let checked = check(bounds, &mut |_| began.elapsed() < limit);
        worst = worst.max(show(&checked, began.elapsed()));
    }
    ExitCode::from(worst)
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("{problem}\nusage: check [--time SECONDS] MODEL..");
    ExitCode::from(2)
}

/// A row of the table, and what the process is to say of it at its end.
fn show(checked: &Checked, took: Duration) -> u8 {
    let Checked { bounds, states, steps, depth, verdict, .. } = checked;
    let (word, way, code) = match verdict {
        Verdict::Holds => ("holds", None, 0),
        Verdict::Stopped => ("not all were visited", None, 0),
        Verdict::Broken(way) => ("**broken**", Some(way), 10),
        Verdict::Trapped(way) => ("**a trap**", Some(way), 11),
    };
    let (seconds, tenths) = (took.as_secs(), took.subsec_millis() / 100);
    let memory = most_memory().map_or(String::from("?"), |mib| mib.to_string());
    println!(
        "| {bounds} | {states} | {steps} | {depth} | {seconds}.{tenths} | {memory} | {word} |"
    );
    if let Some(way) = way {
        println!("\n{way}\n");
    }
    code
}

/// The most memory this process has had, in MiB, where the system tells.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024)
}
