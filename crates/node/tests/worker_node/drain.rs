//! Leaving on purpose.

use bytes::Bytes;
use moorline_link::*;
use moorline_node::*;
use moorline_work::{AbortReason, Outcome, Refusal, WorkerMessage};

use crate::script::{Rig, SECOND, key, name, pattern};

#[test]
fn a_drain_says_goodbye_after_the_last_result_is_settled() {
    let mut rig = Rig::active();
    let (first, second) = (rig.assign(key(1, 1)), rig.assign(key(2, 1)));
    rig.exchange();
    rig.input(WorkerInput::Stop { within: 30 * SECOND });
    rig.exchange();
    let head = ToWorker::Assign { key: key(3, 1), handler: name("hash"), timeout: None };
    rig.say(head, pattern(1));
    rig.exchange();
    let refused = WorkerMessage::Refuse { key: key(3, 1), refusal: Refusal::Draining };
    assert_eq!(rig.script.messages.last().map(|(_, message, _)| *message), Some(refused));

    rig.done(first, pattern(3));
    rig.exchange();
    rig.settle(key(1, 1));
    rig.run_for(6 * SECOND);
    rig.done(second, pattern(100_000));
    rig.run_for(6 * SECOND);
    assert_eq!(rig.script.goodbye, None, "the last result is not settled");
    assert!(rig.script.beats > 1, "beats go on");

    rig.settle(key(2, 1));
    rig.exchange();
    assert_eq!(rig.script.goodbye, Some(Reason::WorkerStopping));
    assert_eq!(rig.node.state(), State::Shutdown);
    assert_eq!(rig.node.next_wake(), Wake::OnInput);
}

#[test]
fn an_idle_worker_leaves_at_once() {
    let mut rig = Rig::active();
    rig.input(WorkerInput::Stop { within: 30 * SECOND });
    rig.exchange();
    assert_eq!(rig.script.goodbye, Some(Reason::WorkerStopping));
    assert_eq!(rig.node.state(), State::Shutdown);
}

#[test]
fn a_drain_hands_back_what_it_stopped_at_its_deadline_and_a_success_that_came_first_counts() {
    let mut rig = Rig::active();
    let runs = [1, 2].map(|task| rig.assign(key(task, 1)));
    rig.exchange();
    rig.input(WorkerInput::Stop { within: 30 * SECOND });
    rig.run_for(29 * SECOND);
    let stops = |rig: &Rig| {
        let abort = |task: u128, run| WorkerAction::Abort {
            run,
            key: key(task, 1),
            reason: AbortReason::HandedBack,
        };
        [abort(1, runs[0]), abort(2, runs[1])].map(|abort| rig.actions.contains(&abort))
    };
    assert_eq!(stops(&rig), [false, false]);
    rig.run_for(2 * SECOND);
    assert_eq!(stops(&rig), [true, true]);
    assert_eq!(rig.script.goodbye, None, "they have not stopped");

    let (run, outcome, body) = (runs[0], Outcome::Cancelled, Bytes::new());
    rig.input(WorkerInput::Done { run, outcome, body });
    let handed_back = WorkerAction::Event(WorkerEvent::HandedBack { key: key(1, 1) });
    assert!(rig.actions.contains(&handed_back));
    rig.done(runs[1], pattern(3));
    rig.exchange();
    assert_eq!(rig.last_result(), Some((Seq(1), key(2, 1), pattern(3))));
    let results = rig.script.messages.iter();
    let results = results.filter(|(_, message, _)| matches!(message, WorkerMessage::Result { .. }));
    assert_eq!(results.count(), 1, "what is handed back has no result");
    assert_eq!(rig.script.goodbye, Some(Reason::WorkerStopping));
    assert_eq!(rig.node.state(), State::Shutdown);
}

#[test]
fn a_drain_without_a_connection_waits_for_one_while_something_is_owed() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    rig.cut();
    rig.done(run, pattern(2));
    rig.input(WorkerInput::Stop { within: 100 * SECOND });
    assert_ne!(rig.node.state(), State::Shutdown);
    rig.connect(false);
    assert_eq!(rig.last_result(), Some((Seq(1), key(1, 1), pattern(2))));
    rig.settle(key(1, 1));
    rig.exchange();
    assert_eq!(rig.script.goodbye, Some(Reason::WorkerStopping));
}

#[test]
fn a_task_that_takes_too_long_is_stopped_also_while_offline() {
    let mut config = crate::script::config();
    config.runner.task_timeout = Some(3 * SECOND);
    let mut rig = Rig::new(config);
    rig.connect(false);
    let run = rig.assign(key(1, 1));
    rig.cut();
    let timer = WorkerTimer::Runner(moorline_work::RunnerTimer::RunDeadline);
    loop {
        let Wake::At { deadline, timer: next } = rig.node.next_wake() else {
            panic!("a deadline is armed")
        };
        rig.now = deadline;
        rig.input(WorkerInput::Timeout);
        if next == timer {
            break;
        }
    }
    let reason = AbortReason::TimedOut;
    let abort = WorkerAction::Abort { run, key: key(1, 1), reason };
    assert!(rig.actions.contains(&abort));
}
