//! Timelines: clients, windows, and who gets what.

use crate::bench::*;
use moorline_work::*;

fn leased(bench: &mut Bench) -> Vec<(u128, u128)> {
    bench
        .ops()
        .iter()
        .filter_map(|op| match op {
            Op::Lease { key, worker, .. } => Some((key.task.0, worker.0)),
            Op::Submit { task, placement: Placement::Leased { worker, .. }, .. } => {
                Some((task.0, worker.0))
            }
            Op::Submit { placement: Placement::Claimed | Placement::Unclaimed, .. }
            | Op::Claim { .. }
            | Op::Unclaim { .. }
            | Op::Leases
            | Op::Lookup { .. }
            | Op::Adopt { .. }
            | Op::Requeue { .. }
            | Op::Finish { .. }
            | Op::Cancel { .. }
            | Op::Retry { .. } => None,
        })
        .collect()
}

#[test]
fn a_client_is_answered_when_its_task_is_durable_and_not_before() {
    let mut bench = Bench::new(unguarded());
    bench.submit(1);
    assert_eq!(bench.seen(), []);
    bench.commit();
    assert_eq!(bench.seen(), [reply(1, Reply::Submitted { again: false })]);
}

#[test]
fn the_same_task_again_is_acknowledged_and_another_under_its_id_is_refused() {
    let mut bench = Bench::new(unguarded());
    bench.submit(1).submit(1).submit_spec(1, spec(OTHER)).commit();
    assert_eq!(
        bench.seen(),
        [
            reply(1, Reply::Submitted { again: false }),
            reply(1, Reply::Submitted { again: true }),
            reply(1, Reply::IdTaken),
        ]
    );
}

#[test]
fn an_assignment_is_sent_when_its_lease_is_durable_and_not_before() {
    let mut bench = Bench::with_one_asked_for();
    assert_eq!(bench.seen(), []);
    bench.commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 1))]);
}

#[test]
fn a_task_goes_to_the_worker_with_most_free_slots_and_ties_go_by_id() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).join(3, 1, 2).join(2, 1, 2).commit().hush();
    for task in 1..=6 {
        bench.submit(task).commit();
    }
    assert_eq!(leased(&mut bench), [(1, 2), (2, 3), (3, 1), (4, 2), (5, 3)]);
    assert_eq!(bench.state(6), TaskState::Queued);
}

#[test]
fn a_freed_slot_gets_the_highest_priority_of_all_its_handlers_then_the_oldest() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1);
    bench.input(DispatcherInput::Offer { worker: WorkerId(1), handler: OTHER });
    bench.submit(1).commit();
    for (task, handler, priority) in [(2, H, 0), (3, OTHER, 5), (4, H, 5), (5, OTHER, 9)] {
        bench.submit_spec(task, TaskSpec { priority, ..spec(handler) });
    }
    bench.commit().hush();
    let mut order = Vec::new();
    for task in [1, 5, 3, 4] {
        bench.result(1, key(task, 1), Outcome::Succeeded).commit();
        order.extend(leased(&mut bench));
    }
    assert_eq!(order, [(5, 1), (3, 1), (4, 1), (2, 1)]);
}

#[test]
fn tasks_that_nobody_can_run_never_hide_others() {
    let mut bench = Bench::new(DispatcherSettings { window: 2, ..unguarded() });
    for task in 1..=20 {
        bench.submit_spec(task, TaskSpec { priority: 9, ..spec(OTHER) });
    }
    bench.submit(21).commit();
    bench.join(1, 1, 1).commit();
    assert_eq!(leased(&mut bench), [(21, 1)]);
}

