//! Timelines: a task whose worker is known when it is handed in is leased by the operation that inserts
//! it.

use crate::bench::*;
use moorline_work::*;

const NEW: Reply = Reply::Submitted { again: false };
const AGAIN: Reply = Reply::Submitted { again: true };

/// Where each submission since the last call placed its task: the worker of one that was leased.
fn placed(bench: &mut Bench) -> Vec<(u128, Option<u128>)> {
    let of = |op: Op| match op {
        Op::Submit { task, placement: Placement::Leased { worker, .. }, .. } => {
            Some((task.0, Some(worker.0)))
        }
        Op::Submit { task, placement: Placement::Claimed | Placement::Unclaimed, .. } => {
            Some((task.0, None))
        }
        Op::Claim { .. }
        | Op::Unclaim { .. }
        | Op::Leases
        | Op::Lookup { .. }
        | Op::Lease { .. }
        | Op::Adopt { .. }
        | Op::Requeue { .. }
        | Op::Finish { .. }
        | Op::Cancel { .. }
        | Op::Retry { .. } => None,
    };
    bench.ops().into_iter().filter_map(of).collect()
}

/// The attempts that were assigned since the last call.
fn assigned(bench: &mut Bench) -> Vec<(u128, TaskKey)> {
    let of = |action| match action {
        DispatcherAction::Send { worker, message: CoordinatorMessage::Assign(assign) } => {
            Some((worker.0, assign.key))
        }
        DispatcherAction::Send { .. }
        | DispatcherAction::Persist { .. }
        | DispatcherAction::Withdraw { .. }
        | DispatcherAction::Answer { .. }
        | DispatcherAction::Unanswered { .. }
        | DispatcherAction::Lost { .. }
        | DispatcherAction::Reply { .. }
        | DispatcherAction::Ended { .. }
        | DispatcherAction::Believe { .. } => None,
    };
    bench.seen().into_iter().filter_map(of).collect()
}

/// Nothing is kept for anybody: the slots are free, and no payload is counted.
fn nothing_is_kept(bench: &Bench) -> bool {
    bench.dispatcher.running(WorkerId(1)) == 0
        && bench.dispatcher.undelivered(WorkerId(1)) == (0, 0)
        && bench.dispatcher.undelivered_in_all() == (0, 0)
}

/// Worker 1 is here, with so many slots, and everything is known.
fn with_slots(slots: u16) -> Bench {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, slots).commit().hush();
    bench
}

#[test]
fn a_task_with_a_free_worker_takes_one_operation_until_it_is_assigned() {
    let mut bench = with_slots(1);
    bench.submit(1);
    let (worker, incarnation) = (WorkerId(1), Incarnation(1));
    let placement = Placement::Leased { worker, incarnation };
    let submit = Op::Submit { ticket: Ticket(1), task: TaskId(1), spec: spec(H), placement };
    assert_eq!(bench.ops(), [submit]);
    assert_eq!(bench.seen_all(), [], "nothing is told before it is durable");
    bench.commit_one();
    let told = [reply(1, NEW), assign(1, key(1, 1)), believe(1, 0)];
    assert_eq!(bench.seen_all(), told);
    assert_eq!(bench.ops(), []);
    bench.accept(1, key(1, 1)).result(1, key(1, 1), Outcome::Succeeded).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
    assert!(nothing_is_kept(&bench));
}

#[test]
fn the_lease_of_a_submission_is_seen_to_be_on_its_way() {
    let mut bench = with_slots(2);
    bench.submit(1);
    let lease = LeaseSnapshot {
        task: TaskId(1),
        attempt: Attempt(1),
        worker: WorkerId(1),
        submitting: true,
        handed_over: false,
        accepted: false,
        cancel_requested: false,
    };
    assert_eq!(bench.dispatcher.leases().collect::<Vec<_>>(), [lease]);
    bench.cancel(7, 1);
    let cancelled = LeaseSnapshot { cancel_requested: true, ..lease };
    assert_eq!(bench.dispatcher.leases().collect::<Vec<_>>(), [cancelled]);
    bench.submit(2).commit();
    let leases: Vec<_> = bench.dispatcher.leases().map(|it| (it.task.0, it.submitting)).collect();
    assert_eq!(leases, [(2, false)]);
}

#[test]
fn of_several_tasks_handed_in_together_one_gets_the_free_slot() {
    let mut bench = with_slots(1);
    bench.submit(1).submit(2).submit(3);
    assert_eq!(placed(&mut bench), [(1, Some(1)), (2, None), (3, None)]);
    assert_eq!(bench.dispatcher.running(WorkerId(1)), 1);
    bench.commit();
    assert_eq!(assigned(&mut bench), [(1, key(1, 1))]);
    bench.result(1, key(1, 1), Outcome::Succeeded).commit();
    assert_eq!(assigned(&mut bench), [(1, key(2, 1))]);
    assert_eq!(bench.state(3), TaskState::Queued);
}

