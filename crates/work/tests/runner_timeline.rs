//! A runner's life as timelines: what comes in, what it says, what it does.

use core::time::Duration;

use moorline_work::*;

const HASH: Sym = Sym(1);

fn key(task: u128, attempt: u32) -> TaskKey {
    TaskKey { task: TaskId(task), attempt: Attempt(attempt) }
}

/// A runner, its clock, and short words for what one does with it.
struct Line {
    runner: Runner,
    now: Instant,
}

impl Line {
    fn new(slots: u16) -> Self {
        Self::with(RunnerConfig { slots, task_timeout: None })
    }

    fn with(config: RunnerConfig) -> Self {
        let mut line = Self { runner: Runner::new(config, [HASH]), now: Instant::from_nanos(7) };
        line.welcomed(false);
        line
    }

    fn at(&mut self, millis: u64) -> &mut Self {
        self.now = Instant::from_nanos(7) + Duration::from_millis(millis);
        self
    }

    fn input(&mut self, input: RunnerInput) -> RunnerVerdict {
        self.runner.handle(self.now, input)
    }

    fn message(&mut self, message: CoordinatorMessage) -> RunnerVerdict {
        self.input(RunnerInput::Message(message))
    }

    fn welcomed(&mut self, resumed: bool) {
        self.input(RunnerInput::Welcomed { resumed });
    }

    fn judged(&mut self, key: TaskKey, judgement: Judgement) -> RunnerVerdict {
        self.input(RunnerInput::Judged { key, judgement })
    }

    fn assign(&mut self, key: TaskKey) -> RunnerVerdict {
        self.message(CoordinatorMessage::Assign(Assign { key, handler: HASH, timeout: None }))
    }

    fn start(&mut self, key: TaskKey) -> RunId {
        match self.assign(key) {
            RunnerVerdict::Started { run, .. } => run,
            verdict @ (RunnerVerdict::Accepted
            | RunnerVerdict::NotStarted
            | RunnerVerdict::Stale) => panic!("not started: {verdict:?}"),
        }
    }

    /// Starts a run and lets its accept go.
    fn started(&mut self, key: TaskKey) -> RunId {
        let run = self.start(key);
        self.says([WorkerMessage::Accept { key }]);
        run
    }

    fn done(&mut self, run: RunId, outcome: Outcome) {
        assert_eq!(self.input(RunnerInput::Done { run, outcome, len: 3 }), RunnerVerdict::Accepted);
    }

    fn settle(&mut self, key: TaskKey, disposition: Disposition) -> RunnerVerdict {
        self.message(CoordinatorMessage::Settled { key, disposition })
    }

    /// Takes all messages and compares them.
    #[track_caller]
    fn says<const N: usize>(&mut self, expected: [WorkerMessage; N]) {
        let said: Vec<_> = core::iter::from_fn(|| self.runner.poll_message()).collect();
        assert_eq!(said, expected);
    }

    /// Takes all actions and compares them.
    #[track_caller]
    fn does<const N: usize>(&mut self, expected: [RunnerAction; N]) {
        let done: Vec<_> = core::iter::from_fn(|| self.runner.poll_action()).collect();
        assert_eq!(done, expected);
    }

    #[track_caller]
    fn lists<const N: usize>(&self, expected: [(TaskKey, Holding); N]) {
        let listed: Vec<_> =
            self.runner.inventory().map(|(key, _, holding)| (key, holding)).collect();
        assert_eq!(listed, expected);
    }
}

fn result(key: TaskKey, outcome: Outcome) -> WorkerMessage {
    WorkerMessage::Result { key, outcome }
}

fn refuse(key: TaskKey, refusal: Refusal) -> WorkerMessage {
    WorkerMessage::Refuse { key, refusal }
}

const RUNNING: Holding = Holding::Running { progress: 0 };
const OK: Outcome = Outcome::Succeeded;
const FAILED: Outcome = Outcome::Failed { retryable: true };

#[test]
fn an_assignment_is_accepted_run_and_offered_until_it_is_settled() {
    let mut line = Line::new(1);
    let run = line.started(key(1, 1));
    assert_eq!(line.runner.free(), 0);

    line.at(10).done(run, OK);
    assert_eq!(line.runner.free(), 1);
    line.says([result(key(1, 1), OK)]);
    assert!(line.runner.owes());

    assert_eq!(line.settle(key(1, 1), Disposition::Stale), RunnerVerdict::Accepted);
    line.does([RunnerAction::Settled { run, key: key(1, 1), disposition: Disposition::Stale }]);
    assert!(!line.runner.owes());
    assert_eq!(line.settle(key(1, 1), Disposition::Stale), RunnerVerdict::Stale);
}

