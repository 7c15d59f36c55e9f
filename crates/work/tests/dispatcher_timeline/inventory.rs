//! Timelines: returning workers, results late and twice, restarts of the coordinator.

use crate::bench::*;
use moorline_work::*;

const SUCCESS: Outcome = Outcome::Succeeded;
const FAILURE: Outcome = Outcome::Failed { retryable: false };

/// Worker 1 was lost while it ran attempt 1; worker 2 runs attempt 2 and has accepted it. Worker 1
/// has dialled again and is about to say what it holds.
fn replaced() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).join(2, 1, 1).commit();
    bench.accept(2, key(1, 2)).hush();
    bench.register(1, 1, 1, false).hush();
    bench
}

/// Worker 1 was lost while it ran attempt 1, and the task waits in the queue.
fn requeued() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).commit();
    bench.register(1, 1, 1, false).hush();
    bench
}

#[test]
fn a_result_is_settled_when_it_is_durable_and_not_before() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(1, 1), SUCCESS);
    assert_eq!(bench.seen(), []);
    bench.commit();
    assert_eq!(bench.seen(), [ended(1), settled(1, key(1, 1), Disposition::Accepted)]);
}

#[test]
fn a_result_that_comes_twice_is_answered_twice_and_applied_once() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(1, 1), SUCCESS).result(1, key(1, 1), SUCCESS).commit();
    assert_eq!(
        bench.seen(),
        [
            ended(1),
            settled(1, key(1, 1), Disposition::Accepted),
            settled(1, key(1, 1), Disposition::Duplicate),
        ]
    );
}

#[test]
fn a_result_implies_the_accept() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).submit(1).commit().hush();
    bench.result(1, key(1, 1), SUCCESS).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn a_result_nobody_knows_is_answered_unknown() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(9, 1), FAILURE).result(1, key(9, 1), SUCCESS);
    bench.result(1, key(1, 5), SUCCESS).commit();
    let unknown = |key| settled(1, key, Disposition::Unknown);
    assert_eq!(bench.seen(), [unknown(key(1, 5)), unknown(key(9, 1)), unknown(key(9, 1))]);
    assert_eq!(bench.state(1), TaskState::Leased);
}

#[test]
fn a_late_success_ends_its_task_and_the_other_attempt_is_cancelled() {
    let mut bench = replaced();
    bench.item(1, key(1, 1), finished(SUCCESS)).end(1).active(1);
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Send)]);
    bench.result(1, key(1, 1), SUCCESS);
    assert_eq!(bench.seen(), []);
    bench.commit();
    assert_eq!(
        bench.seen(),
        [ended(1), settled(1, key(1, 1), Disposition::LateAccepted), cancel(2, key(1, 2)),]
    );
    // What the other has come to counts for nothing, and frees its slot.
    assert_eq!(bench.dispatcher.running(WorkerId(2)), 0);
    bench.seen_all();
    bench.result(2, key(1, 2), SUCCESS).commit();
    assert_eq!(bench.seen_all(), [believe(2, 1), settled(2, key(1, 2), Disposition::Stale)]);
}

#[test]
fn a_late_failure_is_fenced_and_answered_stale() {
    let mut bench = replaced();
    bench.item(1, key(1, 1), finished(FAILURE)).end(1).active(1);
    let disposition = Disposition::Stale;
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Drop { disposition })]);
    bench.result(1, key(1, 1), FAILURE).commit();
    assert_eq!(bench.seen(), [settled(1, key(1, 1), Disposition::Stale)]);
    assert_eq!(bench.state(1), TaskState::Leased);
}

#[test]
fn a_returning_run_goes_on_under_a_new_attempt_if_its_task_waits() {
    let mut bench = requeued();
    bench.item(1, key(1, 1), running(0));
    assert_eq!(bench.seen(), [], "not before it is durable");
    bench.commit();
    let adopted = Judgement::Adopt { attempt: Attempt(2) };
    assert_eq!(bench.seen(), [answer(1, key(1, 1), adopted)]);
    bench.end(1).active(1).result(1, key(1, 2), SUCCESS).commit();
    assert_eq!(bench.seen(), [ended(1), settled(1, key(1, 2), Disposition::Accepted)]);
}

