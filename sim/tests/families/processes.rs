//! H: what becomes of processes. O: what people do to them.

use moorline_link::Reason;
use moorline_sim::{
    Episode, Family, Fault, FrameKind, Kept, Manner, Nudge, Plan, TaskPlan, Told, Twin, What, Who,
    WorkerPlan,
};

use super::{AT, COORDINATOR, MS, SEC, W0, W1, hostile, run, struck, task, world};

#[test]
fn h1_a_process_ends_and_comes_back_after_its_time() {
    for who in [W0, COORDINATOR] {
        for manner in [Manner::Killed, Manner::Vanished] {
            let back = 3 * SEC;
            let ran = run(struck(Fault::Crash { who, manner, back, kept: Kept::All }));
            assert_eq!(ran.times(What::Begins, who)[1], AT + back);
            let busy =
                |what| ran.times(what, who).iter().any(|at| (AT + 1..AT + back).contains(at));
            assert!(!busy(What::Gets) && !busy(What::Sends) && !busy(What::Wakes), "{who}");
            assert_eq!((ran.report.tasks, ran.report.crashes), (40, 1));
            assert!(ran.met(Family::H1) > 0);
        }
    }
}

#[test]
fn h1_who_is_asked_to_stop_says_goodbye() {
    let fault = Fault::Crash { who: W0, manner: Manner::Asked, back: 4 * SEC, kept: Kept::All };
    let ran = run(struck(fault));
    assert_eq!(ran.said(FrameKind::Goodbye, W0).iter().filter(|at| **at < 20 * SEC).count(), 1);
    assert!(ran.report.seen.departed > 0);
}

#[test]
fn h1_a_store_that_is_rolled_back_does_work_again_in_a_hostile_world_only() {
    let crash = |kept| Fault::Crash { who: COORDINATOR, manner: Manner::Killed, back: SEC, kept };
    for kept in [Kept::Nothing, Kept::Before { commits: 40 }] {
        let ran = run(hostile(crash(kept)));
        let before = ran.times(What::Durable, COORDINATOR);
        assert!(before.iter().any(|at| *at < AT));
        // Epochs come from the store: they are given again.
        assert_eq!(ran.of(What::Begins, COORDINATOR).len(), 2);
        assert_ne!(ran.report.hash, run(hostile(crash(Kept::All))).report.hash);
        assert!(run(struck(crash(kept))).struck_at().is_empty(), "no honest world has it");
    }
}

#[test]
fn h2_a_process_ends_again_and_again() {
    let (back, lives, times) = (SEC, 2 * SEC, 5);
    let fault = Fault::CrashLoop { who: W0, manner: Manner::Killed, back, lives, times };
    let ran = run(struck(fault));
    let begins = ran.times(What::Begins, W0);
    let expected: Vec<u64> = (0..5).map(|time| AT + time * (back + lives) + back).collect();
    assert_eq!(begins[1..], expected);
    assert_eq!(ran.report.crashes, 5);
    assert!(ran.met(Family::H2) > 0);
}

#[test]
fn h3_a_process_stands_still_with_its_clock_or_without() {
    let lasts = 6 * SEC;
    for who in [W0, COORDINATOR] {
        let ran = |suspended| {
            let ran = run(struck(Fault::Freeze { who, lasts, suspended }));
            assert_eq!(ran.times(What::Thaws, who), [AT + lasts]);
            for what in [What::Gets, What::Sends, What::Wakes] {
                let still = |at: &u64| (AT + 1..AT + lasts).contains(at);
                assert!(!ran.times(what, who).iter().any(still), "{who} {what:?}");
            }
            assert!(ran.of(What::Thaws, who)[0].value > 0, "something has waited");
            assert!(ran.met(Family::H3) > 0);
            ran.report.seen.stalled
        };
        assert!(ran(false) > 0, "{who} finds out by its clock");
        assert_eq!(ran(true), 0, "the clock of {who} stood still as well");
    }
}

#[test]
fn h3_a_standstill_does_not_end_with_one_of_the_process_before() {
    let lasts = 10 * SEC;
    let fault = |at, fault| Episode { at, moment: None, fault };
    let still = Fault::Freeze { who: W0, lasts, suspended: false };
    let kept = Kept::All;
    let ends = Fault::Crash { who: W0, manner: Manner::Killed, back: SEC, kept };
    let again = AT + 5 * SEC;
    let episodes = vec![fault(AT, still), fault(AT + 2 * SEC, ends), fault(again, still)];
    let ran = run(Plan { episodes, ..world() });
    assert_eq!(ran.times(What::Freezes, W0), [AT, again]);
    assert_eq!(ran.times(What::Thaws, W0), [again + lasts]);
}

