use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;

use super::{Spread, Swarm, SwarmReport};
use crate::{Plan, Sabotage};

/// Without the time that it took.
fn steady(report: SwarmReport) -> SwarmReport {
    SwarmReport { took: Duration::ZERO, ..report }
}

#[test]
fn what_a_swarm_comes_to_does_not_depend_on_its_threads() {
    // Every third world is broken: which of them are found before it stops is the same, too.
    let plans = |seed| {
        let sabotage = (seed % 3 == 2).then_some(Sabotage::StoreForgets);
        Some(Plan { sabotage, ..Plan::new(seed) })
    };
    let swarm = |jobs| Swarm::of(0..200).planned_by(plans).stop_after(4).jobs(jobs).run();
    let one = steady(swarm(1));
    assert_eq!(one.failures.len(), 4);
    assert_eq!(one.failures.last().map(|failure| failure.seed + 1), Some(one.seeds.end));
    for jobs in [2, 7] {
        assert_eq!(steady(swarm(jobs)), one, "{jobs} threads");
    }
}

#[test]
fn a_seed_without_a_plan_is_left_out() {
    let report =
        Swarm::of(10..30).planned_by(|seed| (seed % 2 == 0).then(|| Plan::new(seed))).run();
    assert_eq!((report.seeds, report.worlds), (10..30, 10));
}

#[test]
fn a_swarm_ends_when_its_time_is_over_and_has_run_every_seed_before_the_last() {
    let report = Swarm::lasting(5, Duration::from_millis(200)).jobs(3).run();
    assert_eq!(report.seeds.start, 5);
    assert!(report.worlds > 0 && report.worlds == report.seeds.end - report.seeds.start);
}

#[test]
fn progress_is_told_while_it_runs() {
    let mut told = Vec::new();
    let report = Swarm::lasting(0, Duration::from_millis(500)).run_with(|so_far| {
        told.push((so_far.worlds, so_far.took));
    });
    assert!(told.len() >= 2, "{told:?}");
    assert!(told.is_sorted());
    assert!(told.iter().all(|(worlds, took)| *worlds <= report.worlds && *took <= report.took));
}

#[test]
fn every_number_is_worked_on_once_and_taken_in_order_until_it_is_enough() {
    let worked = Mutex::new(Vec::new());
    let mut taken = Vec::new();
    Spread::over(3..10_000).jobs(4).run(
        |number| {
            worked.lock().unwrap().push(number);
            number
        },
        |number, result| {
            assert_eq!(number, result);
            taken.push(number);
            if number < 500 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
        || (),
    );
    assert_eq!(taken, (3..=500).collect::<Vec<_>>());
    let worked = worked.into_inner().unwrap();
    let distinct: BTreeSet<_> = worked.iter().copied().collect();
    assert_eq!(worked.len(), distinct.len());
}

#[test]
fn a_histogram_says_what_a_share_of_the_worlds_did_not_go_beyond() {
    let mut used = super::Used::default();
    assert_eq!((used.within(500), used.most()), (0, None));
    for (seed, value) in (0..).zip([10, 20, 30, 2_000]) {
        used.add(seed, value);
    }
    assert_eq!([250, 500, 750, 1_000].map(|share| used.within(share)), [10, 20, 30, 1_001]);
    assert_eq!(used.most(), Some((3, 2_000)));
}