#[test]
fn of_two_runs_the_furthest_goes_on_and_a_tie_goes_to_the_original() {
    for progress in [0, 7] {
        let mut bench = replaced();
        bench.item(1, key(1, 1), running(progress)).commit();
        let adopted = Judgement::Adopt { attempt: Attempt(3) };
        let mut seen = bench.seen();
        seen.sort_by_key(|action| format!("{action:?}"));
        assert_eq!(seen, [answer(1, key(1, 1), adopted), cancel(2, key(1, 2))]);
        assert_eq!(bench.dispatcher.running(WorkerId(1)), 1);
    }
    // The other is further, as its own inventory has said.
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).join(2, 1, 1).commit();
    bench.accept(2, key(1, 2)).detach(2, 90).register(2, 1, 1, true);
    bench.item(2, key(1, 2), running(8)).end(2).active(2);
    bench.register(1, 1, 1, false).hush();
    bench.item(1, key(1, 1), running(7)).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Cancel)]);
    assert_eq!(bench.dispatcher.running(WorkerId(2)), 1);
}

#[test]
fn a_tie_goes_to_the_original_also_when_it_goes_on_under_a_later_number() {
    let mut bench = replaced();
    bench.detach(2, 90).item(1, key(1, 1), running(0)).commit().end(1).active(1);
    bench.register(2, 1, 1, true).hush();
    bench.item(2, key(1, 2), running(0)).commit();
    assert_eq!(bench.seen(), [answer(2, key(1, 2), Judgement::Cancel)]);
    assert_eq!(bench.dispatcher.running(WorkerId(1)), 1);
}

/// Workers 1 and 2 were lost while they ran attempts 1 and 2, and the task waits in the queue.
fn lost_twice() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).join(2, 1, 1).commit();
    bench.accept(2, key(1, 2)).detach(2, 90).at(180).commit().hush();
    bench
}

