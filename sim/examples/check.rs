//! Searches through all states of small worlds: `check [--time SECONDS] MODEL..`, for example
//! `check --time 60 w1-t1-b1-c1 w2-t1-e1`.
//!
//! Prints a row of a table for each, with the time and the most memory the process has had so far. Exit
//! code 0: everything that was searched holds; 10: a promise is broken; 11: a trap; 2: usage.
//!
//! `check --bug [--time SECONDS] MODEL..` looks for a bug that was planted: the worlds one after the other,
//! until one of them has it. Then the simulator goes the same way; other worlds are drawn until one breaks
//! the same rule; and both plans are shrunk. What came of it is one row of another table.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command for people")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use moorline_sim::check::{Bounds, Checked, Counterexample, Verdict, check};
use moorline_sim::shrink::{Shrunk, shrink};
use moorline_sim::{Plan, run_plan};

/// How long a plan may be shrunk.
const SHRINKING: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let is_bug = args.first().is_some_and(|first| first == "--bug");
    if is_bug {
        args.remove(0);
    }
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
    if is_bug {
        // A panic is found as all else is: nobody has to read of it.
        std::panic::set_hook(Box::new(|_| {}));
        return bug(&bounds, limit);
    }
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
    eprintln!("{problem}\nusage: check [--bug] [--time SECONDS] MODEL..");
    ExitCode::from(2)
}

/// With commas between the thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let places = (1..=digits.len()).rev();
    let digits = digits.chars().zip(places).map(|(digit, left)| {
        let comma = if left % 3 == 1 && left > 1 { "," } else { "" };
        format!("{digit}{comma}")
    });
    digits.collect()
}

fn tenths(took: Duration) -> String {
    format!("{}.{}", took.as_secs(), took.subsec_millis() / 100)
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
    let (states, steps, took) = (grouped(*states), grouped(*steps), tenths(took));
    let memory = most_memory().map_or(String::from("?"), grouped);
    println!("| `{bounds}` | {states} | {steps} | {depth} | {took} | {memory} | {word} |");
    if let Some(way) = way {
        println!("\n{way}\n");
        match way.plan() {
            Ok(plan) => println!(
                "as a plan, which the simulator runs and which fails in the same way:\n{plan:?}\n"
            ),
            Err(other) => println!("{other}\n"),
        }
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

/// Looks for a bug, and compares what the two ways to find it come to.
fn bug(bounds: &[Bounds], limit: Duration) -> ExitCode {
    for bounds in bounds {
        let began = Instant::now();
        let checked = check(*bounds, &mut |_| began.elapsed() < limit);
        let took = began.elapsed();
        let (Verdict::Broken(way) | Verdict::Trapped(way)) = &checked.verdict else {
            eprintln!("{checked}");
            continue;
        };
        eprintln!("{way}");
        let found =
            way.violation.as_ref().map_or("a trap".into(), |broken| format!("{:?}", broken.rule));
        let (length, states) = (way.steps.len(), grouped(checked.states));
        let least = match way.plan() {
            Ok(plan) => shrunk(&plan).map(|shrunk| shrunk.after.items()),
            Err(other) => {
                eprintln!("{other}");
                None
            }
        };
        let drawn = drawn(way, limit).and_then(|plan| shrunk(&plan));
        let number = |number: Option<usize>| number.map_or("-".into(), |it| it.to_string());
        let drawn =
            drawn.map(|shrunk| (shrunk.before.items(), shrunk.after.items(), shrunk.replays));
        let ratio = drawn.zip(least).map(|((_, after, _), least)| after * 100 / least.max(1));
        let ratio = ratio.map_or("-".into(), |ratio| format!("{}.{:02}", ratio / 100, ratio % 100));
        let cells = [
            format!("`{bounds}`"),
            found,
            length.to_string(),
            states,
            tenths(took),
            number(least),
            number(drawn.map(|it| it.0)),
            number(drawn.map(|it| it.1)),
            drawn.map_or("-".into(), |it| it.2.to_string()),
            ratio,
        ];
        println!("{}", cells.join(" | "));
        return ExitCode::SUCCESS;
    }
    ExitCode::from(1)
}

/// A drawn plan that fails in the same way.
fn drawn(way: &Counterexample, limit: Duration) -> Option<Plan> {
    let began = Instant::now();
    let fails = |plan: &Plan| {
        let outcome = run_plan(plan.clone());
        outcome.is_err_and(|failure| way.is_shown_by(&failure.violation))
    };
    (0..).take_while(|_| began.elapsed() < limit).map(Plan::new).find(fails)
}

fn shrunk(plan: &Plan) -> Option<Shrunk> {
    let began = Instant::now();
    let shrunk = shrink(plan, |_| began.elapsed() < SHRINKING)?;
    eprintln!("{:?} -> {:?}: {:?}", shrunk.before, shrunk.after, shrunk.plan);
    Some(shrunk)
}
