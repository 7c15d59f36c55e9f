//! Timelines: an ended task that a client wants to run again.

use crate::bench::*;
use moorline_work::*;

/// One worker of one slot, whose only task has failed for the last time.
fn failed() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(1, 1), Outcome::Failed { retryable: false }).commit().hush();
    assert_eq!(bench.state(1), TaskState::Failed);
    bench
}

#[test]
fn a_failed_task_is_given_out_again_under_its_next_attempt() {
    let mut bench = failed();
    bench.retry(7, 1, 1);
    assert_eq!(bench.seen(), [], "nobody hears of it before it is durable");
    bench.commit();
    assert_eq!(bench.seen(), [reply(7, Reply::Retried), assign(1, key(1, 2))]);
    bench.result(1, key(1, 2), Outcome::Succeeded).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn a_retry_of_a_task_nobody_can_run_now_waits_for_a_worker() {
    let mut bench = Bench::new(unguarded());
    bench.submit(1).commit();
    bench.cancel(6, 1).commit();
    bench.retry(7, 1, 0).commit();
    bench.hush();
    bench.join(1, 1, 1).commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 1))]);
}

#[test]
fn a_retry_goes_before_what_is_less_urgent_and_already_in_memory() {
    let mut bench = Bench::with_one_running(unguarded(), TaskSpec { priority: 5, ..spec(H) });
    bench.result(1, key(1, 1), Outcome::Failed { retryable: false }).commit();
    bench.submit(2).submit(3).submit(4).commit();
    bench.retry(7, 1, 1).commit();
    bench.hush();
    bench.result(1, key(2, 1), Outcome::Succeeded).commit();
    bench.result(1, key(3, 1), Outcome::Succeeded).commit();
    // Asked when the first slot was free, the store answered for the one after it.
    assert_eq!(bench.ops().iter().filter_map(leased).collect::<Vec<_>>(), [key(3, 1), key(1, 2)]);
}

fn leased(op: &Op) -> Option<TaskKey> {
    if let Op::Lease { key, .. } = op { Some(*key) } else { None }
}

#[test]
fn a_retry_of_what_has_a_result_or_runs_or_never_was_says_so() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.hush();
    bench.retry(7, 1, 1).retry(8, 99, 1).commit();
    assert_eq!(bench.seen(), [reply(7, Reply::NotEnded), reply(8, Reply::NotFound)]);
    bench.result(1, key(1, 1), Outcome::Succeeded).commit().hush();
    bench.retry(9, 1, 1).commit();
    assert_eq!(bench.seen(), [reply(9, Reply::AlreadyEnded)]);
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn a_request_that_comes_twice_retries_once() {
    let mut bench = failed();
    bench.retry(7, 1, 1).retry(8, 1, 1).commit();
    let seen = bench.seen();
    assert_eq!(seen[..2], [reply(7, Reply::Retried), reply(8, Reply::NotEnded)]);
    bench.result(1, key(1, 2), Outcome::Failed { retryable: false }).commit().hush();
    bench.retry(9, 1, 1).commit();
    assert_eq!(bench.seen(), [reply(9, Reply::NotEnded)], "it is about an attempt of before");
    assert_eq!(bench.state(1), TaskState::Failed);
}

#[test]
fn a_cancel_of_before_is_forgotten_and_one_behind_the_retry_counts() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.cancel(5, 1).commit();
    bench.result(1, key(1, 1), Outcome::Cancelled).commit().hush();
    bench.retry(7, 1, 1).commit();
    assert_eq!(bench.seen(), [reply(7, Reply::Retried), assign(1, key(1, 2))]);
    bench.result(1, key(1, 2), Outcome::Failed { retryable: false }).commit().hush();
    // Both are on their way to the store at once: the second one sees what the first one did.
    bench.retry(8, 1, 2).cancel(9, 1).commit();
    let seen = bench.seen();
    assert_eq!(seen, [reply(8, Reply::Retried), ended(1), reply(9, Reply::Cancelled)]);
    assert_eq!(bench.state(1), TaskState::Cancelled);
}

#[test]
fn a_success_of_an_attempt_before_the_retry_ends_the_task_once() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).submit(1).commit();
    bench.handed_over(1, key(1, 1)).says(1, 1, WorkerMessage::Accept { key: key(1, 1) });
    bench.result(1, key(1, 1), Outcome::Failed { retryable: false }).commit();
    bench.retry(7, 1, 1).commit();
    bench.hush();
    // Attempt 2 is under way; the worker says after all that attempt 1 was a success.
    bench.result(1, key(1, 1), Outcome::Succeeded).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
    assert!(bench.seen().contains(&settled(1, key(1, 1), Disposition::LateAccepted)));
    bench.result(1, key(1, 2), Outcome::Succeeded).commit();
    assert!(bench.seen().contains(&settled(1, key(1, 2), Disposition::Stale)));
}