#[test]
fn tasks_handed_in_together_go_to_the_workers_with_most_free_slots() {
    let mut bench = with_slots(1);
    bench.join(3, 1, 2).join(2, 1, 2).commit().hush();
    for task in 1..=6 {
        bench.submit(task);
    }
    let (one, two, three) = (Some(1), Some(2), Some(3));
    let expected = [(1, two), (2, three), (3, one), (4, two), (5, three), (6, None)];
    assert_eq!(placed(&mut bench), expected);
}

#[test]
fn a_worker_that_takes_no_delivery_is_promised_no_more_than_it_is_given() {
    let settings = DispatcherSettings { undelivered_tasks: 2, ..unguarded() };
    let mut bench = Bench::new(settings);
    bench.join(1, 1, 9).commit().hush();
    let large = TaskSpec { bytes: 7, ..spec(H) };
    bench.submit_spec(1, large).submit_spec(2, large).submit_spec(3, large);
    assert_eq!(placed(&mut bench), [(1, Some(1)), (2, Some(1)), (3, None)]);
    assert_eq!(bench.dispatcher.undelivered_in_all(), (2, 14));
    bench.commit().hush();
    assert_eq!(bench.dispatcher.undelivered(WorkerId(1)), (2, 14));
    bench.submit(4).accept(1, key(1, 1));
    assert_eq!(placed(&mut bench), [(4, None)]);
    bench.commit();
    assert_eq!(assigned(&mut bench), [(1, key(3, 1))]);
    assert_eq!(bench.state(4), TaskState::Queued);
}

#[test]
fn a_worker_that_takes_nothing_new_is_promised_nothing() {
    for (draining, paused) in [(true, false), (false, true)] {
        let mut bench = with_slots(1);
        bench.flags(1, draining, paused).submit(1);
        assert_eq!(placed(&mut bench), [(1, None)]);
        bench.commit();
        assert_eq!(assigned(&mut bench), []);
        bench.flags(1, false, false).commit();
        assert_eq!(assigned(&mut bench), [(1, key(1, 1))]);
    }
    let mut bench = with_slots(1);
    bench.submit_spec(1, spec(OTHER));
    assert_eq!(placed(&mut bench), [(1, None)], "it has not this handler");
}

#[test]
fn a_worker_that_refused_is_promised_nothing_for_a_while() {
    let mut bench = with_slots(2);
    bench.submit(1).commit().hush();
    let refusal = Refusal::NoSlot;
    bench.says(1, 1, WorkerMessage::Refuse { key: key(1, 1), refusal });
    bench.commit().hush();
    bench.submit(2).commit();
    assert_eq!(placed(&mut bench), [(2, None)]);
    assert_eq!(assigned(&mut bench), []);
}

#[test]
fn the_same_submission_again_leases_nothing() {
    let mut bench = with_slots(3);
    // Twice in one turn: the second finds the first.
    bench.submit(1).submit(1).commit();
    assert_eq!(bench.seen(), [reply(1, NEW), assign(1, key(1, 1)), reply(1, AGAIN)]);
    assert_eq!(bench.dispatcher.running(WorkerId(1)), 1, "its slot is free again");

    // While it runs: it is known, and no slot is kept for it.
    bench.hush();
    bench.submit(1);
    assert_eq!(placed(&mut bench), [(1, None)]);
    bench.commit();
    assert_eq!(bench.seen(), [reply(1, AGAIN)]);

    // When it has ended nobody knows it but the store.
    bench.result(1, key(1, 1), Outcome::Succeeded).commit().hush();
    let large = TaskSpec { bytes: 9, ..spec(H) };
    bench.submit(1).submit_spec(1, large);
    assert_eq!(placed(&mut bench), [(1, Some(1)), (1, Some(1))]);
    bench.commit();
    assert_eq!(bench.seen(), [reply(1, AGAIN), reply(1, Reply::IdTaken)]);
    assert_eq!(bench.state(1), TaskState::Succeeded);
    assert!(nothing_is_kept(&bench));
}

#[test]
fn what_was_kept_for_a_submission_in_vain_goes_to_who_waits() {
    let mut bench = with_slots(1);
    bench.submit(1).commit();
    bench.result(1, key(1, 1), Outcome::Succeeded).commit().hush();
    bench.submit(1).submit(2);
    assert_eq!(placed(&mut bench), [(1, Some(1)), (2, None)]);
    bench.commit();
    assert_eq!(assigned(&mut bench), [(1, key(2, 1))]);
}

