//! A runner that is told whatever the bytes say, beside what must hold for it.

#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the crate")]
#[path = "../../../crates/work/tests/runner_steps/mod.rs"]
mod steps;

use std::time::Duration;

use moorline_work::{
    Assign, Attempt, CoordinatorMessage, Disposition, Instant, Judgement, Outcome, RunId, RunPhase,
    Runner, RunnerInput, TaskId, TaskKey, Wake,
};
use steps::{FOREIGN, HANDLER, SLOTS, Step, apply, resolve, runner as new};

use crate::source::Source;

/// Longer histories reach nothing new and cost much.
const MOST: usize = 600;

/// Tells a runner what handlers and coordinators could, whether it makes sense or not. After each step L1
/// to L3 hold, runs go only where the table allows (L10), no slot is used twice, and what it says of
/// itself agrees.
pub fn runner(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let mut runner = new();
    let mut now = Instant::from_nanos(1_000);
    for _ in 0..MOST {
        let Some(([passed, kind, what], nth)) = source.take().zip(source.byte()) else { return };
        now = now + Duration::from_nanos(u64::from(passed % 60));
        let Some(resolved) = resolve(&runner, &mut now, step(kind, what, nth)) else { continue };
        let before = runner.clone();
        apply(&mut runner, resolved);
        laws(&before, &runner);
    }
}

fn step(kind: u8, what: u8, nth: u8) -> Step {
    let key = TaskKey {
        task: TaskId(u128::from(what % 4)),
        attempt: Attempt(1 + u32::from(what / 4 % 3)),
    };
    let outcome = match what % 5 {
        0 => Outcome::Succeeded,
        1 => Outcome::Failed { retryable: true },
        2 => Outcome::Failed { retryable: false },
        3 => Outcome::TimedOut,
        _ => Outcome::Cancelled,
    };
    let disposition = match what % 5 {
        0 => Disposition::Accepted,
        1 => Disposition::LateAccepted,
        2 => Disposition::Duplicate,
        3 => Disposition::Stale,
        _ => Disposition::Unknown,
    };
    let judgement = match what % 8 {
        0 | 1 => Judgement::Continue,
        2 => Judgement::Send,
        3 | 4 => Judgement::Adopt { attempt: Attempt(1 + u32::from(what / 8 % 3)) },
        5 => Judgement::Cancel,
        6 => Judgement::Drop { disposition },
        _ => Judgement::Unknown,
    };
    let message = |message| Step::Input(RunnerInput::Message(message));
    let (place, len) = (usize::from(nth), u32::from(nth));
    match kind % 32 {
        0 => Step::Input(RunnerInput::Timeout),
        1 | 2 => Step::TimeoutAtDeadline,
        3 => Step::Input(RunnerInput::Welcomed { resumed: what & 1 == 0 }),
        4 => Step::Input(RunnerInput::Judged { key, judgement }),
        5..=8 => Step::JudgedNth { nth: place, judgement },
        9..=14 => message(CoordinatorMessage::Assign(Assign {
            key,
            handler: if nth >= 240 { FOREIGN } else { HANDLER },
            timeout: (nth & 1 == 0).then(|| Duration::from_nanos(u64::from(nth) * 4)),
        })),
        15 => message(CoordinatorMessage::Settled { key, disposition }),
        16 | 17 => Step::SettledNth { nth: place, disposition },
        18 => message(CoordinatorMessage::Cancel { key }),
        19 => Step::CancelNth { nth: place },
        20 => message(CoordinatorMessage::Revoke { key }),
        21..=24 => Step::DoneNth { nth: place, outcome, len },
        25 => Step::Input(RunnerInput::Done { run: RunId(u64::from(nth)), outcome, len }),
        26..=28 => Step::PollAction,
        29 if nth >= 250 => Step::Input(RunnerInput::Drain),
        29 if nth >= 245 => Step::Input(RunnerInput::HandBack),
        29 if nth >= 200 => Step::WaitsNth { nth: place },
        29 if nth >= 150 => Step::BeginsNth { nth: place },
        _ => Step::PollMessage,
    }
}

fn laws(before: &Runner, runner: &Runner) {
    let mut other = runner.clone();
    assert_eq!(other.next_wake() == Wake::Now, other.poll_action().is_some(), "L1");
    while other.poll_action().is_some() {}
    if let Some(deadline) = other.next_wake().deadline() {
        let mut served = other.clone();
        served.handle(deadline, RunnerInput::Timeout);
        while served.poll_action().is_some() {}
        assert!(served.next_wake().deadline().is_none_or(|next| next > deadline), "L2");
    }
    while other.poll_message().is_some() {}
    let drained = other.clone();
    assert_eq!((other.poll_action(), other.poll_message()), (None, None), "L3");
    assert_eq!(other, drained, "L3");
    let phase = |runner: &Runner, run| {
        runner.runs().find(|snapshot| snapshot.run == run).map(|snapshot| snapshot.phase)
    };
    for run in before.runs().chain(runner.runs()).map(|snapshot| snapshot.run) {
        let (from, to) = (phase(before, run), phase(runner, run));
        assert!(from == to || RunPhase::allows(from, to), "L10: {from:?} to {to:?}");
    }
    let busy = runner.runs().filter(|run| run.phase.uses_slot()).count();
    assert!(busy <= usize::from(SLOTS), "{busy} of {SLOTS} slots are used");
    assert_eq!(runner.running(), busy);
}
