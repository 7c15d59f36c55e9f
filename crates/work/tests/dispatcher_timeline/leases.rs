//! Timelines: accept and revoke, refusals, detachment, loss, the guard.

use crate::bench::*;
use moorline_work::*;

const WITHDRAW: DispatcherAction = DispatcherAction::Withdraw {
    worker: WorkerId(1),
    key: TaskKey { task: TaskId(1), attempt: Attempt(1) },
};

fn requeues(bench: &mut Bench) -> Vec<(TaskKey, RequeueCause)> {
    bench
        .ops()
        .into_iter()
        .filter_map(
            |op| if let Op::Requeue { key, cause } = op { Some((key, cause)) } else { None },
        )
        .collect()
}

/// Task 1 is on its way to worker 1: the lane has it.
fn with_one_sent() -> Bench {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).submit(1).commit().hush();
    bench
}

#[test]
fn the_accept_clock_starts_at_the_hand_over_and_a_revoke_follows_once() {
    let mut bench = with_one_sent();
    bench.at(30);
    assert_eq!(bench.seen(), [], "the lane may take its time");
    bench.handed_over(1, key(1, 1)).at(39);
    assert_eq!(bench.seen(), []);
    bench.at(40);
    assert_eq!(bench.seen(), [revoke(1, key(1, 1))]);
    bench.at(69);
    assert_eq!(bench.seen(), []);
    assert_eq!(requeues(&mut bench), [], "only the worker's word returns it");
}

#[test]
fn a_result_says_that_a_worker_without_a_slot_has_one_again() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 2).submit(1).submit(2).commit();
    let refusal = Refusal::NoSlot;
    bench.says(1, 1, WorkerMessage::Refuse { key: key(2, 1), refusal });
    bench.commit().hush();
    bench.result(1, key(1, 1), Outcome::Succeeded).commit();
    assert!(bench.seen().contains(&assign(1, key(2, 2))));
}

#[test]
fn a_coordinator_that_stops_leases_nothing_to_the_next_worker_that_it_sends_away() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).join(2, 1, 1).join(3, 1, 1);
    bench.submit(1).commit().hush();
    bench.ops();
    bench.submit(2);
    assert_eq!(bench.ops().len(), 1, "leased with its submission");
    assert_eq!(bench.input(DispatcherInput::Stop), DispatcherVerdict::Accepted);
    for worker in [2, 3, 1] {
        bench.detach(worker, 0).commit();
    }
    let returned = [(key(2, 1), RequeueCause::Returned)];
    assert_eq!(requeues(&mut bench), returned, "once, and nobody else gets it");
    assert_eq!((bench.state(1), bench.state(2)), (TaskState::Leased, TaskState::Queued));
    bench.submit(3).commit();
    assert_eq!(bench.state(3), TaskState::Queued);
    let asked = bench.ops();
    assert!(!asked.iter().any(|op| matches!(op, Op::Claim { .. } | Op::Lease { .. })), "{asked:?}");
}

#[test]
fn a_lease_that_is_not_durable_yet_returns_when_its_worker_drains() {
    let mut bench = Bench::with_one_asked_for();
    bench.flags(1, true, false).commit();
    assert_eq!(requeues(&mut bench), [(key(1, 1), RequeueCause::Returned)]);
    assert!(!bench.seen().contains(&assign(1, key(1, 1))));
}

#[test]
fn a_new_process_does_not_drain_because_the_old_one_did() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).flags(1, true, false).detach(1, 0).join(1, 2, 1).submit(1).commit();
    assert!(bench.seen().contains(&assign(1, key(1, 1))));
}

#[test]
fn a_held_assignment_stays_leased_and_counts_as_accepted() {
    let mut bench = with_one_sent();
    bench.handed_over(1, key(1, 1)).at(10);
    bench.says(1, 1, WorkerMessage::Held { key: key(1, 1) });
    assert!(bench.dispatcher.leases().all(|lease| lease.accepted));
    assert_eq!(requeues(&mut bench), []);
}

