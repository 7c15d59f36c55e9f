//! The laws of machines on the dispatcher, over random inputs in random states.

mod dispatcher_steps;

use std::time::Duration;

use dispatcher_steps::{Driver, START, steps};
use moorline_work::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// 100,000 steps and more on average in each law.
const CASES: u32 = 900;
const MOST: usize = 300;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn l1_it_wants_to_run_now_exactly_while_an_action_is_due(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let is_now = driver.dispatcher.next_wake() == Wake::Now;
            prop_assert_eq!(is_now, driver.clone().poll().is_some());
        }
    }

    #[test]
    fn what_is_undelivered_is_counted_as_a_scan_of_all_leases_counts_it(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let mut scanned = std::collections::BTreeMap::<WorkerId, u32>::new();
            for lease in driver.dispatcher.leases().filter(|lease| !lease.handed_over) {
                *scanned.entry(lease.worker).or_default() += 1;
            }
            let (tasks, bytes) = driver.dispatcher.undelivered_in_all();
            prop_assert_eq!(tasks, scanned.values().sum::<u32>());
            let mut of_each = 0;
            for worker in (0..=255).map(WorkerId) {
                let (tasks, bytes) = driver.dispatcher.undelivered(worker);
                prop_assert_eq!(tasks, scanned.get(&worker).copied().unwrap_or(0));
                prop_assert!(tasks > 0 || bytes == 0, "{} bytes of nothing", bytes);
                of_each += bytes;
            }
            prop_assert_eq!(bytes, of_each);
        }
    }

    #[test]
    fn l2_a_timeout_at_a_deadline_moves_the_next_deadline_on(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let mut waiting = driver.clone();
            waiting.drain();
            if let Some(deadline) = waiting.dispatcher.next_wake().deadline() {
                let now = deadline.max(waiting.now);
                waiting.dispatcher.handle(now, DispatcherInput::Timeout);
                waiting.drain();
                let next = waiting.dispatcher.next_wake().deadline();
                prop_assert!(next.is_none_or(|next| next > now), "{:?} at {:?}", next, now);
            }
        }
    }

    #[test]
    fn l3_a_drained_machine_polled_again_does_not_change(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let mut drained = driver.clone();
            drained.drain();
            let before = drained.clone();
            prop_assert_eq!(drained.poll(), None);
            prop_assert_eq!(&drained, &before);
        }
    }

    #[test]
    fn l4_an_early_timeout_changes_nothing(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let mut drained = driver.clone();
            drained.drain();
            let due = drained.dispatcher.next_wake().deadline();
            if due.is_none_or(|due| due > drained.now) {
                let mut early = driver.clone();
                early.dispatcher.handle(early.now, DispatcherInput::Timeout);
                prop_assert_eq!(&early, &driver);
            }
        }
    }

    #[test]
    fn l5_inputs_shifted_in_time_give_the_same_outputs(
        steps in steps(MOST),
        shift in 1_u64..1 << 40,
    ) {
        let shift = Duration::from_nanos(shift);
        let (mut one, mut other) = (Driver::new(START), Driver::new(START + shift));
        for step in steps {
            prop_assert_eq!(one.step(step), other.step(step));
            let (a, b) = (one.dispatcher.next_wake(), other.dispatcher.next_wake());
            prop_assert_eq!(a.deadline().map(|at| at + shift), b.deadline());
        }
    }

    #[test]
    fn l8_the_same_inputs_give_the_same_machine(steps in steps(MOST)) {
        let (mut one, mut other) = (Driver::new(START), Driver::new(START));
        for step in &steps {
            let first = one.step(*step);
            // A clone in the middle goes on like its original.
            other = other.clone();
            prop_assert_eq!(first, other.step(*step));
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn l9_no_input_in_any_state_panics_and_its_views_agree(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let dispatcher = &driver.dispatcher;
            let running: usize =
                (0..3).map(|worker| dispatcher.running(WorkerId(worker))).sum();
            prop_assert_eq!(running, dispatcher.leases().count());
            prop_assert_eq!(dispatcher.is_settled(), dispatcher.pending_ops() == 0);
        }
    }

    #[test]
    fn l10_a_stale_input_changes_nothing(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            let mut next = driver.clone();
            next.pass(step);
            for input in next.inputs(step) {
                let before = next.clone();
                if next.take(input) == DispatcherVerdict::Stale {
                    prop_assert_eq!(&next, &before);
                }
            }
            driver.step(step);
        }
    }
}

#[test]
fn the_random_inputs_reach_every_kind_of_action() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::BTreeMap::new();
    for _ in 0..200 {
        let steps = steps(MOST).new_tree(&mut runner).unwrap().current();
        let mut driver = Driver::new(START);
        for step in steps {
            for action in driver.step(step).1 {
                let name = match action {
                    DispatcherAction::Persist { op, .. } => format!("{op:?}"),
                    DispatcherAction::Send { message, .. } => format!("{message:?}"),
                    DispatcherAction::Answer { judgement, .. } => format!("{judgement:?}"),
                    DispatcherAction::Withdraw { .. }
                    | DispatcherAction::Unanswered { .. }
                    | DispatcherAction::Lost { .. }
                    | DispatcherAction::Reply { .. }
                    | DispatcherAction::Ended { .. }
                    | DispatcherAction::Believe { .. } => format!("{action:?}"),
                };
                let name: String =
                    name.chars().take_while(|letter| letter.is_alphabetic()).collect();
                *reached.entry(name).or_insert(0) += 1;
            }
        }
    }
    let all = [
        "Submit",
        "Claim",
        "Unclaim",
        "Leases",
        "Lookup",
        "Lease",
        "Adopt",
        "Requeue",
        "Finish",
        "Cancel",
        "Assign",
        "Settled",
        "Revoke",
        "Continue",
        "Send",
        "Drop",
        "Unknown",
        "Withdraw",
        "Unanswered",
        "Lost",
        "Reply",
        "Ended",
        "Believe",
    ];
    for name in all {
        assert!(reached.contains_key(name), "{name} is not reached: {reached:?}");
    }
}
