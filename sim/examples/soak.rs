//! Worlds of every kind until the time is over: `soak [--time SECONDS] [--jobs N] [--from SEED]
//! [--worlds N] [--floor PERCENT] [--replay DIR] [--out DIR]`.
//!
//! `cargo xtask soak` builds it, runs it, and adds up what it prints; see docs/simulation.md. Of a hundred
//! seeds two are worlds of the usual size and the others brief ones; of each half are hostile. Every second
//! one is steered to cells of the coverage that are empty.

#![allow(clippy::print_stdout, reason = "this is a command")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use moorline_sim::scenario::Scenario;
use moorline_sim::{
    Amount, Coverage, Failure, Kind, Mode, Origin, Plan, Size, Swarm, SwarmReport, Temper, run_plan,
};

/// Seeds of which two are worlds of the usual size.
const HUNDRED: u64 = 100;

/// Between two lines about how far it is.
const TOLD: Duration = Duration::from_secs(60);

/// A soak is long: it does not end with the first cause that is met again and again.
const FAILURES: usize = 1_000;

/// Less is covered than was asked for.
const UNCOVERED: u8 = 15;

#[derive(Debug)]
struct Asked {
    time: Duration,
    jobs: Option<usize>,
    from: u64,
    /// So many worlds at most.
    worlds: Option<u64>,
    floor: Option<u64>,
    replay: Option<PathBuf>,
    out: Option<PathBuf>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let asked = asked()?;
    // A panic is found as all else is: nobody has to read of it.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(directory) = &asked.replay
        && let Some(code) = replay(directory)?
    {
        return Ok(ExitCode::from(code));
    }
    let report = soak(&asked);
    tell(&report);
    for failure in &report.failures {
        let origin = origin_of(&report, failure);
        println!("{origin} breaks {}", failure.violation);
        if let Some(directory) = &asked.out {
            println!("wrote {}", keep(directory, origin, failure)?.display());
        }
        println!("moorline sim run {origin}");
    }
    if let Some(failure) = report.failures.first() {
        return Ok(ExitCode::from(failure.violation.class().exit_code()));
    }
    let share = report.coverage.covered() as u64 * 100 / Coverage::reachable() as u64;
    if let Some(floor) = asked.floor.filter(|floor| share < *floor) {
        println!("{share} % of the cells are covered, less than the {floor} % that were asked for");
        return Ok(ExitCode::from(UNCOVERED));
    }
    Ok(ExitCode::SUCCESS)
}

fn asked() -> Result<Asked, Box<dyn Error>> {
    let mut asked = Asked {
        time: Duration::from_secs(60),
        jobs: None,
        from: 0,
        worlds: None,
        floor: None,
        replay: None,
        out: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        match arg.as_str() {
            "--time" => asked.time = Duration::from_secs(value.parse()?),
            "--jobs" => asked.jobs = Some(value.parse()?),
            "--from" => asked.from = value.parse()?,
            "--worlds" => asked.worlds = Some(value.parse()?),
            "--floor" => asked.floor = Some(value.parse()?),
            "--replay" => asked.replay = Some(value.into()),
            "--out" => asked.out = Some(value.into()),
            _ => return Err(format!("no option {arg}").into()),
        }
    }
    Ok(asked)
}

/// Where the world of a seed comes from, but for where it is steered.
fn origin(seed: u64) -> Origin {
    let mode = if seed.is_multiple_of(2) { Mode::Honest } else { Mode::Hostile };
    let size = if seed % HUNDRED < 2 { Size::Usual } else { Size::Brief };
    Origin { mode, size, ..Origin::new(seed) }
}

fn origin_of(report: &SwarmReport, failure: &Failure) -> Origin {
    report.origins.get(&failure.seed).copied().unwrap_or_else(|| origin(failure.seed))
}

/// Runs all that was broken once. The exit code if it is broken again.
fn replay(directory: &Path) -> Result<Option<u8>, Box<dyn Error>> {
    let mut entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    let mut worlds = 0;
    for path in entries.iter().map(fs::DirEntry::path) {
        let text = fs::read_to_string(&path)?;
        let name = path.display();
        if path.extension().is_some_and(|end| end == "toml") {
            let scenario = Scenario::parse(&text).map_err(|_| format!("{name} is no scenario"))?;
            worlds += 1;
            let (outcome, wrong) = scenario.play();
            if !wrong.is_empty() {
                println!("{name}:\n{}\nmoorline sim run {name}", wrong.join("\n"));
                let broken = outcome.result.err();
                return Ok(Some(broken.map_or(1, |it| it.violation.class().exit_code())));
            }
            continue;
        }
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let seed = line.split(' ').next().unwrap_or_default().parse()?;
            worlds += 1;
            if let Err(failure) = run_plan(Plan::new(seed)) {
                println!("{} again: {line}\nmoorline sim run --seed {seed}", failure.violation);
                return Ok(Some(failure.violation.class().exit_code()));
            }
        }
    }
    println!("{worlds} worlds in which a promise was broken once keep every promise");
    Ok(None)
}

