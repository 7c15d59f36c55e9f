//! Timelines: workers that take in what they are asked and do not answer it.

use crate::bench::*;
use moorline_work::*;

fn unanswered(worker: u128) -> DispatcherAction {
    DispatcherAction::Unanswered { worker: WorkerId(worker) }
}

/// Task 1 was handed over to worker 1 at 0 s and not accepted: it is asked at 10 s.
fn with_one_asked() -> Bench {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).submit(1).commit();
    bench.handed_over(1, key(1, 1)).at(10);
    assert!(bench.seen().contains(&revoke(1, key(1, 1))));
    bench
}

/// Task 1 runs on worker 1, which is told at 0 s to stop it.
fn with_one_cancelled() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.cancel(9, 1).commit();
    assert!(bench.seen().contains(&cancel(1, key(1, 1))));
    bench
}

#[test]
fn a_revoke_that_is_not_answered_ends_the_session_and_the_next_inventory_decides() {
    let mut bench = with_one_asked();
    bench.at(39);
    assert_eq!(bench.seen(), []);
    bench.at(40);
    assert_eq!(bench.seen(), [unanswered(1)]);
    bench.detach(1, 40).hush();
    assert_eq!(bench.state(1), TaskState::Leased, "nobody knows yet whether it runs");
    bench.register(1, 1, 1, false).end(1).commit();
    let requeue = Op::Requeue { key: key(1, 1), cause: RequeueCause::Returned };
    assert!(bench.ops().contains(&requeue), "it was not named");
    bench.active(1).commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 2))]);
}

#[test]
fn a_worker_that_runs_what_it_did_not_answer_for_keeps_it() {
    let mut bench = with_one_asked();
    bench.at(40).detach(1, 40).hush();
    bench.register(1, 1, 1, false).item(1, key(1, 1), running(0)).end(1).active(1).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Continue)]);
    bench.at(4_000);
    assert_eq!(bench.seen(), [], "nothing is asked of who said that it runs");
}

#[test]
fn a_worker_that_owes_many_answers_is_told_once() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 3).submit(1).submit(2).submit(3).commit();
    for task in 1..=3 {
        bench.handed_over(1, key(task, 1));
    }
    bench.at(10).hush().at(400);
    assert_eq!(bench.seen(), [unanswered(1)]);
}

#[test]
fn a_handler_that_does_not_stop_is_asked_for_and_costs_its_worker_nothing() {
    let mut bench = with_one_cancelled();
    bench.at(29);
    assert_eq!(bench.seen(), []);
    for asked in [30, 60, 90] {
        bench.at(asked);
        assert_eq!(bench.seen(), [revoke(1, key(1, 1))]);
        assert!(bench.dispatcher.leases().all(|lease| lease.accepted), "it was and is");
        bench.says(1, 1, WorkerMessage::Held { key: key(1, 1) });
    }
    bench.result(1, key(1, 1), Outcome::Cancelled).commit();
    assert_eq!(bench.state(1), TaskState::Cancelled);
    bench.hush().at(4_000);
    assert_eq!(bench.seen(), []);
}

#[test]
fn a_cancelled_attempt_that_is_not_there_any_more_ends() {
    let mut bench = with_one_cancelled();
    bench.at(30);
    bench.says(1, 1, WorkerMessage::NotHeld { key: key(1, 1) });
    bench.commit();
    assert_eq!(bench.state(1), TaskState::Cancelled);
}

#[test]
fn a_worker_that_neither_stops_nor_answers_loses_its_session() {
    let mut bench = with_one_cancelled();
    bench.at(59);
    assert_eq!(bench.seen(), [revoke(1, key(1, 1))]);
    bench.at(60);
    assert_eq!(bench.seen(), [unanswered(1)]);
    bench.detach(1, 60).register(1, 1, 1, false).end(1).commit();
    assert_eq!(bench.state(1), TaskState::Cancelled, "it has it no more");
}

#[test]
fn a_client_that_cancels_again_and_again_does_not_put_the_question_off() {
    let mut bench = with_one_cancelled();
    for second in [10, 20] {
        bench.at(second).cancel(second, 1).commit();
    }
    bench.hush().at(30);
    assert_eq!(bench.seen(), [revoke(1, key(1, 1))]);
}

#[test]
fn no_clock_runs_while_the_worker_is_away() {
    let mut bench = with_one_asked();
    bench.at(35).detach(1, 35).hush().at(60);
    assert_eq!(bench.seen(), [], "it cannot answer");
    bench.register(1, 1, 1, true).end(1).active(1).hush().at(89);
    assert_eq!(bench.seen(), [], "the lane goes on: the answer has its whole time again");
    bench.at(90);
    assert_eq!(bench.seen(), [unanswered(1)]);
}

#[test]
fn a_worker_that_said_it_still_has_it_is_asked_again_after_the_whole_time() {
    let mut bench = with_one_cancelled();
    bench.at(40);
    assert_eq!(bench.seen(), [revoke(1, key(1, 1))]);
    bench.says(1, 1, WorkerMessage::Held { key: key(1, 1) });
    bench.at(69);
    assert_eq!(bench.seen(), []);
    bench.at(70);
    assert_eq!(bench.seen(), [revoke(1, key(1, 1))]);
}

#[test]
fn nothing_is_waited_for_while_nothing_is_owed() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    assert_eq!(bench.dispatcher.next_wake(), Wake::OnInput);
    bench.register(1, 1, 1, true).end(1).active(1);
    assert_eq!(bench.dispatcher.next_wake(), Wake::OnInput);
}
