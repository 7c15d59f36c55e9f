//! Random steps for a runner: some name what it holds, some name anything.

use core::time::Duration;

use moorline_work::*;
use proptest::prelude::*;

pub(crate) const SLOTS: u16 = 3;
pub(crate) const HANDLER: Sym = Sym(1);
pub(crate) const FOREIGN: Sym = Sym(2);

pub(crate) fn runner() -> Runner {
    let config = RunnerConfig { slots: SLOTS, task_timeout: Some(Duration::from_nanos(400)) };
    Runner::new(config, [HANDLER])
}

/// One step; places (`nth`) are resolved against what the runner holds at that moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Input(RunnerInput),
    TimeoutAtDeadline,
    DoneNth { nth: usize, outcome: Outcome, len: u32 },
    JudgedNth { nth: usize, judgement: Judgement },
    SettledNth { nth: usize, disposition: Disposition },
    CancelNth { nth: usize },
    WaitsNth { nth: usize },
    BeginsNth { nth: usize },
    PollAction,
    PollMessage,
}

/// What a step showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    Verdict(RunnerVerdict),
    Action(Option<RunnerAction>),
    Message(Option<WorkerMessage>),
}

/// The step as an input, or as a poll.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolved {
    Input(Instant, RunnerInput),
    PollAction,
    PollMessage,
}

fn nth_run(runner: &Runner, nth: usize) -> Option<RunSnapshot> {
    let count = runner.runs().count();
    (count > 0).then(|| runner.runs().nth(nth % count)).flatten()
}

/// Resolves a step at a time; the time may move on to a deadline.
pub(crate) fn resolve(runner: &Runner, now: &mut Instant, step: Step) -> Option<Resolved> {
    let input = match step {
        Step::Input(input) => input,
        Step::TimeoutAtDeadline => {
            *now = (*now).max(runner.next_wake().deadline()?);
            RunnerInput::Timeout
        }
        Step::DoneNth { nth, outcome, len } => {
            RunnerInput::Done { run: nth_run(runner, nth)?.run, outcome, len }
        }
        Step::JudgedNth { nth, judgement } => {
            RunnerInput::Judged { key: nth_run(runner, nth)?.key, judgement }
        }
        Step::SettledNth { nth, disposition } => {
            let key = nth_run(runner, nth)?.key;
            RunnerInput::Message(CoordinatorMessage::Settled { key, disposition })
        }
        Step::CancelNth { nth } => {
            RunnerInput::Message(CoordinatorMessage::Cancel { key: nth_run(runner, nth)?.key })
        }
        Step::WaitsNth { nth } => RunnerInput::Waits { run: nth_run(runner, nth)?.run },
        Step::BeginsNth { nth } => RunnerInput::Begins { run: nth_run(runner, nth)?.run },
        Step::PollAction => return Some(Resolved::PollAction),
        Step::PollMessage => return Some(Resolved::PollMessage),
    };
    Some(Resolved::Input(*now, input))
}

pub(crate) fn apply(runner: &mut Runner, resolved: Resolved) -> Shown {
    match resolved {
        Resolved::Input(now, input) => Shown::Verdict(runner.handle(now, input)),
        Resolved::PollAction => Shown::Action(runner.poll_action()),
        Resolved::PollMessage => Shown::Message(runner.poll_message()),
    }
}

fn key() -> impl Strategy<Value = TaskKey> {
    (0..4_u128, 1..4_u32)
        .prop_map(|(task, attempt)| TaskKey { task: TaskId(task), attempt: Attempt(attempt) })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Succeeded),
        any::<bool>().prop_map(|retryable| Outcome::Failed { retryable }),
        Just(Outcome::TimedOut),
        Just(Outcome::Cancelled),
    ]
}

fn disposition() -> impl Strategy<Value = Disposition> {
    prop_oneof![
        Just(Disposition::Accepted),
        Just(Disposition::LateAccepted),
        Just(Disposition::Duplicate),
        Just(Disposition::Stale),
        Just(Disposition::Unknown),
    ]
}

fn judgement() -> impl Strategy<Value = Judgement> {
    prop_oneof![
        3 => Just(Judgement::Continue),
        3 => Just(Judgement::Send),
        2 => (1..4_u32).prop_map(|n| Judgement::Adopt { attempt: Attempt(n) }),
        1 => Just(Judgement::Cancel),
        1 => disposition().prop_map(|disposition| Judgement::Drop { disposition }),
        1 => Just(Judgement::Unknown),
    ]
}

fn assign() -> impl Strategy<Value = Assign> {
    let handler = prop_oneof![9 => Just(HANDLER), 1 => Just(FOREIGN)];
    let timeout = proptest::option::of((0..1_000_u64).prop_map(Duration::from_nanos));
    (key(), handler, timeout).prop_map(|(key, handler, timeout)| Assign { key, handler, timeout })
}

fn step() -> impl Strategy<Value = Step> {
    let message = |m: CoordinatorMessage| Step::Input(RunnerInput::Message(m));
    let any_place = 0..16_usize;
    let drain = prop_oneof![
        30 => Just(Step::PollAction),
        1 => Just(Step::Input(RunnerInput::Drain)),
        1 => Just(Step::Input(RunnerInput::HandBack)),
    ];
    prop_oneof![
        1 => Just(Step::Input(RunnerInput::Timeout)),
        2 => Just(Step::TimeoutAtDeadline),
        1 => any::<bool>().prop_map(|resumed| Step::Input(RunnerInput::Welcomed { resumed })),
        1 => (key(), judgement())
            .prop_map(|(key, judgement)| Step::Input(RunnerInput::Judged { key, judgement })),
        5 => (any_place.clone(), judgement())
            .prop_map(|(nth, judgement)| Step::JudgedNth { nth, judgement }),
        8 => assign().prop_map(move |assign| message(CoordinatorMessage::Assign(assign))),
        1 => (key(), disposition()).prop_map(move |(key, disposition)| {
            message(CoordinatorMessage::Settled { key, disposition })
        }),
        4 => (any_place.clone(), disposition())
            .prop_map(|(nth, disposition)| Step::SettledNth { nth, disposition }),
        1 => key().prop_map(move |key| message(CoordinatorMessage::Cancel { key })),
        1 => any_place.clone().prop_map(|nth| Step::CancelNth { nth }),
        2 => key().prop_map(move |key| message(CoordinatorMessage::Revoke { key })),
        1 => any_place.clone().prop_map(|nth| Step::WaitsNth { nth }),
        1 => any_place.clone().prop_map(|nth| Step::BeginsNth { nth }),
        6 => (any_place, outcome(), 0..9_u32)
            .prop_map(|(nth, outcome, len)| Step::DoneNth { nth, outcome, len }),
        1 => (0..40_u64, outcome(), 0..9_u32).prop_map(|(run, outcome, len)| {
            Step::Input(RunnerInput::Done { run: RunId(run), outcome, len })
        }),
        6 => drain,
        6 => Just(Step::PollMessage),
    ]
}

/// A history: before each step so many nanoseconds pass.
pub(crate) fn history(len: usize) -> impl Strategy<Value = Vec<(u64, Step)>> {
    proptest::collection::vec((0..60_u64, step()), len..=len)
}
