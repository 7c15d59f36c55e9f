//! Timelines: inventories that come again, of another process, or of what memory does not know; and a store
//! that says otherwise.

use crate::bench::*;
use moorline_work::*;

const SUCCESS: Outcome = Outcome::Succeeded;
const FAILURE: Outcome = Outcome::Failed { retryable: false };

fn adopt(attempt: u32) -> Judgement {
    Judgement::Adopt { attempt: Attempt(attempt) }
}

/// Worker 1 was lost while it ran attempt 1; the task waits in the queue, and worker 1 is about to say
/// what it holds.
fn requeued() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).commit().register(1, 1, 1, false).hush();
    bench
}

/// Worker 1 was lost while it ran attempt 1; worker 2 runs attempt 2 and has accepted it. Worker 1 is
/// about to say what it holds.
fn replaced() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).join(2, 1, 1).commit();
    bench.accept(2, key(1, 2)).register(1, 1, 1, false).hush();
    bench
}

/// The connection of worker 1 breaks before it has heard anything, and it comes in a new session.
fn come_again(bench: &mut Bench) -> &mut Bench {
    bench.detach(1, 90).register(1, 1, 1, false)
}

/// A coordinator that died while task 1 ran on worker 1; the next one has not read its leases.
fn restarted() -> Bench {
    Bench::with_one_running(unguarded(), spec(H)).restarted()
}

/// Task 1 was given out once and is queued, and this life of the coordinator does not know it. Worker 1
/// has no handler for it.
fn unseen() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.depart(1).commit();
    let mut bench = bench.restarted();
    bench.commit();
    let (worker, incarnation) = (WorkerId(1), Incarnation(1));
    bench.input(DispatcherInput::Registered { worker, incarnation, slots: 1, resumed: false });
    bench.hush();
    bench
}

fn ends(bench: &mut Bench) -> DispatcherVerdict {
    bench.input(DispatcherInput::InventoryEnd { worker: WorkerId(1) })
}

fn becomes_active(bench: &mut Bench) -> DispatcherVerdict {
    bench.input(DispatcherInput::Active { worker: WorkerId(1) })
}

#[test]
fn all_that_a_new_process_has_said_ends_what_the_old_one_ran() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.register(1, 2, 1, false).commit();
    assert_eq!(bench.state(1), TaskState::Leased, "it may be one that died long ago");
    bench.item(1, key(9, 1), finished(FAILURE)).commit();
    assert_eq!(bench.state(1), TaskState::Leased, "more may come");
    ends(&mut bench);
    bench.commit();
    assert_eq!(bench.state(1), TaskState::Queued);
    assert_eq!(bench.store.tasks[&TaskId(1)].lost, 1);
}

/// The next process of worker 1 names what the one before it ended, and brings it.
fn brings(bench: &mut Bench, outcome: Outcome) {
    bench.register(1, 2, 1, false).item(1, key(9, 1), finished(FAILURE));
    bench.item(1, key(1, 1), finished(outcome)).end(1).commit();
    assert!(bench.seen_all().contains(&answer(1, key(1, 1), Judgement::Send)));
    delivers(bench, outcome);
}

/// What the next process of worker 1 was asked for.
fn delivers(bench: &mut Bench, outcome: Outcome) {
    bench.active(1).says(1, 2, WorkerMessage::Result { key: key(1, 1), outcome });
    bench.commit();
    assert!(bench.seen_all().contains(&settled(1, key(1, 1), Disposition::Accepted)));
}

#[test]
fn what_the_old_process_ended_is_the_new_ones_result() {
    for (outcome, state) in [(SUCCESS, TaskState::Succeeded), (FAILURE, TaskState::Failed)] {
        let mut bench = Bench::with_one_running(unguarded(), spec(H));
        brings(&mut bench, outcome);
        assert_eq!(bench.state(1), state);
        assert_eq!(bench.store.tasks[&TaskId(1)].lost, 0, "nothing was lost");
    }
}

