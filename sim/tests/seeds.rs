//! Many worlds, each from its seed.
//!
//! `MOORLINE_SIM_SEEDS=0..500` runs other seeds, `MOORLINE_SIM_SEED=42` one of them, with its record.

#![allow(clippy::print_stdout, reason = "a failed world is for people to read")]

use std::collections::BTreeSet;
use std::ops::Range;

use moorline_link::{First, Jitter};
use moorline_sim::{
    Dialled, Episode, Failure, Fault, Invariant, Manner, Mode, Origin, Plan, Report, Rule, Run,
    Sabotage, Size, Swarm, Told, WorkerPlan, run, run_plan,
};

const SEEDS: Range<u64> = 0..3_600;

/// One in so many worlds is of the usual size: it takes as long as fifteen of the others, which show nearly
/// all of what it does.
const USUAL: u64 = 6;

/// In so many worlds everything happens that is not rare.
const PER: u64 = 2_000;

/// What takes a chain of accidents.
const RARE: [&str; 2] = ["unknown", "conflicts"];

/// What happens in worlds of its own only.
const ELSEWHERE: [&str; 6] =
    ["swallowed", "unanswered", "replays", "turned_away", "renewed", "banned"];

/// So many worlds may pass before a rule notices what breaks it.
const WORLDS_TO_NOTICE: usize = 200;

/// Lines of a run that are shown.
const LINES: usize = 400;

/// Where the world of a seed comes from.
fn origin(seed: u64, mode: Mode) -> Origin {
    let size = if seed.is_multiple_of(USUAL) { Size::Usual } else { Size::Brief };
    Origin { mode, size, ..Origin::new(seed) }
}

/// Runs a plan and keeps what happened last.
fn recorded(plan: Plan) -> Result<(Report, Vec<String>), Box<Failure>> {
    let outcome = Run::new(plan).recorded(LINES).go();
    let lines = outcome.recording.map_or_else(Vec::new, |recording| recording.lines(LINES));
    outcome.result.map(|report| (report, lines))
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("MOORLINE_SIM_SEEDS") else { return SEEDS };
    range(&text)
}