#[test]
fn the_slot_of_a_finished_run_is_free_before_its_result_is_answered() {
    let mut line = Line::new(1);
    let run = line.started(key(1, 1));
    line.done(run, OK);
    line.start(key(2, 1));
}

#[test]
fn the_accept_is_ahead_of_everything_else_of_its_attempt() {
    let mut line = Line::new(2);
    let first = line.start(key(1, 1));
    line.done(first, OK);
    line.message(CoordinatorMessage::Revoke { key: key(2, 1) });
    line.start(key(3, 1));
    line.message(CoordinatorMessage::Revoke { key: key(3, 1) });
    line.says([
        WorkerMessage::Accept { key: key(1, 1) },
        WorkerMessage::NotHeld { key: key(2, 1) },
        WorkerMessage::Accept { key: key(3, 1) },
        WorkerMessage::Held { key: key(3, 1) },
        result(key(1, 1), OK),
    ]);
}

#[test]
fn the_same_assignment_twice_runs_once_and_is_answered_again() {
    let mut line = Line::new(2);
    let run = line.started(key(1, 1));
    assert_eq!(line.assign(key(1, 1)), RunnerVerdict::NotStarted);
    assert_eq!(line.assign(key(1, 1)), RunnerVerdict::NotStarted);
    line.says([WorkerMessage::Accept { key: key(1, 1) }]);

    line.done(run, OK);
    assert_eq!(line.assign(key(1, 1)), RunnerVerdict::NotStarted);
    line.says([result(key(1, 1), OK)]);
    assert_eq!(line.assign(key(1, 1)), RunnerVerdict::NotStarted);
    line.says([]);
}

#[test]
fn what_cannot_run_is_refused_with_the_reason() {
    let mut line = Line::new(1);
    let foreign = Assign { key: key(9, 1), handler: Sym(2), timeout: None };
    assert_eq!(line.message(CoordinatorMessage::Assign(foreign)), RunnerVerdict::NotStarted);
    line.says([refuse(key(9, 1), Refusal::UnknownHandler)]);

    line.started(key(1, 1));
    assert_eq!(line.assign(key(2, 1)), RunnerVerdict::NotStarted);
    line.says([refuse(key(2, 1), Refusal::NoSlot)]);

    line.input(RunnerInput::Drain);
    assert_eq!(line.assign(key(3, 1)), RunnerVerdict::NotStarted);
    line.says([refuse(key(3, 1), Refusal::Draining)]);
    // What is held already is not refused by a drain.
    assert_eq!(line.assign(key(1, 1)), RunnerVerdict::NotStarted);
    line.says([WorkerMessage::Accept { key: key(1, 1) }]);
}

#[test]
fn a_revoke_of_what_runs_or_is_finished_is_answered_held() {
    let mut line = Line::new(1);
    let run = line.started(key(1, 1));
    line.message(CoordinatorMessage::Revoke { key: key(1, 1) });
    line.says([WorkerMessage::Held { key: key(1, 1) }]);
    line.done(run, OK);
    line.message(CoordinatorMessage::Revoke { key: key(1, 1) });
    line.says([WorkerMessage::Held { key: key(1, 1) }, result(key(1, 1), OK)]);
}

#[test]
fn an_assignment_that_comes_after_its_revoke_is_refused_once() {
    let mut line = Line::new(1);
    line.message(CoordinatorMessage::Revoke { key: key(1, 1) });
    line.says([WorkerMessage::NotHeld { key: key(1, 1) }]);
    assert_eq!(line.assign(key(1, 1)), RunnerVerdict::NotStarted);
    line.says([refuse(key(1, 1), Refusal::Revoked)]);
    // It has arrived: nothing of it is under way any more.
    line.start(key(1, 1));
}

#[test]
fn a_revoked_key_is_refused_in_a_resumed_session_and_forgotten_in_a_new_one() {
    let mut line = Line::new(1);
    line.message(CoordinatorMessage::Revoke { key: key(1, 1) });
    line.message(CoordinatorMessage::Revoke { key: key(2, 1) });
    line.welcomed(true);
    line.says([
        WorkerMessage::NotHeld { key: key(1, 1) },
        WorkerMessage::NotHeld { key: key(2, 1) },
    ]);
    assert_eq!(line.assign(key(1, 1)), RunnerVerdict::NotStarted);
    line.welcomed(false);
    line.says([]);
    line.start(key(2, 1));
}