#[test]
fn h4_a_process_takes_its_time_for_every_event() {
    let (each, lasts) = (40 * MS, 20 * SEC);
    let ran = run(struck(Fault::Busy { who: COORDINATOR, each, lasts }));
    let mut dealt = ran.times(What::Gets, COORDINATOR);
    dealt.extend(ran.times(What::Wakes, COORDINATOR));
    dealt.retain(|at| (AT + SEC..AT + lasts).contains(at));
    dealt.sort_unstable();
    assert!(dealt.len() > 50, "{}", dealt.len());
    let apart = |pair: &[u64]| pair[1] - pair[0] >= each || pair[0] == pair[1];
    assert!(dealt.windows(2).all(apart));
    assert!(dealt.windows(2).any(|pair| pair[1] - pair[0] == each), "something has waited");
    assert!(ran.met(Family::H4) > 0);
}

/// What a second process has the number of: the place behind the workers of the plan.
const SECOND: Who = Who::Worker(2);

#[test]
fn h5_a_second_process_of_a_worker_that_lives_is_refused_until_that_is_gone() {
    for twin in [Twin::Same, Twin::Renamed, Twin::Namesake] {
        let ran = run(struck(Fault::Twin { worker: 0, twin, lasts: 25 * SEC }));
        assert_eq!(ran.times(What::Begins, SECOND), [AT], "{twin:?}");
        assert_eq!(ran.times(What::Gone, SECOND), [AT + 25 * SEC]);
        assert!(ran.report.seen.conflicts > 1, "{twin:?}: {:?}", ran.report.seen);
        assert_eq!((ran.report.seen.taken_over, ran.report.seen.lost), (0, 0), "{twin:?}");
        assert!(ran.of(What::Starts, SECOND).is_empty(), "{twin:?} is given nothing");
        assert_eq!(ran.times(What::Opens, W0).len(), 1, "the first one is left in peace");
        // Of another id nothing has to be asked.
        assert_eq!(ran.report.seen.challenged > 0, twin != Twin::Namesake, "{twin:?}");
        assert!(ran.met(Family::H5) > 0);
    }
}

#[test]
fn h5_a_second_process_takes_the_place_of_one_that_stands_still_and_that_is_told_so() {
    let mut plan = struck(Fault::Twin { worker: 0, twin: Twin::Same, lasts: 40 * SEC });
    let fault = Fault::Freeze { who: W0, lasts: 10 * SEC, suspended: false };
    plan.episodes.insert(0, Episode { at: AT - MS, moment: None, fault });
    let ran = run(plan);
    assert!(ran.report.seen.taken_over > 0, "{:?}", ran.report.seen);
    assert!(ran.report.seen.superseded > 0, "{:?}", ran.report.seen);
    assert!(!ran.of(What::Starts, SECOND).is_empty(), "work goes to whoever answers");
    assert_eq!(ran.report.tasks, 40);
}

#[test]
fn h6_handlers_panic_say_twice_that_they_ended_and_are_slow_to_stop() {
    let bad = |index: u64| TaskPlan {
        panics: if index.is_multiple_of(3) { 1_000_000 } else { 0 },
        twice: index % 3 == 1,
        endless: index % 3 == 2,
        cancel_at: (index % 3 == 2).then(|| 2 * SEC + index * 1_300 * MS),
        stops: 20 * SEC,
        ..task(index)
    };
    let ran = run(Plan { tasks: (0..12).map(bad).collect(), ..world() });
    let seen = ran.report.seen;
    // Each is tried once more.
    assert_eq!((seen.panicked, seen.failed, seen.said_twice), (8, 4, 4));
    assert!(seen.slow_to_stop > 0 && seen.cancelled_running > 0, "{seen:?}");
    assert!(ran.met(Family::H6) > 0);
}

#[test]
fn h6_a_worker_keeps_its_answers_to_itself() {
    let mut plan = struck(Fault::Swallow { worker: 0, lasts: 50 * SEC });
    plan.episodes[0].at = SEC;
    for task in &mut plan.tasks {
        (task.endless, task.cancel_at) = (true, Some(task.submit_at + SEC));
    }
    plan.tasks.truncate(8);
    let ran = run(plan);
    assert!(ran.report.seen.swallowed > 0 && ran.report.seen.unanswered > 0);
    assert!(ran.met(Family::H6) > 0);
}