#[test]
fn an_assignment_that_is_not_held_returns_at_once_under_a_new_attempt() {
    let mut bench = with_one_sent();
    bench.handed_over(1, key(1, 1)).at(10).hush();
    bench.says(1, 1, WorkerMessage::NotHeld { key: key(1, 1) });
    bench.commit();
    assert_eq!(requeues(&mut bench), [(key(1, 1), RequeueCause::Returned)]);
    assert_eq!(bench.seen(), [assign(1, key(1, 2))]);
    // The one that was under way is refused when it comes, and that says nothing new.
    let refusal = Refusal::Revoked;
    let verdict = bench.says(1, 1, WorkerMessage::Refuse { key: key(1, 1), refusal });
    assert_eq!(verdict, DispatcherVerdict::Stale);
    assert_eq!(bench.state(1), TaskState::Leased);
}

/// Else a body that needs longer than that is assigned again and again, and never runs.
#[test]
fn an_assignment_that_was_not_accepted_in_time_has_twice_as_long_the_next_time() {
    const FIRST: u64 = 10;
    let mut bench = with_one_sent();
    let mut now = 0;
    for attempt in 1..=20 {
        let key = key(1, attempt);
        // A week is enough for any body.
        let allowed = FIRST << (attempt - 1).min(16);
        bench.handed_over(1, key).at(now + allowed - 1);
        assert_eq!(bench.seen(), [], "attempt {attempt} has {allowed} s");
        now += allowed;
        bench.at(now);
        assert_eq!(bench.seen(), [revoke(1, key)], "attempt {attempt} has {allowed} s");
        bench.says(1, 1, WorkerMessage::NotHeld { key });
        bench.commit().hush();
    }
    let late = key(1, 21);
    bench.handed_over(1, late).says(1, 1, WorkerMessage::Accept { key: late });
    bench.result(1, late, Outcome::Succeeded).commit();
    assert_eq!(bench.state(1), TaskState::Succeeded, "none of them counts as lost");
}

#[test]
fn an_accept_in_time_stops_the_clock() {
    let mut bench = with_one_sent();
    bench.handed_over(1, key(1, 1)).at(9);
    bench.says(1, 1, WorkerMessage::Accept { key: key(1, 1) });
    bench.at(100);
    assert_eq!(bench.seen(), []);
}

#[test]
fn an_assignment_without_a_number_is_withdrawn_when_its_worker_detaches() {
    let mut bench = with_one_sent();
    bench.detach(1, 0);
    assert_eq!(bench.seen(), [WITHDRAW]);
    bench.withdrawn(1, key(1, 1), true).commit();
    assert_eq!(requeues(&mut bench), [(key(1, 1), RequeueCause::Returned)]);
}

#[test]
fn an_assignment_with_a_number_waits_for_its_worker_and_the_clock_starts_when_it_is_back() {
    let mut bench = with_one_sent();
    bench.detach(1, 0);
    bench.withdrawn(1, key(1, 1), false).hush();
    bench.at(50);
    assert_eq!(bench.seen(), [], "no clock runs while nobody can hear it");
    bench.register(1, 1, 1, true).end(1).active(1).at(59);
    assert_eq!(bench.seen(), []);
    bench.at(60);
    assert_eq!(bench.seen(), [revoke(1, key(1, 1))]);
    assert_eq!(requeues(&mut bench), []);
}

#[test]
fn the_accept_clock_stops_with_the_connection_and_starts_afresh() {
    let mut bench = with_one_sent();
    bench.handed_over(1, key(1, 1)).at(5).detach(1, 5).at(30);
    bench.register(1, 1, 1, true).end(1).active(1).at(39);
    assert_eq!(bench.seen(), [], "it had no time to answer yet");
    bench.at(40);
    assert_eq!(bench.seen(), [revoke(1, key(1, 1))]);
}

#[test]
fn a_lease_that_is_not_durable_yet_returns_when_its_worker_detaches() {
    let mut bench = Bench::with_one_asked_for();
    bench.detach(1, 0).commit();
    assert_eq!(requeues(&mut bench), [(key(1, 1), RequeueCause::Returned)]);
    assert!(!bench.seen().contains(&assign(1, key(1, 1))));
}

#[test]
fn a_worker_without_a_slot_is_left_alone_until_something_changes() {
    let mut bench = with_one_sent();
    let refuse =
        |task, attempt| WorkerMessage::Refuse { key: key(task, attempt), refusal: Refusal::NoSlot };
    bench.says(1, 1, refuse(1, 1));
    bench.commit();
    assert_eq!(bench.seen(), [], "no hot loop");
    bench.flags(1, false, false).commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 2))]);
    bench.says(1, 1, refuse(1, 2));
    bench.commit().at(9).commit();
    assert_eq!(bench.seen(), []);
    bench.at(10).commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 3))], "it is tried again after a while");
}