#[test]
fn a_window_holds_the_best_tasks_and_gives_the_worst_back() {
    let mut bench = Bench::new(DispatcherSettings { window: 2, ..unguarded() });
    bench.join(1, 1, 1).commit();
    for task in 1..=3 {
        bench.submit(task).commit();
    }
    bench.hush();
    bench.submit_spec(4, TaskSpec { priority: 1, ..spec(H) });
    // The fifth is worse than all of the window: it is not claimed.
    bench.submit(5).commit();
    let ops = bench.ops();
    let placed =
        |op: &Op| if let Op::Submit { placement, .. } = op { Some(*placement) } else { None };
    let placed: Vec<Placement> = ops.iter().filter_map(placed).collect();
    assert_eq!(placed, [Placement::Claimed, Placement::Unclaimed]);
    assert!(ops.contains(&Op::Unclaim { task: TaskId(3) }), "{ops:?}");
    // Nothing is lost by it: all are given out in their order.
    let mut order = Vec::new();
    for task in [1, 4, 2, 3] {
        bench.result(1, key(task, 1), Outcome::Succeeded).commit();
        order.extend(leased(&mut bench).into_iter().map(|(task, _)| task));
    }
    assert_eq!(order, [4, 2, 3, 5]);
}

#[test]
fn the_store_is_asked_only_while_it_may_have_more_and_somebody_is_free() {
    let mut bench = Bench::new(DispatcherSettings { window: 4, ..unguarded() });
    for task in 1..=6 {
        bench.submit(task);
    }
    bench.commit().hush();
    bench.join(1, 1, 1);
    assert_eq!(bench.ops(), [Op::Claim { handler: H, limit: 4 }]);
    bench.commit().hush();
    let claims =
        |bench: &mut Bench| bench.ops().iter().filter(|op| matches!(op, Op::Claim { .. })).count();
    bench.result(1, key(1, 1), Outcome::Succeeded).commit();
    assert_eq!(claims(&mut bench), 0, "two of the window are left");
    bench.result(1, key(2, 1), Outcome::Succeeded).commit();
    assert_eq!(claims(&mut bench), 0);
    bench.result(1, key(3, 1), Outcome::Succeeded).commit();
    assert_eq!(claims(&mut bench), 1, "one is left");
    for task in 4..=6 {
        bench.result(1, key(task, 1), Outcome::Succeeded).commit();
    }
    assert_eq!(claims(&mut bench), 0, "the store has no more");
    assert!(bench.store.tasks.values().all(|task| task.state == TaskState::Succeeded));
}

/// A window of 8 and a worker with one slot, which runs task 1 of high priority; 19 others wait.
fn behind_a_window() -> Bench {
    let mut bench = Bench::new(DispatcherSettings { window: 8, ..unguarded() });
    bench.join(1, 1, 1);
    bench.submit_spec(1, TaskSpec { priority: 9, max_retries: 1, ..spec(H) }).commit();
    for task in 2..=20 {
        bench.submit(task);
    }
    bench.commit().hush();
    bench
}

#[test]
fn a_retry_does_not_wait_until_the_window_is_used_up() {
    let mut bench = behind_a_window();
    bench.result(1, key(1, 1), Outcome::Failed { retryable: true }).commit();
    bench.at(1).commit();
    let mut order = leased(&mut bench);
    for task in [2, 3, 1, 4] {
        let attempt = if task == 1 { 2 } else { 1 };
        bench.result(1, key(task, attempt), Outcome::Succeeded).commit();
        order.extend(leased(&mut bench));
    }
    // The store was asked when the next slot was free, and answered for the one after it.
    assert_eq!(order, [(2, 1), (3, 1), (1, 1), (4, 1), (5, 1)]);
}

#[test]
fn several_retries_go_before_what_the_window_has_and_then_the_store_is_left_alone() {
    let mut bench = Bench::new(DispatcherSettings { window: 8, ..unguarded() });
    bench.join(1, 1, 3);
    for task in 1..=3 {
        bench.submit_spec(task, TaskSpec { priority: 9, max_retries: 1, ..spec(H) });
    }
    for task in 4..=40 {
        bench.submit(task);
    }
    bench.commit();
    for task in 1..=3 {
        bench.result(1, key(task, 1), Outcome::Failed { retryable: true });
    }
    bench.commit().at(1).commit().hush();
    bench.result(1, key(4, 1), Outcome::Succeeded).commit();
    assert_eq!(leased(&mut bench), [(7, 1)]);
    for (done, next) in [(5, 1), (6, 2), (7, 3)] {
        bench.result(1, key(done, 1), Outcome::Succeeded).commit();
        assert_eq!(leased(&mut bench), [(next, 1)]);
    }
    bench.hush();
    bench.result(1, key(1, 2), Outcome::Succeeded).commit();
    let claims = bench.ops().iter().filter(|op| matches!(op, Op::Claim { .. })).count();
    assert_eq!(claims, 0, "nothing in the store goes before the window");
}