#[test]
fn of_two_runs_that_return_together_one_goes_on_whatever_is_durable_when() {
    let mut bench = lost_twice();
    bench.register(1, 1, 1, false).register(2, 1, 1, false).hush();
    // The first is to go on, and the second turns out to be further before that is durable.
    bench.item(1, key(1, 1), running(5)).item(2, key(1, 2), running(9)).commit();
    let adopted = Judgement::Adopt { attempt: Attempt(4) };
    let seen = bench.seen();
    assert_eq!(seen, [answer(1, key(1, 1), Judgement::Cancel), answer(2, key(1, 2), adopted)]);
    bench.end(2).active(2).result(2, key(1, 4), SUCCESS).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn a_claim_that_was_under_way_does_not_give_away_what_is_being_adopted() {
    let mut bench = requeued().restarted();
    bench.commit().register(1, 1, 1, false).item(1, key(1, 1), running(0));
    // The store is asked where the task stands, then for tasks; it has this one queued.
    bench.join(2, 1, 1);
    bench.commit_one();
    bench.commit_one();
    bench.commit();
    let running = |worker| bench.dispatcher.running(WorkerId(worker));
    assert_eq!((running(1), running(2)), (1, 0));
    let adopted = Judgement::Adopt { attempt: Attempt(2) };
    assert_eq!(bench.seen(), [answer(1, key(1, 1), adopted)]);
}

#[test]
fn a_run_that_is_adopted_while_another_succeeds_is_told_to_stop() {
    let mut bench = lost_twice().restarted();
    bench.commit();
    bench.register(2, 1, 1, false).flags(2, true, false);
    bench.item(2, key(1, 2), finished(SUCCESS)).commit().end(2).active(2);
    bench.register(1, 1, 1, false).item(1, key(1, 1), running(0));
    bench.commit_one();
    // The adoption is on its way to the store when the success arrives.
    bench.result(2, key(1, 2), SUCCESS).hush();
    bench.commit();
    let adopted = Judgement::Adopt { attempt: Attempt(3) };
    assert_eq!(
        bench.seen(),
        [
            answer(1, key(1, 1), adopted),
            ended(1),
            cancel(1, key(1, 3)),
            settled(2, key(1, 2), Disposition::LateAccepted),
        ]
    );
}

#[test]
fn a_run_that_was_told_to_stop_is_not_told_again_when_another_succeeds() {
    let mut bench = replaced();
    bench.cancel(7, 1).commit();
    assert!(bench.seen().contains(&cancel(2, key(1, 2))));
    bench.item(1, key(1, 1), finished(SUCCESS)).end(1).active(1);
    bench.result(1, key(1, 1), SUCCESS).commit();
    assert!(!bench.seen().contains(&cancel(2, key(1, 2))));
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn a_failure_that_comes_twice_is_stale_while_its_task_waits_for_the_retry() {
    let mut bench = Bench::with_one_running(unguarded(), TaskSpec { max_retries: 1, ..spec(H) });
    let failed = Outcome::Failed { retryable: true };
    bench.result(1, key(1, 1), failed).commit().hush();
    bench.result(1, key(1, 1), failed).commit();
    assert_eq!(bench.seen(), [settled(1, key(1, 1), Disposition::Stale)]);
}

#[test]
fn an_inventory_is_judged_by_attempt_and_not_by_task() {
    // The coordinator leased attempt 2 to this very worker, which never got it and runs attempt 1.
    let mut bench = requeued();
    bench.end(1).active(1).commit().hush();
    assert_eq!(bench.dispatcher.running(WorkerId(1)), 1);
    bench.register(1, 1, 1, false).item(1, key(1, 1), running(0)).commit().end(1).active(1);
    let adopted = Judgement::Adopt { attempt: Attempt(3) };
    assert_eq!(bench.seen(), [answer(1, key(1, 1), adopted)]);
    bench.result(1, key(1, 3), FAILURE).commit();
    assert_eq!(bench.state(1), TaskState::Failed, "the adopted attempt is the current one");
}

#[test]
fn a_run_that_ends_between_two_inventories_is_still_known_by_its_old_number() {
    let mut bench = requeued();
    bench.item(1, key(1, 1), running(0)).commit();
    // The connection breaks before the answer arrives, and the run ends.
    bench.detach(1, 91).register(1, 1, 1, false).hush();
    bench.item(1, key(1, 1), finished(FAILURE)).end(1).active(1);
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Send)]);
    bench.result(1, key(1, 1), FAILURE).commit();
    assert_eq!(bench.seen(), [ended(1), settled(1, key(1, 1), Disposition::Accepted)]);
    assert_eq!(bench.state(1), TaskState::Failed);
}

#[test]
fn what_a_new_session_does_not_name_returns_to_the_queue() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).register(1, 1, 1, false);
    assert_eq!(bench.state(1), TaskState::Leased);
    bench.end(1).commit();
    assert_eq!(bench.state(1), TaskState::Queued);
    assert_eq!(bench.store.tasks[&TaskId(1)].lost, 0, "it is not lost");
}

#[test]
fn what_a_resumed_session_does_not_name_is_left_alone() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).register(1, 1, 1, true).end(1).active(1).commit();
    assert_eq!(bench.state(1), TaskState::Leased);
    bench.result(1, key(1, 1), SUCCESS).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded, "the lane has brought it");
}

#[test]
fn the_inventory_of_a_new_process_of_a_worker_ends_all_leases_of_the_old_one() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 2).submit(1).submit(2).commit();
    bench.accept(1, key(1, 1));
    bench.register(1, 2, 2, false).end(1).commit();
    assert_eq!((bench.state(1), bench.state(2)), (TaskState::Queued, TaskState::Queued));
    let lost = |task| bench.store.tasks[&TaskId(task)].lost;
    assert_eq!((lost(1), lost(2)), (1, 0), "only the accepted one counts");
}

