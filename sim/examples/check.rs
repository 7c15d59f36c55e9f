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

use moorline_sim::check::{
    Bounds, BoundsError, Checked, Counterexample, TimedBounds, TimedBoundsError, TimedChecked,
    TimedStep, TimedVerdict, Verdict, check, check_timed,
};
use moorline_sim::shrink::{Shrunk, shrink};
use moorline_sim::{Plan, Rule, Violation, run_plan, scenario};

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
    let models: Result<Vec<Model>, _> = args.iter().map(|text| Model::parse(text)).collect();
    let models = match models {
        Ok(models) if !models.is_empty() => models,
        Ok(_) => return usage("say which models to search"),
        Err(error) => return usage(&error),
    };
    if is_bug {
        // A panic is found as all else is: nobody has to read of it.
        std::panic::set_hook(Box::new(|_| {}));
        return bug(&models, limit);
    }
    println!("| model | states | steps | depth | s | MiB | |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
    let mut worst = 0;
    for model in models {
        let began = Instant::now();
        let found = model.search(&mut |_| began.elapsed() < limit);
        worst = worst.max(show(&model, &found, began.elapsed()));
    }
    ExitCode::from(worst)
}

/// A world, without clocks or with them.
#[derive(Clone, Copy, Debug)]
enum Model {
    Plain(Bounds),
    Timed(TimedBounds),
}

/// What a search came to.
#[derive(Debug)]
struct Found {
    states: u64,
    steps: u64,
    depth: u32,
    ended: Ended,
}

#[derive(Debug)]
enum Ended {
    Holds,
    Stopped,
    Way(Counterexample),
    Timed(Vec<TimedStep>, Option<Violation>),
}

impl Model {
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("timed") {
            return text
                .parse()
                .map(Self::Timed)
                .map_err(|error: TimedBoundsError| error.to_string());
        }
        text.parse().map(Self::Plain).map_err(|error: BoundsError| error.to_string())
    }

    fn search(&self, goes_on: &mut dyn FnMut(u64) -> bool) -> Found {
        match self {
            Self::Plain(bounds) => {
                let Checked { states, steps, depth, verdict, .. } = check(*bounds, goes_on);
                let ended = match verdict {
                    Verdict::Holds => Ended::Holds,
                    Verdict::Stopped => Ended::Stopped,
                    Verdict::Broken(way) | Verdict::Trapped(way) => Ended::Way(way),
                };
                Found { states, steps, depth, ended }
            }
            Self::Timed(bounds) => {
                let checked = check_timed(*bounds, goes_on);
                let ended = match checked.verdict {
                    TimedVerdict::Holds => Ended::Holds,
                    TimedVerdict::Stopped => Ended::Stopped,
                    TimedVerdict::Broken(steps, violation) => Ended::Timed(steps, Some(violation)),
                    TimedVerdict::Stuck(steps) => Ended::Timed(steps, None),
                };
                let TimedChecked { states, steps, depth, .. } = checked;
                Found { states, steps, depth, ended }
            }
        }
    }
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(bounds) => bounds.fmt(f),
            Self::Timed(bounds) => bounds.fmt(f),
        }
    }
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
fn show(model: &Model, found: &Found, took: Duration) -> u8 {
    let Found { states, steps, depth, ended } = found;
    let (word, code) = match ended {
        Ended::Holds => ("holds", 0),
        Ended::Stopped => ("not all were visited", 0),
        Ended::Way(Counterexample { violation: Some(_), .. }) | Ended::Timed(_, Some(_)) => {
            ("**broken**", 10)
        }
        Ended::Way(_) | Ended::Timed(..) => ("**a trap**", 11),
    };
    let (states, steps, took) = (grouped(*states), grouped(*steps), tenths(took));
    let memory = most_memory().map_or(String::from("?"), grouped);
    println!("| `{model}` | {states} | {steps} | {depth} | {took} | {memory} | {word} |");
    match ended {
        Ended::Holds | Ended::Stopped => {}
        Ended::Way(way) => {
            println!("\n{way}\n");
            match way.plan() {
                Ok(plan) => println!(
                    "as a scenario, which fails in the same way:\n\n{}",
                    scenario::to_text(&plan)
                ),
                Err(other) => println!("{other}\n"),
            }
        }
        Ended::Timed(steps, violation) => {
            println!("\n{}\n", told(steps, violation.as_ref()));
        }
    }
    code
}