#[test]
fn a_handler_that_is_unknown_to_its_worker_is_not_asked_of_it_again() {
    let mut bench = with_one_sent();
    let refusal = Refusal::UnknownHandler;
    bench.says(1, 1, WorkerMessage::Refuse { key: key(1, 1), refusal });
    bench.commit().flags(1, false, false).at(1_000).commit();
    assert_eq!(bench.seen(), []);
    bench.register(1, 1, 1, true).end(1).active(1).commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 2))]);
}

#[test]
fn a_draining_or_paused_worker_gets_nothing_new() {
    for (draining, paused) in [(true, false), (false, true)] {
        let mut bench = Bench::new(unguarded());
        bench.join(1, 1, 2).submit(1).commit();
        bench.accept(1, key(1, 1)).flags(1, draining, paused).submit(2).commit();
        assert_eq!(bench.state(2), TaskState::Queued);
        assert_eq!(bench.state(1), TaskState::Leased, "what runs goes on");
        bench.flags(1, false, false).commit();
        assert_eq!(bench.state(2), TaskState::Leased);
    }
}

#[test]
fn a_detached_workers_leases_stand_until_lost_after_its_last_frame() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.at(15).detach(1, 5).at(94).commit();
    assert_eq!(requeues(&mut bench), []);
    assert_eq!(bench.seen(), []);
    bench.at(95).commit();
    assert_eq!(requeues(&mut bench), [(key(1, 1), RequeueCause::Lost)]);
    assert_eq!(bench.seen(), [lost(1)]);
}

#[test]
fn a_worker_that_is_back_in_time_keeps_what_it_runs() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.detach(1, 0).at(89).register(1, 1, 1, true);
    bench.item(1, key(1, 1), running(0)).end(1).active(1).at(1_000).commit();
    assert_eq!(bench.seen(), [answer(1, key(1, 1), Judgement::Continue)]);
    assert_eq!(requeues(&mut bench), []);
}

#[test]
fn a_task_is_dead_when_it_was_accepted_and_lost_too_often() {
    let mut bench = Bench::new(unguarded());
    bench.submit(1).commit();
    for life in 1..=3 {
        let now = u64::from(life) * 1_000;
        bench.at(now).join(1, 1, 1).commit();
        bench.accept(1, key(1, life)).detach(1, now).at(now + 90).commit();
    }
    assert_eq!(bench.state(1), TaskState::Dead);
    assert!(bench.seen().contains(&ended(1)));
}

#[test]
fn an_attempt_that_was_never_accepted_does_not_count_as_lost() {
    let mut bench = with_one_sent();
    bench.handed_over(1, key(1, 1)).detach(1, 0).at(90).commit();
    assert_eq!(requeues(&mut bench), [(key(1, 1), RequeueCause::Returned)]);
    assert_eq!(bench.store.tasks[&TaskId(1)].lost, 0);
}

#[test]
fn a_goodbye_returns_what_was_held_at_once_and_counts_for_nothing() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.depart(1).commit();
    assert_eq!(requeues(&mut bench), [(key(1, 1), RequeueCause::Returned)]);
    assert_eq!(bench.seen(), [], "it is not lost");
}

/// Five guarded workers, each with one running task.
fn five() -> Bench {
    let mut bench = Bench::new(DispatcherSettings::default());
    for worker in 1..=5 {
        bench.join(worker, 1, 1).submit(worker).commit();
        bench.accept(worker, key(worker, 1));
    }
    bench.hush();
    bench
}

#[test]
fn when_many_vanish_together_redelivery_waits_for_twice_as_long() {
    let mut bench = five();
    for worker in [2, 3, 1] {
        bench.detach(worker, 0);
    }
    bench.at(179).commit();
    assert_eq!(bench.seen(), []);
    bench.at(180).commit();
    assert_eq!(bench.seen(), [lost(1), lost(2), lost(3)]);
}

#[test]
fn the_guard_lets_go_when_enough_are_back() {
    let mut bench = five();
    for worker in [2, 3, 1] {
        bench.detach(worker, 0);
    }
    bench.at(100).commit();
    assert_eq!(bench.seen(), []);
    bench.register(1, 1, 1, true);
    assert_eq!(bench.seen(), [lost(2), lost(3)]);
}