/// What a process wrote before it died may arrive long after, when its successor is out of touch.
#[test]
fn a_process_that_never_said_what_it_holds_takes_nothing_from_another_one() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).register(1, 2, 1, false).detach(1, 1).commit();
    bench.join(2, 1, 1).commit();
    assert_eq!(bench.seen(), [], "nobody else gets it");
    bench.register(1, 1, 1, false).item(1, key(1, 1), running(0)).end(1).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Continue)]);
    bench.active(1).result(1, key(1, 1), SUCCESS).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn ended_and_unknown_keys_are_answered_for_good() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(1, 1), SUCCESS).commit();
    bench.register(2, 1, 1, false).hush();
    bench.item(2, key(1, 1), finished(SUCCESS));
    bench.item(2, key(1, 1), finished(FAILURE));
    bench.item(2, key(1, 1), running(0));
    bench.item(2, key(9, 1), running(0));
    bench.item(2, key(9, 1), finished(SUCCESS)).commit();
    let drop = |disposition| answer(2, key(1, 1), Judgement::Drop { disposition });
    assert_eq!(
        bench.seen(),
        [
            drop(Disposition::Duplicate),
            drop(Disposition::Stale),
            answer(2, key(1, 1), Judgement::Cancel),
            answer(2, key(9, 1), Judgement::Cancel),
            answer(2, key(9, 1), Judgement::Unknown),
        ]
    );
}

#[test]
fn an_answer_is_for_the_inventory_that_asked() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(1, 1), SUCCESS).commit().register(2, 1, 1, false);
    bench.item(2, key(1, 1), running(0));
    // Lost and forgotten before the store has answered; then it is back.
    bench.detach(2, 0).at(90).register(2, 1, 1, false).hush();
    bench.commit();
    assert_eq!(bench.seen(), []);
}

#[test]
fn a_cancel_that_was_asked_for_meanwhile_is_the_answer() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).cancel(7, 1).commit().hush();
    bench.register(1, 1, 1, false).item(1, key(1, 1), running(0)).end(1).active(1);
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Cancel)], "and not twice");
    bench.result(1, key(1, 1), Outcome::Cancelled).commit();
    assert_eq!(bench.state(1), TaskState::Cancelled);
}

#[test]
fn an_offer_beyond_the_bound_is_refused() {
    let mut bench = Bench::new(unguarded());
    bench.register(1, 1, 1, false);
    let worker = WorkerId(1);
    let mut offer = |handler| bench.input(DispatcherInput::Offer { worker, handler });
    for handler in 2..=1_024 {
        assert_eq!(offer(Sym(handler)), DispatcherVerdict::Accepted);
    }
    assert_eq!(offer(Sym(1_025)), DispatcherVerdict::Stale);
}

/// A coordinator that dies while task 1 runs on worker 1 and task 2 is queued; the next one has not
/// read its leases.
fn restarted() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.submit(2).commit();
    bench.restarted()
}

#[test]
fn nothing_is_given_out_or_judged_before_the_leases_are_read() {
    let mut bench = restarted();
    assert_eq!(bench.ops(), [Op::Leases]);
    bench.join(2, 1, 1).register(1, 1, 1, false);
    bench.item(1, key(1, 1), running(0)).end(1);
    assert_eq!(bench.ops(), []);
    assert_eq!(bench.seen(), []);
    let result = WorkerMessage::Result { key: key(2, 1), outcome: SUCCESS };
    assert_eq!(bench.says(2, 1, result), DispatcherVerdict::Stale, "it can hold nothing yet");
    bench.commit();
    let seen = bench.seen();
    assert_eq!(seen, [answer(1, key(1, 1), Judgement::Continue), assign(2, key(2, 1))]);
}

#[test]
fn a_cancel_that_comes_before_the_leases_are_read_is_not_forgotten_when_one_returns() {
    let mut bench = restarted();
    bench.cancel(7, 1).join(1, 1, 1).commit();
    assert_eq!(bench.state(1), TaskState::Cancelled, "its worker has not named it");
    assert!(bench.seen().contains(&reply(7, Reply::CancelRequested)));
}

