//! The laws that every machine keeps, on random histories of a runner. Each law sees at least
//! 100,000 steps.

mod runner_steps;

use core::time::Duration;

use moorline_work::*;
use proptest::prelude::*;
use runner_steps::{Resolved, Shown, Step, apply, history, resolve, runner};

const CASES: u32 = 512;
const STEPS: usize = 256;

/// Runs a history and shows the runner after each step to `check`, with what the step was and showed.
fn each_step(
    history: &[(u64, Step)],
    mut check: impl FnMut(&Runner, &Runner, Instant, Resolved, Shown) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut runner = runner();
    let mut now = Instant::from_nanos(1_000);
    for (passed, step) in history {
        now = now + Duration::from_nanos(*passed);
        let Some(resolved) = resolve(&runner, &mut now, *step) else { continue };
        let before = runner.clone();
        let shown = apply(&mut runner, resolved);
        check(&before, &runner, now, resolved, shown)?;
    }
    Ok(())
}

fn shift(shown: Shown, by: Duration) -> Shown {
    match shown {
        Shown::Verdict(RunnerVerdict::Started { run, assign, deadline }) => {
            let deadline = deadline.map(|deadline| deadline + by);
            Shown::Verdict(RunnerVerdict::Started { run, assign, deadline })
        }
        Shown::Verdict(_) | Shown::Action(_) | Shown::Message(_) => shown,
    }
}

fn phase_of(runner: &Runner, run: RunId) -> Option<RunPhase> {
    runner.runs().find(|snapshot| snapshot.run == run).map(|snapshot| snapshot.phase)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn l1_it_wakes_now_exactly_while_an_action_is_due(history in history(STEPS)) {
        each_step(&history, |_, runner, _, _, _| {
            let due = runner.clone().poll_action().is_some();
            prop_assert_eq!(runner.next_wake() == Wake::Now, due);
            Ok(())
        })?;
    }

    #[test]
    fn l2_a_timeout_at_a_deadline_moves_the_next_one_on(history in history(STEPS)) {
        each_step(&history, |_, runner, _, _, _| {
            let mut runner = runner.clone();
            while runner.poll_action().is_some() {}
            let Some(deadline) = runner.next_wake().deadline() else { return Ok(()) };
            runner.handle(deadline, RunnerInput::Timeout);
            while runner.poll_action().is_some() {}
            prop_assert!(runner.next_wake().deadline().is_none_or(|next| next > deadline));
            Ok(())
        })?;
    }

    #[test]
    fn l3_a_drained_runner_that_is_polled_does_not_change(history in history(STEPS)) {
        each_step(&history, |_, runner, _, _, _| {
            let mut drained = runner.clone();
            while drained.poll_action().is_some() {}
            while drained.poll_message().is_some() {}
            let mut polled = drained.clone();
            prop_assert_eq!(polled.poll_action(), None);
            prop_assert_eq!(polled.poll_message(), None);
            prop_assert_eq!(polled, drained);
            Ok(())
        })?;
    }

    #[test]
    fn l4_an_early_timeout_changes_nothing(history in history(STEPS)) {
        each_step(&history, |_, runner, now, _, _| {
            let first = runner.runs().filter_map(|run| run.deadline).min();
            let early = match first {
                Some(deadline) if deadline <= now => return Ok(()),
                Some(deadline) => Instant::from_nanos(deadline.as_nanos() - 1),
                None => Instant::FAR,
            };
            for at in [now, early] {
                let mut other = runner.clone();
                other.handle(at, RunnerInput::Timeout);
                prop_assert_eq!(&other, runner);
            }
            Ok(())
        })?;
    }

    #[test]
    fn l5_a_shifted_history_shows_the_same_shifted(history in history(STEPS), by in 1..u64::from(u32::MAX)) {
        let by = Duration::from_nanos(by);
        let mut shifted = runner();
        each_step(&history, |_, runner, _, resolved, shown| {
            let resolved = match resolved {
                Resolved::Input(at, input) => Resolved::Input(at + by, input),
                Resolved::PollAction | Resolved::PollMessage => resolved,
            };
            prop_assert_eq!(apply(&mut shifted, resolved), shift(shown, by));
            let wake = match runner.next_wake() {
                Wake::At { deadline, timer } => Wake::At { deadline: deadline + by, timer },
                Wake::Now => Wake::Now,
                Wake::OnInput => Wake::OnInput,
            };
            prop_assert_eq!(shifted.next_wake(), wake);
            Ok(())
        })?;
    }

    #[test]
    fn l8_a_recorded_history_replays_to_an_equal_runner(history in history(STEPS)) {
        let mut replayed = runner();
        each_step(&history, |_, runner, _, resolved, shown| {
            prop_assert_eq!(apply(&mut replayed, resolved), shown);
            prop_assert_eq!(&replayed, runner);
            Ok(())
        })?;
    }

    /// From wherever it is, a good coordinator and handlers that end bring it to owing nothing.
    #[test]
    fn l9_nothing_panics_and_every_state_comes_to_rest(history in history(STEPS)) {
        let mut step = 0_usize;
        each_step(&history, |_, runner, now, _, _| {
            step += 1;
            if !step.is_multiple_of(16) { return Ok(()); }
            let mut runner = runner.clone();
            come_to_rest(&mut runner, now);
            prop_assert!(!runner.owes());
            prop_assert_eq!(runner.free(), runner_steps::SLOTS);
            prop_assert_eq!(runner.next_wake(), Wake::OnInput);
            Ok(())
        })?;
    }

    #[test]
    fn l10_a_run_goes_only_where_the_table_allows(history in history(STEPS)) {
        each_step(&history, |before, after, _, _, _| {
            let runs = before.runs().chain(after.runs()).map(|snapshot| snapshot.run);
            for run in runs {
                let (from, to) = (phase_of(before, run), phase_of(after, run));
                prop_assert!(from == to || RunPhase::allows(from, to), "{:?} -> {:?}", from, to);
            }
            Ok(())
        })?;
    }
}

fn come_to_rest(runner: &mut Runner, now: Instant) {
    runner.handle(now, RunnerInput::Welcomed { resumed: false });
    let listed: Vec<TaskKey> = runner.inventory().map(|(key, _, _)| key).collect();
    for key in listed {
        runner.handle(now, RunnerInput::Judged { key, judgement: Judgement::Continue });
    }
    let running: Vec<RunId> =
        runner.runs().filter(|run| run.phase.uses_slot()).map(|run| run.run).collect();
    for run in running {
        let outcome = Outcome::Succeeded;
        assert_eq!(
            runner.handle(now, RunnerInput::Done { run, outcome, len: 0 }),
            RunnerVerdict::Accepted
        );
    }
    while let Some(message) = runner.poll_message() {
        if let WorkerMessage::Result { key, .. } = message {
            let settled = CoordinatorMessage::Settled { key, disposition: Disposition::Accepted };
            assert_eq!(runner.handle(now, RunnerInput::Message(settled)), RunnerVerdict::Accepted);
        }
    }
    while runner.poll_action().is_some() {}
}