fn told(steps: &[TimedStep], violation: Option<&Violation>) -> String {
    let lines = (1..).zip(steps).map(|(number, step)| format!("{number:>3}. {step}\n"));
    let end = violation.map_or("time stands still".into(), ToString::to_string);
    lines.chain([end]).collect()
}

/// The most memory this process has had, in MiB, where the system tells.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024)
}

/// Looks for a bug, and compares what the two ways to find it come to.
fn bug(models: &[Model], limit: Duration) -> ExitCode {
    for model in models {
        let began = Instant::now();
        let Found { states, ended, .. } = model.search(&mut |_| began.elapsed() < limit);
        let mut cells = vec![format!("`{model}`")];
        let (states, took) = (grouped(states), tenths(began.elapsed()));
        match ended {
            Ended::Holds | Ended::Stopped => {
                eprintln!("not in {model}");
                continue;
            }
            Ended::Timed(steps, violation) => {
                eprintln!("{}", told(&steps, violation.as_ref()));
                let rule = violation.as_ref().map(|broken| broken.rule);
                let name = rule.map_or("a trap".into(), |rule| format!("{rule:?}"));
                cells.extend([name, steps.len().to_string(), states, took]);
                cells.extend(compared(least_of_timed(model, &steps), rule, limit));
            }
            Ended::Way(way) => {
                eprintln!("{way}");
                let rule = way.violation.as_ref();
                let rule = rule.map_or("a trap".into(), |broken| format!("{:?}", broken.rule));
                cells.extend([rule, way.steps.len().to_string(), states, took]);
                let (least, shown) = least(&way).unzip();
                let rule = shown.or(way.violation.as_ref().map(|broken| broken.rule));
                cells.extend(compared(least, rule, limit));
            }
        }
        println!("{}", cells.join(" | "));
        return ExitCode::SUCCESS;
    }
    ExitCode::from(1)
}

/// The size of the smallest plan of a way, and what it breaks: after a trap there is more than one rule by which
/// that is noticed.
fn least(way: &Counterexample) -> Option<(usize, Rule)> {
    match way.plan() {
        Ok(plan) => {
            shrunk(&plan).map(|shrunk| (shrunk.after.items(), shrunk.failure.violation.rule))
        }
        Err(other) => {
            eprintln!("{other}");
            None
        }
    }
}

/// A plan says nothing of moments that are as exact as those of a way with clocks. What it would have to say is
/// there: the workers, the task, and what breaks.
fn least_of_timed(model: &Model, steps: &[TimedStep]) -> Option<usize> {
    let Model::Timed(bounds) = model else { return None };
    let breaks = steps.iter().filter(|step| matches!(step, TimedStep::Break(..))).count();
    Some(usize::from(bounds.workers) + 1 + breaks)
}

/// The size of the smallest plan of a way; that of a drawn one that breaks the same rule, before and after it is
/// shrunk; how many replays that took; and how much larger it is.
fn compared(least: Option<usize>, rule: Option<Rule>, limit: Duration) -> [String; 5] {
    let drawn = rule.and_then(|rule| drawn(rule, limit)).and_then(|plan| shrunk(&plan));
    let number = |number: Option<usize>| number.map_or("-".into(), |it| it.to_string());
    let drawn = drawn.map(|shrunk| (shrunk.before.items(), shrunk.after.items(), shrunk.replays));
    let ratio = drawn.zip(least).map(|((_, after, _), least)| after * 100 / least.max(1));
    let ratio = ratio.map_or("-".into(), |ratio| format!("{}.{:02}", ratio / 100, ratio % 100));
    let replays = drawn.map_or("-".into(), |it| grouped(it.2));
    [number(least), number(drawn.map(|it| it.0)), number(drawn.map(|it| it.1)), replays, ratio]
}

/// A drawn plan that breaks this.
fn drawn(rule: Rule, limit: Duration) -> Option<Plan> {
    let began = Instant::now();
    let fails = |plan: &Plan| {
        let outcome = run_plan(plan.clone());
        outcome.is_err_and(|failure| failure.violation.rule == rule)
    };
    (0..).take_while(|_| began.elapsed() < limit).map(Plan::new).find(fails)
}

fn shrunk(plan: &Plan) -> Option<Shrunk> {
    let began = Instant::now();
    let shrunk = shrink(plan, |_| began.elapsed() < SHRINKING)?;
    eprintln!("{:?} -> {:?}: {:?}", shrunk.before, shrunk.after, shrunk.plan);
    Some(shrunk)
}