#[test]
fn what_the_old_process_ended_is_not_lost_where_no_loss_is_borne() {
    let settings = DispatcherSettings { lost_cap: 1, ..unguarded() };
    let mut bench = Bench::with_one_running(settings, spec(H));
    brings(&mut bench, SUCCESS);
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn what_the_old_process_ended_is_not_lost_with_the_coordinator_either() {
    let mut bench = restarted();
    bench.register(1, 2, 1, false).item(1, key(1, 1), finished(FAILURE)).end(1).commit();
    delivers(&mut bench, FAILURE);
    assert_eq!(bench.state(1), TaskState::Failed);
    assert_eq!(bench.store.tasks[&TaskId(1)].lost, 0);
}

#[test]
fn what_another_worker_has_by_now_is_nobody_elses_result() {
    let mut bench = replaced();
    bench.depart(1).register(1, 2, 1, false).item(1, key(1, 1), finished(FAILURE)).end(1).commit();
    let disposition = Disposition::Stale;
    let dropped = answer(1, key(1, 1), Judgement::Drop { disposition });
    assert!(bench.seen_all().contains(&dropped));
    assert_eq!(bench.state(1), TaskState::Leased);
}

#[test]
fn a_new_process_that_came_before_the_leases_were_read_ends_the_old_one_if_it_has_said_all() {
    let mut bench = restarted();
    bench.register(1, 2, 1, false).item(1, key(9, 1), finished(FAILURE)).end(1).commit();
    assert_eq!(bench.state(1), TaskState::Queued);
    let mut bench = restarted();
    bench.register(1, 2, 1, false).commit();
    assert_eq!(bench.state(1), TaskState::Leased);
    bench.detach(1, 0).register(1, 1, 1, false).hush();
    bench.item(1, key(1, 1), running(0));
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Continue)]);
}

#[test]
fn an_inventory_ends_once_and_nobody_is_active_before_it_is_judged() {
    let mut bench = restarted();
    bench.register(1, 1, 1, false).item(1, key(1, 1), running(0));
    assert_eq!(becomes_active(&mut bench), DispatcherVerdict::Stale, "there may be more");
    assert_eq!(ends(&mut bench), DispatcherVerdict::Accepted);
    assert_eq!(ends(&mut bench), DispatcherVerdict::Stale);
    assert_eq!(becomes_active(&mut bench), DispatcherVerdict::Stale, "it has no answer yet");
    bench.commit();
    assert_eq!(becomes_active(&mut bench), DispatcherVerdict::Accepted);
    assert_eq!(ends(&mut bench), DispatcherVerdict::Stale);
    bench.register(1, 1, 1, true);
    assert_eq!(becomes_active(&mut bench), DispatcherVerdict::Stale, "there may be more");
}

#[test]
fn a_number_that_was_not_heard_is_told_again() {
    let mut bench = requeued();
    bench.item(1, key(1, 1), running(0)).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), adopt(2))]);
    come_again(&mut bench).hush();
    bench.item(1, key(1, 1), running(3)).end(1).active(1).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), adopt(2))]);
    assert_eq!(bench.ops(), [], "it has that number");
    bench.result(1, key(1, 2), SUCCESS).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded);
}

#[test]
fn a_number_that_is_not_durable_is_not_told_and_the_next_inventory_gets_another_one() {
    let mut bench = requeued();
    bench.item(1, key(1, 1), running(0));
    come_again(&mut bench).item(1, key(1, 1), running(0));
    assert_eq!(bench.seen(), []);
    bench.commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), adopt(3))]);
}

#[test]
fn a_cancel_under_a_number_that_was_not_heard_is_told_again() {
    let mut bench = requeued();
    bench.item(1, key(1, 1), running(0)).commit().end(1).active(1).cancel(7, 1).commit();
    assert!(bench.seen().contains(&cancel(1, key(1, 2))));
    come_again(&mut bench).hush();
    bench.item(1, key(1, 1), running(0)).end(1).active(1).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), adopt(2)), cancel(1, key(1, 2))]);
}

#[test]
fn a_run_that_is_to_be_cancelled_gives_way_to_no_other_one() {
    // Though the other one is further.
    let mut bench = replaced();
    bench.cancel(7, 1).commit().hush();
    bench.item(1, key(1, 1), running(100)).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Cancel)]);
    assert_eq!(bench.dispatcher.running(WorkerId(2)), 1);
    // Also if it got its number anew after a client wanted it to end.
    let mut bench = replaced();
    bench.detach(2, 90).at(180).commit().register(2, 1, 1, false).hush();
    bench.item(1, key(1, 1), running(5)).cancel(7, 1);
    bench.detach(1, 180).register(1, 1, 1, false).item(1, key(1, 1), running(5)).hush();
    bench.item(2, key(1, 2), running(9));
    assert_eq!(bench.seen(), [answer(2, key(1, 2), Judgement::Cancel)]);
}