fn soak(asked: &Asked) -> SwarmReport {
    println!("from seed {}", asked.from);
    let end = asked.worlds.map_or(u64::MAX, |worlds| asked.from.saturating_add(worlds));
    let swarm = Swarm::of(asked.from..end).within(asked.time).drawn_by(origin).steered();
    let swarm = swarm.stop_after(FAILURES);
    let swarm = match asked.jobs {
        Some(jobs) => swarm.jobs(jobs),
        None => swarm,
    };
    let mut told = Instant::now();
    swarm.run_with(|so_far| {
        if told.elapsed() >= TOLD {
            told = Instant::now();
            let (worlds, failures) = (so_far.worlds, so_far.failures.len());
            let (took, cells) = (so_far.took.as_secs(), so_far.coverage.covered());
            println!("{took} s: {worlds} worlds, {failures} failures, {cells} cells covered");
        }
    })
}

/// Says what was run: the lines of the first table are added up by `cargo xtask soak --update`.
fn tell(report: &SwarmReport) {
    println!(
        "| worlds | number | of those steered | simulated hours | events | packets | failures |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for mode in [Mode::Honest, Mode::Hostile] {
        for size in Size::ALL {
            let is_it = |kind: &Kind| kind.mode == mode && kind.size == size;
            let (all, steered) =
                (sum(report, is_it), sum(report, |kind| is_it(kind) && kind.steered));
            let mode = format!("{mode:?}").to_lowercase();
            println!("| {mode}, {} | {} |", size.name(), figures(&all, steered.worlds));
        }
    }
    let (all, steered) = (sum(report, |_| true), sum(report, |kind| kind.steered));
    println!("| all | {} |", figures(&all, steered.worlds));
    let tempers = [Temper::Calm, Temper::Common, Temper::Cranked, Temper::Extreme];
    let of = |temper| sum(report, |kind: &Kind| kind.temper == temper).worlds;
    let tempers =
        tempers.map(|temper| format!("{} {}", of(temper), format!("{temper:?}").to_lowercase()));
    println!("by temper: {}", tempers.join(", "));
    println!("faults met, in so many worlds, by so many frames:");
    for under in &report.under {
        let (name, title) = (under.family.name(), under.family.title());
        println!("  {name:<4}{title:<12} {:>9} {:>12}", under.worlds, under.frames);
    }
    let (covered, reachable) = (report.coverage.covered(), Coverage::reachable());
    println!("{covered} of {reachable} cells covered, {} %", covered * 100 / reachable);
    for (family, met, kind, times) in report.coverage.surprises() {
        println!(
            "met although nobody thought it can be: {} {met:?} {} {times}",
            family.name(),
            kind.name()
        );
    }
    let (seeds, took) = (&report.seeds, report.took.as_secs_f64());
    println!(
        "seeds {}..{} in {took:.1} s: {} worlds and {} packets a second, hash {:016x}",
        seeds.start,
        seeds.end,
        report.a_second(report.worlds),
        report.a_second(report.packets),
        report.hash
    );
}

fn sum(report: &SwarmReport, is_it: impl Fn(&Kind) -> bool) -> Amount {
    let mut all = Amount::default();
    report.kinds.iter().filter(|(kind, _)| is_it(kind)).for_each(|(_, amount)| all.add(amount));
    all
}

fn figures(amount: &Amount, steered: u64) -> String {
    let Amount { worlds, failures, lasted, events, packets } = amount;
    let hours = lasted / 3_600_000;
    format!("{worlds} | {steered} | {hours} | {events} | {packets} | {failures}")
}

/// Writes the plan of a world that failed.
fn keep(directory: &Path, origin: Origin, failure: &Failure) -> Result<PathBuf, Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    let path = directory.join(format!("seed-{}.toml", origin.seed));
    let about = format!("Found by a soak, {origin}: {}", failure.violation);
    fs::write(&path, Scenario { about, ..Scenario::of(origin.plan()) }.to_text())?;
    Ok(path)
}
