use super::{Shrunk, shrink};
use crate::{Base, Plan, Run, Sabotage, scenario};

/// The first seed from this one on whose world breaks a promise with that sabotage.
fn broken(sabotage: Sabotage, from: u64) -> Plan {
    (from..)
        .map(|seed| Plan { sabotage: Some(sabotage), ..Plan::new(seed) })
        .filter(|plan| sabotage.needs_calm().is_none_or(|calm| plan.is_calm() == calm))
        .find(|plan| Run::new(plan.clone()).go().result.is_err())
        .expect("there are enough seeds")
}

fn shrunk(sabotage: Sabotage, from: u64) -> Shrunk {
    shrink(&broken(sabotage, from), |replays| replays < 5_000).expect("a promise is broken")
}

#[test]
fn what_is_left_breaks_the_same_promise_and_again_does() {
    for sabotage in [Sabotage::ResultsChange, Sabotage::StoreForgets, Sabotage::AcceptsLie] {
        let shrunk = shrunk(sabotage, 0);
        assert_eq!(shrunk.failure.violation.rule, sabotage.breaks());
        let again = Run::new(shrunk.plan.clone()).go().result.unwrap_err();
        assert_eq!(*again, shrunk.failure);
        assert!(shrunk.is_minimal, "{} replays", shrunk.replays);
        assert_eq!(shrunk.plan.base, Base::Benign);
        let text = scenario::to_text(&shrunk.plan);
        let read = scenario::parse(&text).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"));
        assert_eq!(Run::new(read).go().result, Err(again), "{text}");
    }
}

#[test]
fn one_worker_and_one_task_are_left_where_that_is_enough() {
    let sabotages = [
        Sabotage::ResultsChange,
        Sabotage::OutcomesChange,
        Sabotage::AnswersLie,
        Sabotage::StoreRepeats,
        Sabotage::DriverRepeats,
    ];
    for (sabotage, from) in sabotages.into_iter().zip([0, 100, 200, 300, 400]) {
        let shrunk = shrunk(sabotage, from);
        let after = shrunk.after;
        assert_eq!((after.workers, after.tasks), (1, 1), "{sabotage:?}: {:?}", shrunk.plan);
        assert_eq!((after.episodes, after.decisions), (0, 0), "{sabotage:?}: {:?}", shrunk.plan);
    }
}

#[test]
fn the_same_plan_comes_to_the_same_and_cannot_be_made_smaller_again() {
    let plan = broken(Sabotage::AcceptsLie, 40);
    let one = shrink(&plan, |_| true).unwrap();
    assert_eq!(shrink(&plan, |_| true).unwrap(), one);
    let again = shrink(&one.plan, |_| true).unwrap();
    assert_eq!((again.plan, again.after), (one.plan, one.after));
}

#[test]
fn the_time_of_the_caller_is_kept_to() {
    let plan = broken(Sabotage::AcceptsLie, 40);
    let shrunk = shrink(&plan, |replays| replays < 3).unwrap();
    assert_eq!((shrunk.replays, shrunk.is_minimal), (3, false));
    assert_eq!(shrunk.failure.violation.rule, Sabotage::AcceptsLie.breaks());
}

#[test]
fn a_plan_that_keeps_every_promise_has_nothing_to_shrink() {
    assert_eq!(shrink(&Plan::new(3), |_| true), None);
}
