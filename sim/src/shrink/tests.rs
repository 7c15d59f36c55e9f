use super::parts::leave_out_episodes;
use super::settings::simplest;
use super::{Shrunk, shrink};
use crate::{
    Base, Decision, Episode, Fault, Kept, Manner, Plan, Run, Sabotage, Settings, Site, Who,
    scenario,
};

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
        let settings = &shrunk.plan.settings;
        assert!(settings.late <= 1_000 && settings.commit <= 2_000_000, "{settings:?}");
        let task = shrunk.plan.tasks.iter().find(|task| !task.absent).unwrap();
        assert!(task.failing == 0 || task.panics == 0, "{sabotage:?}: {task:?}");
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

/// Else a smaller plan would break what the whole one does not.
#[test]
fn what_is_left_out_of_a_world_breaks_nothing_in_it() {
    for seed in 0..20 {
        let mut plan = Plan::new(seed);
        plan.tasks.iter_mut().skip(1).for_each(|task| task.absent = true);
        plan.workers.iter_mut().skip(1).for_each(|worker| worker.absent = true);
        (plan.episodes, plan.core) = (Vec::new(), None);
        let outcome = Run::new(plan).go().result;
        assert!(outcome.is_ok(), "{seed}: {outcome:?}");
    }
}

/// Where several faults may break it, one at the right moment is enough.
#[test]
fn one_fault_is_left_where_that_is_enough() {
    for (sabotage, from) in [(Sabotage::EpochRepeats, 0), (Sabotage::StoreForgets, 50)] {
        let shrunk = shrunk(sabotage, from);
        let after = shrunk.after;
        assert_eq!((after.workers, after.episodes), (1, 1), "{sabotage:?}: {:?}", shrunk.plan);
        assert_eq!(after.decisions, 0, "{sabotage:?}: {:?}", shrunk.plan);
        assert!(after.tasks <= 1, "{sabotage:?}: {:?}", shrunk.plan);
    }
}

#[test]
fn what_is_decided_about_a_fault_stays_about_it_when_others_are_left_out() {
    let fails = |lasts| Episode { at: 1, moment: None, fault: Fault::Fails { lasts } };
    let decision = |site, entity, k| Decision { site, entity, k, value: 1 };
    let mut plan = Plan::new(7);
    plan.episodes = (0..4).map(fails).collect();
    plan.decisions = vec![
        decision(Site::Strike, 0, 0),
        decision(Site::Strike, 2, 1),
        decision(Site::Swizzle, 3, 9),
        decision(Site::Second, 1, 0),
        decision(Site::Retransmit, 5, 3),
        decision(Site::Latency, 2, 1),
    ];
    leave_out_episodes(&mut plan, |index, episode| index == 1 || episode.fault.lasts() == 0);
    assert_eq!(plan.episodes, [fails(2), fails(3)]);
    let left = [
        decision(Site::Strike, 0, 1),
        decision(Site::Swizzle, 1, 9),
        decision(Site::Retransmit, 5, 1),
        decision(Site::Latency, 2, 1),
    ];
    assert_eq!(plan.decisions, left);
}

#[test]
fn what_is_decided_about_a_life_stays_about_it_when_others_are_left_out() {
    let crash = |at, who| {
        let fault = Fault::Crash { who, manner: Manner::Killed, back: 1, kept: Kept::All };
        Episode { at, moment: None, fault }
    };
    let torn = |entity| Decision { site: Site::Torn, entity, k: 0, value: 1 };
    let mut plan = Plan::new(7);
    // The second one is that of the first life.
    plan.episodes = vec![
        crash(20, Who::Coordinator),
        crash(10, Who::Coordinator),
        crash(5, Who::Worker(0)),
        crash(30, Who::Coordinator),
    ];
    plan.decisions = vec![torn(0), torn(1), torn(2), torn(3)];
    let mut whole = plan.clone();
    leave_out_episodes(&mut whole, |index, _| index == 2);
    assert_eq!(whole.decisions, plan.decisions);
    leave_out_episodes(&mut plan, |index, _| index == 0);
    assert_eq!(plan.decisions, [torn(0), torn(1), torn(2)]);
}

#[test]
fn the_simplest_settings_are_those_of_a_scenario_that_says_nothing_but_quick() {
    let standard = scenario::parse("format = 1\n").expect("a scenario").settings;
    let Settings { commit, late, retry_delay, .. } = standard;
    assert_eq!(Settings { commit, late, retry_delay, ..simplest() }, standard);
    assert!(simplest().commit < commit && simplest().late < late);
    assert!(simplest().retry_delay < retry_delay);
}
