//! Equal is what does the same, and nothing else.

#![allow(clippy::wildcard_enum_match_arm, reason = "nothing else is right")]

use core::time::Duration;

use super::Canonical;
use crate::{
    Assign, Attempt, CoordinatorMessage, Disposition, Instant, Outcome, RunId, Runner,
    RunnerConfig, RunnerInput, RunnerVerdict, Sym, TaskId, TaskKey,
};

const FAR: Duration = Duration::from_secs(3_600);

fn key(task: u128) -> TaskKey {
    TaskKey { task: TaskId(task), attempt: Attempt(1) }
}

fn tell(runner: &mut Runner, now: Instant, message: CoordinatorMessage) -> RunnerVerdict {
    let verdict = runner.handle(now, RunnerInput::Message(message));
    while runner.poll_message().is_some() {}
    while runner.poll_action().is_some() {}
    verdict
}

fn assign(runner: &mut Runner, now: Instant, task: u128) -> RunId {
    let timeout = Some(Duration::from_secs(60));
    let assign = Assign { key: key(task), handler: Sym(0), timeout };
    match tell(runner, now, CoordinatorMessage::Assign(assign)) {
        RunnerVerdict::Started { run, .. } => run,
        other => panic!("it starts: {other:?}"),
    }
}

fn done(runner: &mut Runner, now: Instant, run: RunId) {
    runner.handle(now, RunnerInput::Done { run, outcome: Outcome::Succeeded, len: 0 });
}

fn runner() -> Runner {
    Runner::new(RunnerConfig { slots: 4, task_timeout: None }, [Sym(0)])
}

#[test]
fn a_runner_that_had_other_runs_is_as_one_that_had_none() {
    let (early, late) = (Instant::from_nanos(0), Instant::from_nanos(7_000_000_000));
    let (mut fresh, mut used) = (runner(), runner());
    let run = assign(&mut used, early, 9);
    done(&mut used, early, run);
    while used.poll_message().is_some() {}
    let settled = CoordinatorMessage::Settled { key: key(9), disposition: Disposition::Accepted };
    tell(&mut used, early, settled);

    assign(&mut fresh, early, 1);
    assign(&mut used, late, 1);
    assert_ne!(fresh, used, "plainly they differ");
    assert_eq!(Canonical::new(&fresh, early, FAR), Canonical::new(&used, late, FAR));
    let later = Instant::from_nanos(8_000_000_000);
    assert_ne!(
        Canonical::new(&fresh, early, FAR),
        Canonical::new(&used, later, FAR),
        "the time a run has left counts"
    );
}

#[test]
fn results_that_came_in_another_order_are_offered_in_another_order() {
    let now = Instant::from_nanos(0);
    let mut one = runner();
    let runs = [assign(&mut one, now, 1), assign(&mut one, now, 2)];
    let mut other = one.clone();
    runs.iter().for_each(|run| done(&mut one, now, *run));
    runs.iter().rev().for_each(|run| done(&mut other, now, *run));
    assert_ne!(Canonical::new(&one, now, FAR), Canonical::new(&other, now, FAR));
    assert_ne!(one.next_message(), other.next_message());
}