#[test]
fn queued_tasks_are_given_out_at_once_after_a_restart() {
    let mut bench = restarted();
    bench.commit().join(2, 1, 1).commit();
    assert_eq!(bench.seen(), [assign(2, key(2, 1))]);
}

#[test]
fn a_recovered_lease_stands_for_the_grace_after_the_start() {
    let mut bench = restarted();
    bench.commit().at(119).commit();
    assert_eq!(bench.state(1), TaskState::Leased);
    bench.at(120).commit();
    assert_eq!(bench.state(1), TaskState::Queued);
    assert_eq!(bench.store.tasks[&TaskId(1)].lost, 1, "it counts as accepted");
    assert_eq!(bench.seen(), [lost(1)]);
}

/// Else its name would be held for it for as long as it is remembered.
#[test]
fn a_worker_of_an_earlier_life_is_lost_after_the_grace_although_it_held_nothing() {
    let mut bench = Bench::new(unguarded());
    let expect = |worker| {
        let (worker, incarnation) = (WorkerId(worker), Incarnation(1));
        DispatcherInput::Expect { worker, incarnation }
    };
    for worker in [1, 2] {
        assert_eq!(bench.input(expect(worker)), DispatcherVerdict::Accepted);
    }
    bench.at(60).join(2, 1, 1).hush();
    assert_eq!(bench.input(expect(2)), DispatcherVerdict::Accepted, "it is here already");
    bench.at(119).commit();
    assert_eq!(bench.seen(), []);
    bench.at(300).commit();
    assert_eq!(bench.seen(), [lost(1)], "once, and nobody who came");
    bench.submit(1).commit();
    assert!(bench.seen().contains(&assign(2, key(1, 1))));
}

#[test]
fn a_worker_that_has_said_goodbye_is_not_expected() {
    let mut bench = restarted();
    bench.register(5, 1, 1, false).depart(5);
    let (worker, incarnation) = (WorkerId(5), Incarnation(1));
    let verdict = bench.input(DispatcherInput::Expect { worker, incarnation });
    assert_eq!(verdict, DispatcherVerdict::Stale);
    bench.commit().at(300).commit();
    assert!(!bench.seen().contains(&lost(5)));
}

#[test]
fn a_worker_that_registers_and_vanishes_before_its_inventory_keeps_the_grace() {
    let mut bench = restarted();
    bench.commit().register(1, 1, 1, false).at(1).detach(1, 1).at(119).commit();
    assert_eq!(bench.state(1), TaskState::Leased);
    // The session goes on, but no inventory of it was ever complete.
    bench.register(1, 1, 1, true).end(1).commit();
    assert_eq!(bench.state(1), TaskState::Queued);
}

#[test]
fn a_goodbye_before_the_leases_are_read_returns_them() {
    let mut bench = restarted();
    bench.register(1, 1, 1, false).depart(1).commit();
    assert_eq!(bench.state(1), TaskState::Queued);
}

#[test]
fn a_result_kept_over_a_restart_is_sent_and_counts() {
    let mut bench = restarted();
    bench.commit().register(1, 1, 1, false);
    bench.item(1, key(1, 1), finished(SUCCESS)).end(1).active(1);
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Send)]);
    bench.result(1, key(1, 1), SUCCESS).commit();
    let seen = bench.seen();
    assert!(seen.contains(&settled(1, key(1, 1), Disposition::Accepted)), "{seen:?}");
}

#[test]
fn a_run_of_a_task_beyond_the_window_is_adopted_from_the_store() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).commit();
    // The next life has not claimed the task when its old worker returns.
    let mut bench = bench.restarted();
    bench.commit().register(1, 1, 1, false).item(1, key(1, 1), running(0)).commit();
    let adopted = Judgement::Adopt { attempt: Attempt(2) };
    assert_eq!(bench.seen(), [answer(1, key(1, 1), adopted)]);
    assert_eq!(bench.dispatcher.running(WorkerId(1)), 1);
    bench.end(1).active(1).depart(1).commit();
    assert_eq!(bench.state(1), TaskState::Queued, "memory knows all of it");
}