#[test]
fn a_task_handed_in_while_the_store_is_asked_is_not_hidden_by_the_answer() {
    let mut bench = Bench::new(DispatcherSettings { window: 8, ..unguarded() });
    for task in 1..=20 {
        bench.submit(task);
    }
    bench.commit().hush();
    // The claim is under way.
    bench.join(1, 1, 1);
    bench.submit_spec(21, TaskSpec { priority: 9, ..spec(H) });
    bench.commit();
    bench.result(1, key(1, 1), Outcome::Succeeded).commit();
    bench.result(1, key(2, 1), Outcome::Succeeded).commit();
    // Asked again when the slot was free, the store answered for the one after it.
    assert_eq!(leased(&mut bench), [(1, 1), (2, 1), (21, 1)]);
}

#[test]
fn a_queued_task_is_cancelled_and_given_to_nobody() {
    let mut bench = Bench::new(unguarded());
    bench.submit(1).commit().hush();
    bench.cancel(7, 1);
    bench.join(1, 1, 1);
    assert_eq!(bench.seen(), []);
    bench.commit();
    assert_eq!(bench.seen(), [ended(1), reply(7, Reply::Cancelled)]);
    assert_eq!(leased(&mut bench), []);
}

#[test]
fn a_cancel_of_what_has_ended_or_never_was_says_so() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(1, 1), Outcome::Succeeded).commit().hush();
    bench.cancel(7, 1).cancel(8, 99).commit();
    assert_eq!(bench.seen(), [reply(7, Reply::AlreadyEnded), reply(8, Reply::NotFound)]);
}

#[test]
fn a_running_task_is_cancelled_by_its_worker_after_the_accept() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).submit(1).commit();
    bench.handed_over(1, key(1, 1)).hush();
    bench.cancel(7, 1).commit();
    assert_eq!(bench.seen(), [reply(7, Reply::CancelRequested)]);
    bench.says(1, 1, WorkerMessage::Accept { key: key(1, 1) });
    assert_eq!(bench.seen(), [cancel(1, key(1, 1))]);
    bench.result(1, key(1, 1), Outcome::Cancelled).commit();
    assert_eq!(bench.seen(), [ended(1), settled(1, key(1, 1), Disposition::Accepted)]);
    assert_eq!(bench.state(1), TaskState::Cancelled);
}

#[test]
fn until_a_cancel_is_confirmed_a_success_wins() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.cancel(7, 1).result(1, key(1, 1), Outcome::Succeeded).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
    assert!(bench.seen().contains(&settled(1, key(1, 1), Disposition::Accepted)));
}

#[test]
fn a_task_whose_cancel_is_asked_for_is_never_queued_again() {
    let retrying = TaskSpec { max_retries: 5, ..spec(H) };
    for how in 0..3 {
        let mut bench = Bench::with_one_running(unguarded(), retrying);
        bench.cancel(7, 1);
        match how {
            0 => drop(bench.result(1, key(1, 1), Outcome::Failed { retryable: true })),
            1 => drop(bench.depart(1)),
            _ => {
                bench.detach(1, 0);
                bench.at(500);
            }
        }
        bench.commit();
        assert_eq!(bench.state(1), TaskState::Cancelled);
        assert!(bench.seen().contains(&ended(1)));
    }
}