#[test]
fn a_task_that_is_promised_to_a_worker_that_cannot_have_it_any_more_is_queued_when_it_is_durable() {
    type Change = fn(&mut Bench) -> &mut Bench;
    let changes: [(&str, Change); 7] = [
        ("detached", |bench| bench.detach(1, 0)),
        ("draining", |bench| bench.flags(1, true, false)),
        ("paused", |bench| bench.flags(1, false, true)),
        ("departed", |bench| bench.depart(1)),
        ("another process", |bench| bench.join(1, 2, 1)),
        ("another session", |bench| bench.join(1, 1, 1)),
        ("paused for a moment", |bench| bench.flags(1, false, true).flags(1, false, false)),
    ];
    for (how, change) in changes {
        let mut bench = with_slots(1);
        bench.submit_spec(1, TaskSpec { bytes: 5, ..spec(H) });
        change(&mut bench);
        assert!(nothing_is_kept(&bench), "{how}");
        bench.hush();
        bench.commit_one();
        assert_eq!(bench.seen(), [reply(1, NEW)], "{how}");
        let key_1 = key(1, 1);
        let returned = Op::Requeue { key: key_1, cause: RequeueCause::Returned };
        assert_eq!(bench.ops().first(), Some(&returned), "{how}");
        // Whoever is free then gets it, as the next attempt.
        bench.commit().join(2, 1, 1).commit();
        let next: Vec<_> = assigned(&mut bench).into_iter().map(|(_, key)| key).collect();
        assert_eq!(next, [key(1, 2)], "{how}");
    }
}

#[test]
fn a_task_that_is_cancelled_while_its_submission_is_under_way_runs_nowhere() {
    for is_gone in [false, true] {
        let mut bench = with_slots(1);
        bench.submit(1).cancel(7, 1);
        if is_gone {
            bench.detach(1, 0);
        }
        bench.commit();
        assert_eq!(
            bench.seen(),
            [reply(1, NEW), reply(7, Reply::CancelRequested), ended(1)],
            "gone: {is_gone}"
        );
        assert_eq!(bench.state(1), TaskState::Cancelled);
        assert!(nothing_is_kept(&bench));
    }
    // A cancel that came before the task says nothing of it.
    let mut bench = with_slots(1);
    bench.cancel(7, 1).submit(1).commit();
    let expected = [reply(7, Reply::NotFound), reply(1, NEW), assign(1, key(1, 1))];
    assert_eq!(bench.seen(), expected);
}

#[test]
fn a_task_handed_in_later_does_not_overtake_one_on_its_way_to_the_queue() {
    // Its submission was placed when nobody was free.
    let mut bench = with_slots(1);
    bench.submit(1).submit(2).join(2, 1, 1);
    bench.submit_spec(3, TaskSpec { priority: 9, ..spec(H) });
    assert_eq!(placed(&mut bench), [(1, Some(1)), (2, None), (3, None)]);
    bench.commit_one();
    bench.commit_one();
    // What waits is in the window now; and what goes first there is decided there.
    bench.submit(4).commit();
    assert_eq!(assigned(&mut bench), [(1, key(1, 1)), (2, key(2, 1))]);

    // It was promised to a worker that cannot have it any more.
    let mut bench = with_slots(1);
    bench.submit(1).flags(1, true, false).join(2, 1, 1).submit(2);
    assert_eq!(placed(&mut bench), [(1, Some(1)), (2, None)]);
    bench.commit();
    assert_eq!(assigned(&mut bench), [(2, key(1, 2))]);

    // When it is durable the way is free again.
    bench.join(3, 1, 2).commit().hush();
    bench.submit(3);
    assert_eq!(placed(&mut bench), [(3, Some(3))]);
}

#[test]
fn a_task_handed_in_later_does_not_overtake_what_the_store_has() {
    let mut bench = Bench::new(unguarded());
    bench.submit(1).submit(2).commit().hush();
    // The store is being asked.
    bench.join(1, 1, 1).submit(3);
    assert_eq!(placed(&mut bench), [(3, None)]);
    bench.commit();
    assert_eq!(assigned(&mut bench), [(1, key(1, 1))]);

    // The window was too small for all.
    let mut bench = Bench::new(DispatcherSettings { window: 1, ..unguarded() });
    bench.join(1, 1, 1).submit(1).commit();
    bench.submit(2).commit().submit(3).commit().hush();
    bench.result(1, key(1, 1), Outcome::Succeeded);
    bench.join(2, 1, 1).submit(4);
    assert_eq!(placed(&mut bench), [(4, None)]);
    bench.commit();
    assert_eq!(assigned(&mut bench), [(1, key(2, 1)), (2, key(3, 1))]);
}