#[test]
fn a_cancelled_run_is_stopped_once_and_ends_cancelled() {
    let mut line = Line::new(1);
    let run = line.started(key(1, 1));
    line.message(CoordinatorMessage::Cancel { key: key(1, 1) });
    line.message(CoordinatorMessage::Cancel { key: key(1, 1) });
    line.does([RunnerAction::Abort { run, key: key(1, 1), reason: AbortReason::Cancelled }]);
    assert_eq!(line.runner.free(), 0, "it uses its slot until it has stopped");
    line.done(run, FAILED);
    line.says([result(key(1, 1), Outcome::Cancelled)]);
}

#[test]
fn a_success_wins_over_the_cancel_that_came_before_it() {
    let mut line = Line::new(1);
    let run = line.started(key(1, 1));
    line.message(CoordinatorMessage::Cancel { key: key(1, 1) });
    line.done(run, OK);
    line.does([]);
    line.says([result(key(1, 1), OK)]);
}

#[test]
fn the_result_of_a_finished_run_is_offered_though_it_is_cancelled() {
    let mut line = Line::new(1);
    let run = line.started(key(1, 1));
    line.done(run, FAILED);
    line.message(CoordinatorMessage::Cancel { key: key(1, 1) });
    line.does([]);
    line.says([result(key(1, 1), FAILED)]);
}

#[test]
fn a_cancel_of_what_is_not_held_changes_nothing() {
    let mut line = Line::new(1);
    let before = line.runner.clone();
    let cancel = CoordinatorMessage::Cancel { key: key(1, 1) };
    assert_eq!(line.message(cancel), RunnerVerdict::Stale);
    assert_eq!(line.runner, before);
}

#[test]
fn a_run_that_takes_too_long_is_stopped_and_ends_timed_out() {
    let task_timeout = Some(Duration::from_millis(100));
    let mut line = Line::with(RunnerConfig { slots: 2, task_timeout });
    let slow = line.started(key(1, 1));
    let timeout = Some(Duration::from_millis(40));
    let assign = Assign { key: key(2, 1), handler: HASH, timeout };
    let verdict = line.message(CoordinatorMessage::Assign(assign));
    let deadline = Instant::from_nanos(7) + Duration::from_millis(40);
    assert_eq!(verdict, RunnerVerdict::Started { run: RunId(2), assign, deadline: Some(deadline) });
    assert_eq!(line.runner.deadline(RunId(2)), Some(deadline));
    line.says([WorkerMessage::Accept { key: key(2, 1) }]);

    line.at(39).input(RunnerInput::Timeout);
    line.does([]);
    let timer = RunnerTimer::RunDeadline;
    assert_eq!(line.runner.next_wake(), Wake::At { deadline, timer });

    line.at(40).input(RunnerInput::Timeout);
    assert_eq!(line.runner.next_wake(), Wake::Now);
    let reason = AbortReason::TimedOut;
    line.does([RunnerAction::Abort { run: RunId(2), key: key(2, 1), reason }]);
    line.done(RunId(2), FAILED);
    line.says([result(key(2, 1), Outcome::TimedOut)]);

    line.at(100).input(RunnerInput::Timeout);
    line.does([RunnerAction::Abort { run: slow, key: key(1, 1), reason }]);
    assert_eq!(line.runner.next_wake(), Wake::OnInput);
}

#[test]
fn the_first_reason_to_stop_stands() {
    let mut line = Line::with(RunnerConfig { slots: 1, task_timeout: Some(Duration::ZERO) });
    let run = line.started(key(1, 1));
    line.input(RunnerInput::Timeout);
    line.message(CoordinatorMessage::Cancel { key: key(1, 1) });
    line.does([RunnerAction::Abort { run, key: key(1, 1), reason: AbortReason::TimedOut }]);
    line.done(run, Outcome::Cancelled);
    line.says([result(key(1, 1), Outcome::TimedOut)]);
}

#[test]
fn in_a_new_session_results_wait_for_the_answer_and_go_again() {
    let mut line = Line::new(3);
    let first = line.started(key(1, 1));
    let second = line.started(key(2, 1));
    line.started(key(3, 1));
    line.done(second, FAILED);
    line.says([result(key(2, 1), FAILED)]);
    line.done(first, OK);

    line.welcomed(false);
    line.lists([
        (key(1, 1), Holding::Finished { outcome: OK, len: 3 }),
        (key(2, 1), Holding::Finished { outcome: FAILED, len: 3 }),
        (key(3, 1), RUNNING),
    ]);
    line.says([]);
    line.judged(key(1, 1), Judgement::Send);
    line.judged(key(2, 1), Judgement::Continue);
    line.judged(key(3, 1), Judgement::Continue);
    line.says([result(key(2, 1), FAILED), result(key(1, 1), OK)]);
}