#[test]
fn few_losses_do_not_wake_the_guard() {
    let mut bench = five();
    bench.detach(1, 0).detach(2, 0).at(90);
    assert_eq!(bench.seen(), [lost(1), lost(2)]);
}

#[test]
fn the_guard_holds_for_three_workers_and_not_for_two() {
    for (workers, first_lost) in [(3, 180), (2, 90)] {
        let mut bench = Bench::new(DispatcherSettings::default());
        for worker in 1..=workers {
            bench.join(worker, 1, 1);
        }
        bench.detach(1, 0).detach(2, 0).commit().hush();
        bench.at(first_lost - 1);
        assert_eq!(bench.seen(), [], "{workers} workers");
        bench.at(first_lost);
        assert_eq!(bench.seen(), [lost(1), lost(2)], "{workers} workers");
    }
}

#[test]
fn the_guard_holds_above_55_percent_and_not_at_it() {
    for (away, first_lost) in [(11, 90), (12, 180)] {
        let mut bench = Bench::new(DispatcherSettings::default());
        for worker in 1..=20 {
            bench.join(worker, 1, 1);
        }
        for worker in 1..=away {
            bench.detach(worker, 0);
        }
        bench.commit().hush();
        bench.at(first_lost - 1);
        assert_eq!(bench.seen(), [], "{away} of 20");
        bench.at(first_lost);
        assert_eq!(bench.seen(), (1..=away).map(lost).collect::<Vec<_>>(), "{away} of 20");
    }
}

#[test]
fn the_guard_holds_over_a_restart_until_twice_the_time_has_passed() {
    let mut bench = five().restarted();
    bench.commit().at(179);
    assert_eq!(bench.seen(), [], "the grace is over, but nobody is back");
    bench.at(180);
    assert_eq!(bench.seen(), (1..=5).map(lost).collect::<Vec<_>>());
}

#[test]
fn a_grace_shorter_than_the_time_to_be_lost_does_not_shorten_that() {
    let settings =
        DispatcherSettings { start_grace: std::time::Duration::from_secs(10), ..unguarded() };
    let mut bench = Bench::with_one_running(settings, spec(H)).restarted();
    bench.commit().at(89).commit();
    assert_eq!(bench.state(1), TaskState::Leased);
    bench.at(90).commit();
    assert_eq!(bench.state(1), TaskState::Queued);
}

#[test]
fn goodbyes_and_drains_do_not_count_for_the_guard() {
    let mut bench = five();
    bench.depart(4).depart(5);
    bench.flags(3, true, false).detach(3, 0).detach(1, 0).commit().hush();
    // One of the two that count is away: 50 %, and less than three workers.
    bench.at(90);
    assert_eq!(bench.seen(), [lost(1), lost(3)]);
}

#[test]
fn a_message_of_another_process_is_stale_and_changes_nothing() {
    let mut bench = with_one_sent();
    let before = bench.dispatcher.clone();
    let key = key(1, 1);
    for message in [
        WorkerMessage::Accept { key },
        WorkerMessage::NotHeld { key },
        WorkerMessage::Result { key, outcome: Outcome::Succeeded },
    ] {
        assert_eq!(bench.says(1, 2, message), DispatcherVerdict::Stale);
        assert_eq!(bench.says(2, 1, message), DispatcherVerdict::Stale);
    }
    assert_eq!(bench.dispatcher, before);
}

#[test]
fn a_worker_that_stops_a_run_by_itself_gives_it_back_and_waits_a_while() {
    let mut bench = Bench::with_one_running(unguarded(), spec(H));
    bench.result(1, key(1, 1), Outcome::Cancelled).commit();
    assert_eq!(requeues(&mut bench), [(key(1, 1), RequeueCause::Returned)]);
    assert_eq!(bench.seen(), [settled(1, key(1, 1), Disposition::Accepted)]);
    bench.at(10).commit();
    assert_eq!(bench.seen(), [assign(1, key(1, 2))]);
}

#[test]
fn settings_out_of_range_are_refused_with_their_figures() {
    let bad = |settings| DispatcherConfig::new(settings).unwrap_err().to_string();
    let good = DispatcherSettings::default();
    assert_eq!(bad(DispatcherSettings { window: 0, ..good }), "window must not be zero");
    assert_eq!(bad(DispatcherSettings { lost_cap: 0, ..good }), "lost_cap must not be zero");
    assert_eq!(
        bad(DispatcherSettings { guard_percent: 101, ..good }),
        "guard_percent (101) is above 100"
    );
}