#[test]
fn h7_a_coordinator_takes_so_many_registrations_a_second_and_gives_the_others_a_time() {
    let last = |registrations| {
        let mut plan = world();
        let first = plan.workers[0].clone();
        plan.workers = (0..100)
            .map(|index| WorkerPlan {
                id: u128::from(index + 1_u32) << 64 | u128::from(index),
                ..first.clone()
            })
            .collect();
        plan.settings.registrations = registrations;
        let fault =
            Fault::Crash { who: COORDINATOR, manner: Manner::Killed, back: SEC, kept: Kept::All };
        plan.episodes = vec![Episode { at: AT, moment: None, fault }];
        let ran = run(plan);
        let welcomes = ran.said(FrameKind::Welcome, COORDINATOR);
        let after: Vec<u64> = welcomes.into_iter().filter(|at| *at > AT + SEC).collect();
        assert!(after.len() >= 100, "{}", after.len());
        if registrations.is_some() {
            assert!(ran.met(Family::H7) > 0);
        }
        (after[99] - AT, ran.said(FrameKind::Refused, COORDINATOR).len())
    };
    let (few, many) = (last(Some(4)), last(None));
    assert!(few.0 > many.0 + 3 * SEC && few.1 > many.1, "{few:?} {many:?}");
}

#[test]
fn o1_operators_reconnect_migrate_disconnect_and_stop_a_worker() {
    let nudged = |nudge| run(struck(Fault::Nudge { worker: 0, nudge }));
    let soon = |at: &u64| (AT..AT + 8 * SEC).contains(at);
    for nudge in [Nudge::Reconnect, Nudge::Migrate, Nudge::Disconnect] {
        let ran = nudged(nudge);
        assert_eq!(ran.times(What::Opens, W0).iter().filter(|at| soon(at)).count(), 1, "{nudge:?}");
        assert!(ran.times(What::Opens, W1).iter().all(|at| !soon(at)));
        assert!(ran.met(Family::O1) > 0);
        let sent = ran.of(What::Closes, COORDINATOR).iter().any(|closes| {
            soon(&closes.at) && closes.value == u64::from(Reason::OperatorDisconnect.code())
        });
        assert_eq!(sent, nudge == Nudge::Disconnect, "{nudge:?}");
    }
    // A migration leaves no gap: the new connection carries the session before the old one ends.
    let ran = nudged(Nudge::Migrate);
    let old = ran.of(What::Dials, W0)[0].conn;
    let ends = ran.of(What::Closes, W0).into_iter().find(|closes| closes.conn == old).unwrap();
    let opens = ran.of(What::Opens, W0)[1];
    assert!(opens.at <= ends.at && soon(&ends.at));
    let stopped = nudged(Nudge::Stop { within: 2 * SEC, back: 3 * SEC });
    assert_eq!(stopped.times(What::Begins, W0).len(), 2);
    assert!(stopped.report.seen.departed > 0);
}

#[test]
fn o1_a_worker_that_is_sent_elsewhere_leaves_no_gap_and_stays_if_nobody_is_there() {
    let sent =
        |nowhere| run(struck(Fault::Nudge { worker: 0, nudge: Nudge::Redirect { nowhere } }));
    let soon = |at: &u64| (AT..AT + 8 * SEC).contains(at);
    for (nowhere, opens, ends) in [(false, 1, 1), (true, 0, 0)] {
        let ran = sent(nowhere);
        assert_eq!(ran.said(FrameKind::Redirect, COORDINATOR).len(), 1);
        let dials = ran.times(What::Dials, W0).iter().filter(|at| soon(at)).count();
        let opened = ran.times(What::Opens, W0).iter().filter(|at| soon(at)).count();
        assert_eq!((dials, opened), (1, opens), "nowhere: {nowhere}");
        let old = ran.of(What::Dials, W0)[0].conn;
        let ended: Vec<_> = ran.of(What::Closes, W0);
        let ended: Vec<_> =
            ended.into_iter().filter(|closes| closes.conn == old && soon(&closes.at)).collect();
        assert_eq!(ended.len(), ends, "nowhere: {nowhere}");
        if let Some(ended) = ended.first() {
            assert!(ran.of(What::Opens, W0)[1].at <= ended.at, "proven before it is given up");
        }
    }
}

#[test]
fn o1_a_worker_that_waits_dials_when_it_is_told_to() {
    let mut plan = world();
    let settings = &mut plan.settings;
    (settings.initial_delay, settings.max_delay) = (20 * SEC, 20 * SEC);
    let cut = Fault::Cut { worker: 0, told: Told::Both };
    let kick = Fault::Nudge { worker: 0, nudge: Nudge::Kick };
    let at = |at, fault| Episode { at, moment: None, fault };
    // The first dial of a process waits for as long.
    plan.episodes = vec![at(40 * SEC, cut)];
    let without = run(plan.clone());
    plan.episodes.push(at(40 * SEC + 100 * MS, kick));
    let with = run(plan);
    let next = |times: Vec<u64>| times.into_iter().find(|at| *at > 40 * SEC).expect("it dials");
    let (without, with) = (next(without.times(What::Dials, W0)), next(with.times(What::Dials, W0)));
    assert!(with < without, "{with} {without}");
    assert!(with <= 41 * SEC + 100 * MS);
}