#[test]
fn an_assignment_that_has_not_left_ends_with_its_cancel() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).submit(1).commit().hush();
    bench.cancel(7, 1);
    let worker = WorkerId(1);
    assert_eq!(bench.seen(), [DispatcherAction::Withdraw { worker, key: key(1, 1) }]);
    bench.withdrawn(1, key(1, 1), true).commit();
    assert_eq!(bench.state(1), TaskState::Cancelled);
    assert_eq!(bench.dispatcher.running(worker), 0);
}

#[test]
fn a_retry_waits_as_long_as_the_store_says_and_then_runs_again() {
    let retrying = TaskSpec { max_retries: 1, ..spec(H) };
    let mut bench = Bench::with_one_running(unguarded(), retrying);
    bench.result(1, key(1, 1), Outcome::Failed { retryable: true }).commit();
    assert_eq!(bench.seen(), [settled(1, key(1, 1), Disposition::Accepted)]);
    let due = bench.second(1);
    let wake = Wake::At { deadline: due, timer: DispatcherTimer::Ready };
    assert_eq!(bench.dispatcher.next_wake(), wake);
    bench.at(1).commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 2))]);
    // The second failure is the last: one retry was asked for.
    bench.accept(1, key(1, 2)).result(1, key(1, 2), Outcome::TimedOut).commit();
    assert_eq!(bench.seen(), [ended(1), settled(1, key(1, 2), Disposition::Accepted)]);
    assert_eq!(bench.state(1), TaskState::Failed);
}

#[test]
fn a_later_retry_does_not_put_off_an_earlier_one() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 2);
    for task in [1, 2] {
        bench.submit_spec(task, TaskSpec { max_retries: 1, ..spec(H) });
    }
    bench.commit();
    bench.result(1, key(1, 1), Outcome::Failed { retryable: true }).commit().after_millis(500);
    bench.result(1, key(2, 1), Outcome::Failed { retryable: true }).commit().hush();
    let wake = Wake::At { deadline: bench.second(1), timer: DispatcherTimer::Ready };
    assert_eq!(bench.dispatcher.next_wake(), wake);
    bench.at(1).commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 2))]);
    bench.after_millis(500).commit();
    assert_eq!(bench.seen(), [assign(1, key(2, 2))]);
}

#[test]
fn a_failure_that_may_not_be_retried_ends_its_task() {
    let retrying = TaskSpec { max_retries: 9, ..spec(H) };
    let mut bench = Bench::with_one_running(unguarded(), retrying);
    bench.result(1, key(1, 1), Outcome::Failed { retryable: false }).commit();
    assert_eq!(bench.state(1), TaskState::Failed);
}

#[test]
fn a_conflicting_lease_is_dropped_and_its_slot_is_free() {
    let mut bench = Bench::with_one_asked_for();
    // Another hand on the same store was first.
    bench.store.tasks.get_mut(&TaskId(1)).unwrap().state = TaskState::Cancelled;
    bench.commit();
    assert_eq!(bench.dispatcher.running(WorkerId(1)), 0);
    bench.hush();
    bench.submit(2).commit();
    assert!(bench.seen().contains(&assign(1, key(2, 1))));
}

#[test]
fn the_believed_free_slots_follow_the_leases() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 2).commit();
    assert_eq!(bench.seen_all(), [believe(1, 2)]);
    bench.submit(1).submit(2).commit();
    let beliefs: Vec<_> = bench
        .seen_all()
        .into_iter()
        .filter(|action| matches!(action, DispatcherAction::Believe { .. }))
        .collect();
    assert_eq!(beliefs.last(), Some(&believe(1, 0)));
    bench.result(1, key(1, 1), Outcome::Succeeded);
    assert_eq!(bench.seen_all(), [believe(1, 1)]);
}

#[test]
fn a_lease_that_waits_for_the_store_takes_no_slot_that_its_worker_could_know_of() {
    let mut bench = Bench::with_one_asked_for();
    // The lease is asked for, and the store takes its time: a beat finds both sides agreed.
    assert_eq!(bench.seen_all(), []);
    bench.commit_one();
    assert_eq!(bench.seen_all(), [assign(1, key(1, 1)), believe(1, 1)]);
}