#[test]
fn a_task_that_waits_for_its_retry_holds_nobody_up_and_has_its_turn_in_time() {
    let mut bench = Bench::with_one_running(unguarded(), TaskSpec { max_retries: 1, ..spec(H) });
    bench.result(1, key(1, 1), Outcome::Failed { retryable: true }).commit().hush();
    bench.submit(2);
    assert_eq!(placed(&mut bench), [(2, Some(1))]);
    bench.commit().at(1).commit();
    assert_eq!(assigned(&mut bench), [(1, key(2, 1))]);
    bench.result(1, key(2, 1), Outcome::Succeeded).commit();
    assert_eq!(assigned(&mut bench), [(1, key(1, 2))]);

    // It is ready, and the store is asked for it.
    let mut bench = Bench::with_one_running(unguarded(), TaskSpec { max_retries: 1, ..spec(H) });
    bench.result(1, key(1, 1), Outcome::Failed { retryable: true }).commit().at(1).hush();
    bench.submit(2);
    assert_eq!(placed(&mut bench), [(2, None)]);
    bench.commit();
    assert_eq!(assigned(&mut bench), [(1, key(1, 2))]);
}

#[test]
fn a_coordinator_that_died_unheard_reads_the_lease_back() {
    for is_named in [false, true] {
        let mut bench = with_slots(1);
        bench.submit(1);
        let op = bench.ops().pop().expect("a submission");
        let mut bench = bench.restarted();
        bench.store.apply(bench.second(0), op).expect("a new task");
        bench.commit().hush();
        assert_eq!(bench.dispatcher.running(WorkerId(1)), 1);
        // Its client asks again, because it was not answered.
        bench.submit(1).commit();
        assert_eq!(bench.seen(), [reply(1, AGAIN)]);
        bench.register(1, 1, 1, false);
        if is_named {
            bench.item(1, key(1, 1), running(0));
        }
        bench.end(1).active(1).commit();
        let expected = if is_named { vec![] } else { vec![(1, key(1, 2))] };
        assert_eq!(assigned(&mut bench), expected, "named: {is_named}");
    }
}

/// Task 1 ran on worker 1 and was lost with it; a new life has not looked for it, and worker 2 could run
/// another handler.
fn with_one_in_the_store() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).commit();
    let mut bench = bench.restarted();
    let (worker, incarnation, slots) = (WorkerId(2), Incarnation(1), 1);
    bench.input(DispatcherInput::Registered { worker, incarnation, slots, resumed: false });
    bench.input(DispatcherInput::Offer { worker, handler: OTHER });
    bench.end(2).active(2).commit().hush();
    bench
}

#[test]
fn a_submission_under_way_hides_no_run_of_what_the_store_has_under_its_id() {
    let mut bench = with_one_in_the_store();
    bench.submit_spec(1, spec(OTHER));
    assert_eq!(placed(&mut bench), [(1, Some(2))]);
    bench.register(1, 1, 1, false).item(1, key(1, 1), running(4)).commit();
    let adopted = answer(1, key(1, 1), Judgement::Adopt { attempt: Attempt(2) });
    assert_eq!(bench.seen(), [reply(1, Reply::IdTaken), adopted]);
    assert_eq!(bench.dispatcher.running(WorkerId(2)), 0);
    bench.end(1).active(1).result(1, key(1, 2), Outcome::Succeeded).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn a_submission_under_way_hides_no_result_of_what_the_store_has_under_its_id() {
    let mut bench = with_one_in_the_store();
    bench.submit_spec(1, spec(OTHER)).join(1, 1, 0);
    bench.result(1, key(1, 1), Outcome::Succeeded).commit();
    let settled = settled(1, key(1, 1), Disposition::LateAccepted);
    assert_eq!(bench.seen(), [reply(1, Reply::IdTaken), ended(1), settled]);
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn a_submission_under_way_hides_nothing_that_a_claim_finds_under_its_id() {
    let mut bench = with_one_in_the_store();
    bench.join(3, 1, 1).submit_spec(1, spec(OTHER));
    assert_eq!(placed(&mut bench), [(1, Some(2))]);
    bench.commit();
    assert_eq!(bench.seen(), [reply(1, Reply::IdTaken), assign(3, key(1, 2))]);
    assert_eq!(bench.dispatcher.running(WorkerId(2)), 0);
}

#[test]
fn a_worker_cannot_speak_of_a_task_whose_submission_is_under_way() {
    let mut bench = with_slots(1);
    bench.submit(1).hush();
    let key = key(1, 1);
    let refusal = Refusal::NoSlot;
    let messages = [
        WorkerMessage::Accept { key },
        WorkerMessage::Held { key },
        WorkerMessage::NotHeld { key },
        WorkerMessage::Refuse { key, refusal },
    ];
    for message in messages {
        assert_eq!(bench.says(1, 1, message), DispatcherVerdict::Stale, "{message:?}");
    }
    let worker = WorkerId(1);
    let handed_over = DispatcherInput::HandedOver { worker, key };
    assert_eq!(bench.input(handed_over), DispatcherVerdict::Stale);
    bench.commit();
    assert_eq!(bench.seen(), [reply(1, NEW), assign(1, key)]);
}
