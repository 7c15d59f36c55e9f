//! Timelines: free slots are the same for both sides, whatever became of a run meanwhile. Else three
//! heartbeats later the worker would find itself out of step, and come back to the same difference.

use crate::bench::*;
use moorline_work::*;

const SUCCESS: Outcome = Outcome::Succeeded;

/// The free slots that the worker was last told.
fn believed(bench: &mut Bench, worker: u128) -> Option<u16> {
    let mut told = bench.seen_all().into_iter().filter_map(|action| match action {
        DispatcherAction::Believe { worker: of, free } if of == WorkerId(worker) => Some(free),
        DispatcherAction::Believe { .. }
        | DispatcherAction::Persist { .. }
        | DispatcherAction::Send { .. }
        | DispatcherAction::Withdraw { .. }
        | DispatcherAction::Answer { .. }
        | DispatcherAction::Unanswered { .. }
        | DispatcherAction::Lost { .. }
        | DispatcherAction::Reply { .. }
        | DispatcherAction::Ended { .. } => None,
    });
    told.next_back()
}

/// Of the real runner, after it has named a run and was answered: its free slots while the handler
/// stops, whether it then sends its end, and its free slots after that.
fn runner_told(judgement: Judgement) -> (u16, Option<WorkerMessage>, u16) {
    let now = Instant::ZERO;
    let mut runner = Runner::new(RunnerConfig { slots: 2, ..RunnerConfig::default() }, [H]);
    runner.handle(now, RunnerInput::Welcomed { resumed: false });
    let assign = Assign { key: key(9, 1), handler: H, timeout: None };
    let input = RunnerInput::Message(CoordinatorMessage::Assign(assign));
    let RunnerVerdict::Started { run, .. } = runner.handle(now, input) else {
        panic!("it has a slot")
    };
    runner.handle(now, RunnerInput::Welcomed { resumed: false });
    runner.handle(now, RunnerInput::Judged { key: key(9, 1), judgement });
    let stopping = runner.free();
    runner.handle(now, RunnerInput::Done { run, outcome: Outcome::Cancelled, len: 0 });
    (stopping, runner.poll_message(), runner.free())
}

#[test]
fn a_run_of_a_task_that_nobody_knows_takes_its_slot_until_it_has_stopped() {
    // The store was lost, or is one that forgets: the task, or this attempt of it, never was.
    for unknown in [key(9, 1), key(1, 5)] {
        let mut bench = Bench::with_one_running(unguarded(), spec(H));
        bench.register(2, 1, 2, false).item(2, unknown, running(0)).commit();
        bench.end(2).active(2);
        let seen = bench.seen_all();
        assert!(seen.contains(&answer(2, unknown, Judgement::Cancel)), "{seen:?}");
        assert_eq!(seen.last(), Some(&believe(2, 1)));

        // Its handler takes its time. Meanwhile the other slot is used, and no more.
        bench.submit(2).submit(3).commit();
        assert_eq!(believed(&mut bench, 2), Some(0));
        assert_eq!(bench.dispatcher.running(WorkerId(2)), 1);
        bench.result(2, unknown, Outcome::Cancelled).commit();
        assert_eq!(bench.dispatcher.running(WorkerId(2)), 2, "its slot is free");
    }
    let key = key(9, 1);
    let result = WorkerMessage::Result { key, outcome: Outcome::Cancelled };
    assert_eq!(runner_told(Judgement::Cancel), (1, Some(result), 2));
}

#[test]
fn a_loser_that_is_slow_to_stop_takes_its_slot_until_it_has() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).join(2, 1, 2).commit();
    bench.accept(2, key(1, 2)).register(1, 1, 2, false).hush();
    bench.item(1, key(1, 1), finished(SUCCESS)).end(1).active(1);
    bench.result(1, key(1, 1), SUCCESS).commit();
    assert!(bench.seen_all().contains(&cancel(2, key(1, 2))));
    // It comes back twice meanwhile, once with its session and once without.
    for resumed in [true, false] {
        bench.detach(2, 90).register(2, 1, 2, resumed).item(2, key(1, 2), running(0));
        bench.commit().end(2).active(2);
        assert_eq!(believed(&mut bench, 2), Some(1), "resumed: {resumed}");
    }
    bench.result(2, key(1, 2), Outcome::Cancelled).commit();
    assert_eq!(believed(&mut bench, 2), Some(2));
}

#[test]
fn a_loser_that_has_ended_takes_no_slot() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).join(2, 1, 1).commit();
    bench.accept(2, key(1, 2)).detach(2, 90).register(1, 1, 1, false);
    bench.item(1, key(1, 1), finished(SUCCESS)).end(1).active(1);
    let failed = finished(Outcome::Failed { retryable: false });
    bench.register(2, 1, 1, true).item(2, key(1, 2), failed).end(2).active(2).hush();
    bench.result(1, key(1, 1), SUCCESS).commit();
    assert_eq!(believed(&mut bench, 2), Some(1));
}