#[test]
fn accepts_of_an_old_session_are_void_and_those_of_a_resumed_one_are_said() {
    let mut line = Line::new(2);
    line.start(key(1, 1));
    line.welcomed(true);
    line.says([WorkerMessage::Accept { key: key(1, 1) }]);
    line.start(key(2, 1));
    line.welcomed(false);
    line.says([]);
    line.lists([(key(1, 1), RUNNING), (key(2, 1), RUNNING)]);
}

#[test]
fn a_result_the_lane_of_a_resumed_session_has_is_neither_listed_nor_said_twice() {
    let mut line = Line::new(2);
    let handed = line.started(key(1, 1));
    let kept = line.started(key(2, 1));
    line.done(handed, OK);
    line.says([result(key(1, 1), OK)]);
    line.done(kept, OK);

    line.welcomed(true);
    line.lists([(key(2, 1), Holding::Finished { outcome: OK, len: 3 })]);
    assert_eq!(line.judged(key(1, 1), Judgement::Send), RunnerVerdict::Stale);
    line.judged(key(2, 1), Judgement::Send);
    line.says([result(key(2, 1), OK)]);
}

#[test]
fn what_finishes_between_the_inventory_and_its_answer_is_sent_after_it() {
    for judgement in [Judgement::Continue, Judgement::Send, Judgement::Cancel] {
        let mut line = Line::new(1);
        let run = line.started(key(1, 1));
        line.welcomed(false);
        line.lists([(key(1, 1), RUNNING)]);
        line.done(run, OK);
        line.says([]);
        assert_eq!(line.judged(key(1, 1), judgement), RunnerVerdict::Accepted);
        line.does([]);
        line.says([result(key(1, 1), OK)]);
        assert_eq!(line.judged(key(1, 1), judgement), RunnerVerdict::Stale);
    }
}

#[test]
fn an_adopted_run_goes_on_under_its_new_number() {
    let mut line = Line::new(2);
    let going_on = line.started(key(1, 1));
    let ending = line.started(key(2, 1));
    line.welcomed(false);
    line.done(ending, OK);
    line.judged(key(1, 1), Judgement::Adopt { attempt: Attempt(4) });
    line.judged(key(2, 1), Judgement::Adopt { attempt: Attempt(5) });
    line.says([result(key(2, 5), OK)]);
    line.does([]);

    line.message(CoordinatorMessage::Revoke { key: key(1, 1) });
    line.message(CoordinatorMessage::Revoke { key: key(1, 4) });
    line.says([WorkerMessage::NotHeld { key: key(1, 1) }, WorkerMessage::Held { key: key(1, 4) }]);
    line.done(going_on, OK);
    line.says([result(key(1, 4), OK)]);
    assert_eq!(line.settle(key(1, 1), Disposition::Accepted), RunnerVerdict::Stale);
    let disposition = Disposition::Accepted;
    assert_eq!(line.settle(key(1, 4), disposition), RunnerVerdict::Accepted);
    line.does([RunnerAction::Settled { run: going_on, key: key(1, 4), disposition }]);
}

#[test]
fn a_run_adopted_under_a_number_that_runs_here_is_given_up() {
    let mut line = Line::new(2);
    let old = line.started(key(1, 1));
    line.started(key(1, 2));
    line.welcomed(false);
    line.judged(key(1, 1), Judgement::Adopt { attempt: Attempt(2) });
    line.does([RunnerAction::Abort { run: old, key: key(1, 1), reason: AbortReason::Cancelled }]);
    line.lists([(key(1, 2), RUNNING)]);
}

#[test]
fn an_inventory_judged_cancel_stops_the_run_and_its_end_is_said() {
    let mut line = Line::new(1);
    let run = line.started(key(1, 1));
    line.welcomed(false);
    line.judged(key(1, 1), Judgement::Cancel);
    line.does([RunnerAction::Abort { run, key: key(1, 1), reason: AbortReason::Cancelled }]);
    line.done(run, Outcome::Cancelled);
    line.says([result(key(1, 1), Outcome::Cancelled)]);
}