#[test]
fn a_run_that_two_workers_name_stays_with_the_one_that_has_it() {
    let mut bench = replaced();
    bench.item(1, key(1, 2), running(100)).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 2), Judgement::Cancel)], "it was never given it");
    assert_eq!(bench.dispatcher.running(WorkerId(2)), 1);
    let mut bench = requeued();
    bench.item(1, key(1, 1), running(5)).commit().end(1).active(1);
    bench.register(2, 1, 1, false).hush();
    bench.item(2, key(1, 1), running(5)).commit();
    assert_eq!(bench.seen(), [answer(2, key(1, 1), Judgement::Cancel)]);
    assert_eq!(bench.dispatcher.running(WorkerId(1)), 1);
}

#[test]
fn a_number_that_the_store_never_gave_out_is_unknown() {
    for attempt in [0, 9] {
        let mut bench = unseen();
        bench.item(1, key(1, attempt), running(0)).commit();
        assert_eq!(bench.seen(), [answer(1, key(1, attempt), Judgement::Cancel)]);
        bench.item(1, key(1, attempt), finished(SUCCESS)).commit();
        assert_eq!(bench.seen(), [answer(1, key(1, attempt), Judgement::Unknown)]);
    }
    let mut bench = unseen();
    bench.end(1).active(1).hush();
    bench.result(1, key(1, 1), FAILURE).result(1, key(1, 9), FAILURE).commit();
    let (late, never) = (Disposition::Stale, Disposition::Unknown);
    assert_eq!(bench.seen(), [settled(1, key(1, 1), late), settled(1, key(1, 9), never)]);
}

#[test]
fn a_hand_over_is_for_the_worker_and_the_number_that_it_was_asked_for() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).submit(1).commit().join(2, 1, 1);
    let handed_over = |worker, key| DispatcherInput::HandedOver { worker: WorkerId(worker), key };
    assert_eq!(bench.input(handed_over(2, key(1, 1))), DispatcherVerdict::Stale);
    assert_eq!(bench.input(handed_over(1, key(1, 2))), DispatcherVerdict::Stale);
    assert_eq!(bench.input(handed_over(1, key(1, 1))), DispatcherVerdict::Accepted);
}

#[test]
fn what_was_not_polled_is_told_in_the_session_and_to_the_inventory_that_it_is_for() {
    for resumed in [true, false] {
        let mut bench = Bench::with_one_running(unguarded(), spec(H));
        bench.register(1, 1, 1, true).hush();
        let (now, worker, incarnation) = (bench.second(0), WorkerId(1), Incarnation(1));
        let mut unpolled = |input| {
            assert_eq!(bench.dispatcher.handle(now, input), DispatcherVerdict::Accepted);
        };
        unpolled(DispatcherInput::Item { worker, key: key(1, 1), holding: running(0) });
        unpolled(DispatcherInput::InventoryEnd { worker });
        unpolled(DispatcherInput::Active { worker });
        let message = WorkerMessage::Result { key: key(1, 5), outcome: SUCCESS };
        unpolled(DispatcherInput::Message { worker, incarnation, message });
        unpolled(DispatcherInput::Registered { worker, incarnation, slots: 1, resumed });
        bench.end(1).active(1);
        let told = settled(1, key(1, 5), Disposition::Unknown);
        assert_eq!(bench.seen(), if resumed { vec![told] } else { vec![] });
    }
}

#[test]
fn a_result_is_not_answered_to_a_worker_that_left_and_is_only_expected() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(1, 1), SUCCESS).depart(1);
    let (worker, incarnation) = (WorkerId(1), Incarnation(1));
    bench.input(DispatcherInput::Expect { worker, incarnation });
    bench.commit();
    assert_eq!(bench.seen(), [ended(1)]);
}

/// Somebody ends a task in the store, which nobody but the coordinator should.
fn end_in_store(bench: &mut Bench) {
    bench.store.tasks.get_mut(&TaskId(1)).expect("it is there").state = TaskState::Succeeded;
}

#[test]
fn a_task_that_the_store_does_not_take_back_is_forgotten() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    end_in_store(&mut bench);
    bench.depart(1).commit();
    assert_eq!(bench.dispatcher.tasks(), 0);
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    end_in_store(&mut bench);
    bench.result(1, key(1, 1), Outcome::Cancelled).commit();
    assert_eq!(bench.dispatcher.tasks(), 0);
}

#[test]
fn what_the_store_refused_before_says_nothing_of_what_it_took_since() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.join(2, 1, 1).commit().hush();
    // The store has it in the queue already, so it does not take it back; but it gives it out.
    bench.store.tasks.get_mut(&TaskId(1)).expect("it is there").state = TaskState::Queued;
    bench.depart(1).commit();
    assert_eq!(bench.seen(), [assign(2, key(1, 2))]);
    assert_eq!(bench.dispatcher.running(WorkerId(2)), 1);
}