fn range(text: &str) -> Range<u64> {
    let (from, to) = text.split_once("..").expect("a range of seeds is FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn a_thousand_worlds_keep_every_promise() {
    let seeds = seeds();
    let swarm = Swarm::of(seeds.clone()).drawn_by(|seed| origin(seed, Mode::Honest)).run();
    for failure in &swarm.failures {
        let violation = &failure.violation;
        println!("{}: {violation}", origin(failure.seed, Mode::Honest));
    }
    if let Some(first) = swarm.failures.first() {
        let failures = swarm.failures.len();
        println!("{failures} of {} worlds failed", swarm.worlds);
        let origin = origin(first.seed, Mode::Honest);
        let first = recorded(origin.plan()).expect_err("the same seed fails again");
        panic!("{failures} of the worlds failed; the first, {origin}:\n{first}");
    }
    assert_eq!((swarm.seeds.clone(), swarm.worlds), (seeds.clone(), seeds.end - seeds.start));
    // Worlds in which nothing happens prove nothing.
    assert!(swarm.tasks > 3 * swarm.worlds, "too few tasks");
    assert!(swarm.crashes > swarm.worlds / 2, "too few crashes");
    let mut shallow = Vec::new();
    for seen in &swarm.seen {
        println!("{}: {} times in {} worlds", seen.name, seen.times, seen.worlds);
        // What takes a chain of accidents may be rarer, but has to happen.
        let per = if RARE.contains(&seen.name) { 5 * PER } else { PER };
        if seen.worlds < swarm.worlds / per && !ELSEWHERE.contains(&seen.name) {
            shallow.push(seen.name);
        }
    }
    for (what, used) in [("back", &swarm.back), ("ended", &swarm.ended)] {
        let [half, most, nearly, all] = [500, 900, 999, 1_000].map(|share| used.within(share));
        println!("{what}: of 1000 used {half} {most} {nearly} {all}");
    }
    assert!(shallow.is_empty(), "too rare: {shallow:?}");
    println!(
        "{} worlds: {} s of their time, {} events, {} packets, {} tasks, {} attempts, {} dials, {} crashes",
        swarm.worlds,
        swarm.lasted,
        swarm.events,
        swarm.packets,
        swarm.tasks,
        swarm.attempts,
        swarm.dials,
        swarm.crashes,
    );
}

/// Also where bytes come again or changed, and a store forgets what was durable.
#[test]
fn hostile_worlds_keep_what_does_not_depend_on_others() {
    let swarm = Swarm::of(0..900).drawn_by(|seed| origin(seed, Mode::Hostile)).run();
    if let Some(first) = swarm.failures.first() {
        let origin = origin(first.seed, Mode::Hostile);
        let (failures, failure) =
            (swarm.failures.len(), recorded(origin.plan()).expect_err("it fails again"));
        panic!("{failures} of the hostile worlds failed; the first, {origin}:\n{failure}");
    }
    let worlds =
        |name| swarm.seen.iter().find(|seen| seen.name == name).map_or(0, |seen| seen.worlds);
    assert!(worlds("replays") > 10, "{} with replays", worlds("replays"));
    assert!(worlds("corrupted") > 0, "{} with other bytes", worlds("corrupted"));
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for seed in 0..40 {
        let (one, other) = (run(seed), recorded(Plan::new(seed)).map(|(report, _)| report));
        assert_eq!(one, other, "recording changes nothing either");
    }
    let hashes: BTreeSet<u64> = (0..40).filter_map(|seed| Some(run(seed).ok()?.hash)).collect();
    assert_eq!(hashes.len(), 40, "other seeds give other worlds");
}

/// What happened in all worlds of these seeds together, as one number.
fn hash_of(seeds: Range<u64>) -> u64 {
    let hashes = seeds.filter_map(|seed| Some(run(seed).ok()?.hash));
    hashes.fold(0, |all, hash| all.rotate_left(1) ^ hash)
}

/// Says what happened in the worlds of `MOORLINE_SIM_HASH=0..500`: the same number by every build of
/// the same code, whatever its profile and its machine.
#[test]
fn one_hash() {
    let Ok(text) = std::env::var("MOORLINE_SIM_HASH") else { return };
    println!("hash: {:016x}", hash_of(range(&text)));
}

#[test]
fn another_process_sees_the_same_worlds() {
    let program = std::env::current_exe().expect("this program has a path");
    let output = std::process::Command::new(program)
        .args(["--exact", "one_hash", "--nocapture"])
        .env("MOORLINE_SIM_HASH", "0..60")
        .output()
        .expect("this program can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    let hash = format!("hash: {:016x}", hash_of(0..60));
    assert!(text.contains(&hash), "{hash} is not in {text}");
}

#[test]
fn worlds_that_failed_once_do_not_fail_again() {
    let list = include_str!("../regressions/seeds.txt");
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let seed = line.split_whitespace().next().unwrap().parse().unwrap();
        if let Err(failure) = recorded(Plan::new(seed)).map(|_| ()) {
            panic!("{line}\n{failure}");
        }
    }
}

#[test]
fn one_seed() {
    let Ok(seed) = std::env::var("MOORLINE_SIM_SEED") else { return };
    match recorded(Plan::new(seed.parse().unwrap())) {
        Ok((report, lines)) => println!("{}\n{report:#?}", lines.join("\n")),
        Err(failure) => panic!("\n{failure}"),
    }
}

#[test]
fn the_plans_hold_every_kind_of_fault_and_calm_ones_none() {
    let plans: Vec<Plan> = (0..1_000).map(Plan::new).collect();
    let calm = plans.iter().filter(|plan| plan.is_calm()).count();
    assert!((50..200).contains(&calm), "{calm} of 1000 are calm");
    assert!(plans.iter().filter(|plan| plan.is_calm()).all(|plan| plan.episodes.is_empty()));
    let faults = |is: fn(&Fault) -> bool| {
        let has = |plan: &&Plan| plan.episodes.iter().any(|episode| is(&episode.fault));
        plans.iter().filter(has).count()
    };
    let counts = [
        faults(|fault| matches!(fault, Fault::Cut { told: Told::Both, .. })),
        faults(|fault| matches!(fault, Fault::Cut { told: Told::Only(_), .. })),
        faults(|fault| matches!(fault, Fault::Cut { told: Told::Nobody, .. })),
        faults(|fault| matches!(fault, Fault::Freeze { .. })),
        faults(|fault| matches!(fault, Fault::Crash { manner: Manner::Killed, .. })),
        faults(|fault| matches!(fault, Fault::Crash { manner: Manner::Vanished, .. })),
        faults(|fault| matches!(fault, Fault::Crash { manner: Manner::Asked, .. })),
        faults(|fault| matches!(fault, Fault::Jam { .. })),
        faults(|fault| matches!(fault, Fault::Dials { .. })),
        faults(|fault| matches!(fault, Fault::Slow { .. })),
        faults(|fault| matches!(fault, Fault::Nudge { .. })),
    ];
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn every_rule_reports_what_breaks_it() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for sabotage in Sabotage::ALL {
        let is_fit = |plan: &Plan| sabotage.needs_calm().is_none_or(|calm| plan.is_calm() == calm);
        // A herd breaks a promise that each of its workers keeps: delays are as they should be.
        let many = |mut plan: Plan| {
            if sabotage.needs_many() {
                let settings = &mut plan.settings;
                (settings.first, settings.jitter) = (First::Window, Jitter::None);
                (settings.initial_delay, settings.max_delay) = (1_000_000_000, 1_000_000_000);
                settings.multiplier = 1_000;
                plan.crowded(64)
            } else {
                plan
            }
        };
        let plans = (0..).map(Plan::new).filter(is_fit).map(many).take(WORLDS_TO_NOTICE);
        let found = plans.enumerate().find_map(|(worlds, plan)| {
            let failure = run_plan(Plan { sabotage: Some(sabotage), ..plan }).err()?;
            Some((worlds, failure))
        });
        let Some((worlds, failure)) = found else {
            wrong.push(format!("{sabotage:?} goes unnoticed"));
            continue;
        };
        println!("{sabotage:?}: {} in world {worlds}", failure.violation);
        if failure.violation.rule != sabotage.breaks() {
            wrong.push(format!("{sabotage:?} breaks {:?}: {failure}", sabotage.breaks()));
        }
        seen.insert(failure.violation.rule);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<Rule> = Rule::ALL.iter().copied().collect();
    assert_eq!(seen, all, "a rule that nothing breaks proves nothing");
    let promises: BTreeSet<Invariant> = all.iter().map(|rule| rule.invariant()).collect();
    assert_eq!(promises, BTreeSet::from(Invariant::ALL), "a promise without a rule is not kept");
}

/// In a calm world every suspicion, reconnect and return to the queue is a bug: here the store stands
/// still in it, while a hundred workers are busy.
#[test]
fn a_store_that_stands_still_for_half_a_minute_disturbs_none_of_a_hundred_workers() {
    const SEC: u64 = 1_000_000_000;
    let mut ended = 0;
    for mut plan in (0..).map(Plan::new).filter(|plan| plan.is_calm()).take(3) {
        let first = plan.workers[0].clone();
        plan.workers = (0..100_u64)
            .map(|index| WorkerPlan {
                id: u128::from(index + 1) << 64 | u128::from(index),
                clock: index * SEC,
                // So many at once would have to wait for their turn.
                begins_at: index * SEC / 20,
                ..first.clone()
            })
            .collect();
        for (place, task) in (0..).zip(&mut plan.tasks) {
            task.submit_at = 12 * SEC + place * SEC / 8;
        }
        plan.quiet_at = plan.quiet_at.max(60 * SEC);
        let undisturbed = run_plan(plan.clone()).unwrap_or_else(|failure| panic!("\n{failure}"));
        let fault = Fault::Slow { delay: 30 * SEC, lasts: SEC };
        plan.episodes = vec![Episode { at: 14 * SEC, moment: None, fault }];
        let report = run_plan(plan).unwrap_or_else(|failure| panic!("\n{failure}"));
        assert_ne!(report.hash, undisturbed.hash, "it did stand still");
        assert_eq!(report.tasks, undisturbed.tasks);
        ended += report.tasks;
    }
    assert!(ended > 30, "{ended}");
}

/// Worlds in which workers are out of touch for longer than they may be, while their handlers run
/// on; the store forgets what has ended, and handlers are slow to stop.
#[test]
fn slots_of_runs_that_nobody_wants_are_not_given_away() {
    let mut seen = (0, 0, 0);
    for seed in 0..300 {
        let mut plan = Plan::new(seed);
        if plan.is_calm() || plan.settings.lost_after > 12_000_000_000 {
            continue;
        }
        plan.settings.keeps = Some(0);
        let away = plan.settings.lost_after + 2_000_000_000;
        for task in &mut plan.tasks {
            task.submit_at /= 8;
            task.work = 40_000_000_000;
            task.stops = 60_000_000_000;
            (task.failing, task.size, task.timeout) = (0, 10, None);
            (task.cancel_at, task.again_at, task.clash_at) = (None, None, None);
        }
        plan.quiet_at = 10 * plan.settings.lost_after;
        let lost = |worker| {
            let at = plan.settings.lost_after * (1 + worker as u64);
            let dials = Fault::Dials { worker, outcome: Dialled::Refused, lasts: away };
            let cut = Fault::Cut { worker, told: Told::Both };
            [dials, cut].map(|fault| Episode { at, moment: None, fault })
        };
        plan.episodes = (0..plan.workers.len()).flat_map(lost).collect();
        let result = recorded(plan);
        let (report, _) = result.unwrap_or_else(|failure| panic!("\n{failure}"));
        seen.0 += report.seen.unknown;
        seen.1 += report.seen.fenced;
        seen.2 += report.seen.slow_to_stop;
    }
    assert!(seen.0 > 20 && seen.1 > 20 && seen.2 > 20, "{seen:?}");
}

/// Worlds in which nothing is wrong but that workers swallow what they are asked about attempts.
#[test]
fn a_worker_that_swallows_questions_loses_its_session_and_nothing_else() {
    let (mut unanswered, mut worlds, mut tasks) = (0, 0, 0);
    for seed in (0..4_000).filter(|seed| Plan::new(*seed).is_calm()) {
        let mut plan = Plan::swallowing(seed);
        plan.episodes.retain(|episode| matches!(episode.fault, Fault::Swallow { .. }));
        let workers = plan.workers.len() as u64;
        let result = recorded(plan);
        let (report, _) = result.unwrap_or_else(|failure| panic!("\n{failure}"));
        let seen = report.seen;
        assert_eq!(
            (seen.lost, seen.redelivered, seen.returned, seen.dead),
            (0, 0, 0, 0),
            "{report:?}"
        );
        // Each session that is ended begins anew over one dial; nobody else has to.
        assert_eq!((seen.silent, seen.unacked, report.crashes), (0, 0, 0), "{report:?}");
        assert_eq!(seen.begun, workers + seen.unanswered, "{report:?}");
        assert_eq!((seen.resumed, report.dials), (0, workers + seen.unanswered), "{report:?}");
        unanswered += seen.unanswered;
        worlds += u64::from(seen.unanswered > 0);
        tasks += report.tasks;
    }
    assert!(worlds > 100 && unanswered > worlds && tasks > 1_000, "{worlds} {unanswered} {tasks}");
}

/// The same while everything else goes wrong as well.
#[test]
fn nothing_is_lost_and_everything_ends_in_time_where_workers_swallow_questions() {
    let (mut unanswered, mut swallowed) = (0, 0);
    for seed in 0..150 {
        let result = recorded(Plan::swallowing(seed));
        let (report, _) = result.unwrap_or_else(|failure| panic!("\n{failure}"));
        unanswered += report.seen.unanswered;
        swallowed += report.seen.swallowed;
    }
    assert!(unanswered > 15 && swallowed > 75, "{unanswered} of {swallowed}");
}

/// Worlds in which the coordinator looks at what workers show, and nothing is wrong but what that is.
#[test]
fn whose_credential_is_refused_comes_back_as_it_should_and_nobody_else_is_disturbed() {
    let (mut turned_away, mut renewed, mut banned) = (0, 0, 0);
    for seed in (0..2_000).filter(|seed| Plan::new(*seed).is_calm()) {
        let mut plan = Plan::authenticating(seed);
        plan.episodes.retain(|episode| {
            matches!(episode.fault, Fault::Credential { .. } | Fault::Vetting { .. })
        });
        let result = recorded(plan);
        let (report, _) = result.unwrap_or_else(|failure| panic!("\n{failure}"));
        let seen = report.seen;
        assert_eq!((seen.silent, seen.unacked, seen.conflicts), (0, 0, 0), "{report:?}");
        assert_eq!(report.crashes, seen.banned, "{report:?}");
        turned_away += seen.turned_away;
        renewed += seen.renewed;
        banned += seen.banned;
    }
    assert!(turned_away > 200 && renewed > 100 && banned > 50, "{turned_away} {renewed} {banned}");
}

/// The same while everything else goes wrong as well.
#[test]
fn nothing_is_lost_and_everybody_is_back_in_time_where_credentials_are_refused() {
    let (mut turned_away, mut renewed, mut banned) = (0, 0, 0);
    // In the last ones two processes of a worker wait for the answer at a time.
    for seed in (0..200).chain([4_134, 4_324, 5_693, 9_492, 10_212]) {
        let result = recorded(Plan::authenticating(seed));
        let (report, _) = result.unwrap_or_else(|failure| panic!("\n{failure}"));
        turned_away += report.seen.turned_away;
        renewed += report.seen.renewed;
        banned += report.seen.banned;
    }
    assert!(turned_away > 200 && renewed > 100 && banned > 50, "{turned_away} {renewed} {banned}");
}