#[test]
fn what_the_coordinator_does_not_want_is_forgotten_and_its_body_may_go() {
    let mut line = Line::new(2);
    let finished = line.started(key(1, 1));
    let running = line.started(key(2, 1));
    line.done(finished, OK);
    line.welcomed(false);
    let disposition = Disposition::Duplicate;
    line.judged(key(1, 1), Judgement::Drop { disposition });
    line.judged(key(2, 1), Judgement::Unknown);
    line.does([
        RunnerAction::Abort { run: running, key: key(2, 1), reason: AbortReason::Cancelled },
        RunnerAction::Settled { run: finished, key: key(1, 1), disposition },
    ]);
    line.lists([]);
    assert!(line.runner.owes(), "its handler has not stopped yet");

    line.done(running, OK);
    let disposition = Disposition::Unknown;
    line.does([RunnerAction::Settled { run: running, key: key(2, 1), disposition }]);
    line.says([]);
    assert!(!line.runner.owes());
}

/// A coordinator with a fresh memory gives the same number again: it is new work.
#[test]
fn a_forgotten_key_may_be_assigned_again_while_its_old_run_still_stops() {
    let mut line = Line::new(2);
    let old = line.started(key(1, 1));
    line.welcomed(false);
    line.judged(key(1, 1), Judgement::Unknown);
    line.does([RunnerAction::Abort { run: old, key: key(1, 1), reason: AbortReason::Cancelled }]);
    let new = line.started(key(1, 1));
    line.done(old, OK);
    line.done(new, FAILED);
    line.says([result(key(1, 1), FAILED)]);
}

#[test]
fn no_timer_is_left_of_a_run_that_was_told_to_stop() {
    let timeout = Some(Duration::from_secs(1));
    let mut line = Line::with(RunnerConfig { slots: 1, task_timeout: timeout });
    let run = line.started(key(1, 1));
    line.message(CoordinatorMessage::Cancel { key: key(1, 1) });
    line.does([RunnerAction::Abort { run, key: key(1, 1), reason: AbortReason::Cancelled }]);
    assert_eq!(line.runner.next_wake(), Wake::OnInput);
}

#[test]
fn no_timer_is_left_of_a_run_that_ended_in_time() {
    let timeout = Some(Duration::from_secs(1));
    let mut line = Line::with(RunnerConfig { slots: 1, task_timeout: timeout });
    let run = line.started(key(1, 1));
    assert!(line.runner.next_wake().deadline().is_some());
    line.done(run, OK);
    assert_eq!(line.runner.next_wake(), Wake::OnInput);
}

#[test]
fn what_is_handed_back_is_stopped_and_nothing_is_said_of_it() {
    let mut line = Line::new(2);
    let run = line.started(key(1, 1));
    let finished = line.started(key(2, 1));
    line.done(finished, OK);
    line.says([result(key(2, 1), OK)]);
    line.input(RunnerInput::HandBack);
    line.does([RunnerAction::Abort { run, key: key(1, 1), reason: AbortReason::HandedBack }]);
    assert!(line.runner.owes(), "it has not stopped");
    line.done(run, FAILED);
    line.does([RunnerAction::HandedBack { run, key: key(1, 1) }]);
    line.says([]);
    line.lists([]);
    assert_eq!(line.runner.free(), 2);
    assert!(!line.runner.owes(), "the answer to the other one is not waited for");
    line.message(CoordinatorMessage::Revoke { key: key(1, 1) });
    line.says([WorkerMessage::NotHeld { key: key(1, 1) }]);
}

#[test]
fn a_success_in_spite_of_being_handed_back_is_owed_and_so_is_the_end_of_a_cancelled_run() {
    let mut line = Line::new(2);
    let cancelled = line.started(key(1, 1));
    let run = line.started(key(2, 1));
    line.message(CoordinatorMessage::Cancel { key: key(1, 1) });
    line.input(RunnerInput::HandBack);
    line.does([
        RunnerAction::Abort { run: cancelled, key: key(1, 1), reason: AbortReason::Cancelled },
        RunnerAction::Abort { run, key: key(2, 1), reason: AbortReason::HandedBack },
    ]);
    line.done(cancelled, FAILED);
    line.done(run, OK);
    assert!(line.runner.owes(), "neither is with the lane");
    line.says([result(key(1, 1), Outcome::Cancelled), result(key(2, 1), OK)]);
    assert!(!line.runner.owes());
}

#[test]
fn a_runner_says_whether_it_drains_and_which_key_is_behind_a_run() {
    let mut line = Line::new(2);
    let run = line.started(key(1, 1));
    assert_eq!(
        (line.runner.key_of(run), line.runner.run_of(key(1, 1))),
        (Some(key(1, 1)), Some(run))
    );
    assert_eq!(line.runner.key_of(RunId(99)), None);
    assert!(!line.runner.is_draining());
    line.input(RunnerInput::Drain);
    assert!(line.runner.is_draining());
}