/// Worker 1 runs attempt 1 of a task that goes on as attempt 3, of which it has not heard; then
/// attempt 2, which was to stop for it, succeeds. The connection breaks.
fn adopted_unheard_and_ended() -> Bench {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(90).join(2, 1, 1).commit();
    bench.accept(2, key(1, 2)).register(1, 1, 2, false);
    bench.item(1, key(1, 1), running(7)).end(1).commit().hush();
    bench.result(2, key(1, 2), SUCCESS).commit();
    assert!(bench.seen().contains(&settled(2, key(1, 2), Disposition::LateAccepted)));
    bench.detach(1, 90);
    bench
}

#[test]
fn a_run_that_has_not_heard_of_its_new_number_takes_one_slot_and_not_two() {
    for resumed in [true, false] {
        let mut bench = adopted_unheard_and_ended();
        bench.register(1, 1, 2, resumed).item(1, key(1, 1), running(7)).commit();
        assert!(bench.seen().contains(&answer(1, key(1, 1), Judgement::Cancel)));
        bench.end(1).active(1);
        // One slot is used by the run; the other can be given. Worker 2 takes one of the tasks.
        bench.submit(2).submit(3).submit(4).commit();
        assert_eq!(bench.dispatcher.running(WorkerId(1)), 1, "resumed: {resumed}");
        bench.result(1, key(1, 1), Outcome::Cancelled).commit();
        assert_eq!(bench.dispatcher.running(WorkerId(1)), 2, "resumed: {resumed}");
        assert_eq!(believed(&mut bench, 1), Some(0));
    }
}

#[test]
fn a_run_that_ended_before_it_heard_of_its_new_number_takes_no_slot() {
    let mut bench = adopted_unheard_and_ended();
    bench.register(1, 1, 2, true).item(1, key(1, 1), finished(SUCCESS)).commit();
    let disposition = Disposition::Stale;
    assert!(bench.seen().contains(&answer(1, key(1, 1), Judgement::Drop { disposition })));
    bench.end(1).active(1).submit(2).submit(3).commit();
    assert_eq!(bench.dispatcher.running(WorkerId(1)), 2);
}

#[test]
fn an_assignment_that_was_on_a_lane_of_an_old_session_takes_no_slot_of_the_new_one() {
    // Worker 1 was lost with attempt 1; its run is to stop, and does so slowly.
    let mut bench = Bench::with_one_running(unguarded(), TaskSpec { max_retries: 1, ..spec(H) });
    bench.detach(1, 0).at(90).join(2, 1, 1).commit();
    bench.accept(2, key(1, 2)).detach(2, 90).register(2, 1, 1, true);
    bench.item(2, key(1, 2), running(8)).end(2).active(2);
    bench.register(1, 1, 2, false).item(1, key(1, 1), running(7)).end(1).active(1).commit();
    // Attempt 2 fails, attempt 3 is on its way to worker 1 when a success of attempt 2 is heard.
    bench.flags(2, true, false);
    bench.result(2, key(1, 2), Outcome::Failed { retryable: true }).commit().at(92).commit();
    assert!(bench.seen().contains(&assign(1, key(1, 3))));
    bench.handed_over(1, key(1, 3)).result(2, key(1, 2), SUCCESS).commit().hush();
    // In a new session it never comes; the run of attempt 1 still stops.
    bench.detach(1, 92).register(1, 1, 2, false).item(1, key(1, 1), running(7)).commit();
    bench.end(1).active(1);
    assert_eq!(believed(&mut bench, 1), Some(1));
    bench.result(1, key(1, 1), Outcome::Cancelled).commit();
    assert_eq!(believed(&mut bench, 1), Some(2));
}

#[test]
fn a_worker_cannot_make_the_coordinator_remember_more_runs_than_an_inventory_has_items() {
    const MAX: u128 = 65_536;
    let mut bench = Bench::new(unguarded());
    // It names runs that nobody knows, registers again, and names others.
    for half in [1..=40_000, 40_001..=80_000] {
        bench.register(1, 1, u16::MAX, true);
        for task in half {
            bench.item(1, key(task, 1), running(0));
        }
        bench.commit().end(1);
    }
    bench.active(1);
    for task in 1..=MAX {
        bench.result(1, key(task, 1), Outcome::Cancelled);
    }
    bench.commit();
    assert_eq!(believed(&mut bench, 1), Some(u16::MAX), "the rest was not noted");
}
