//! T: clocks and timers. D: the disk. K: settings.

use moorline_sim::{Episode, Family, Fault, FrameKind, Kept, Manner, Plan, Temper, What};

use super::{AT, COORDINATOR, MS, SEC, W0, run, struck, world};

/// When the last attempt of a task starts that fails every time, where the wall clock is set by so much
/// just before the coordinator is started anew.
fn last_start(by: i64) -> u64 {
    let mut plan = world();
    (plan.tasks[0].panics, plan.tasks[0].max_retries) = (1_000_000, 9);
    plan.settings.retry_delay = 60 * SEC;
    let crash =
        Fault::Crash { who: COORDINATOR, manner: Manner::Killed, back: 100 * MS, kept: Kept::All };
    let at = |at, fault| Episode { at, moment: None, fault };
    plan.episodes = vec![at(30 * SEC, Fault::SetClock { by }), at(30 * SEC + MS, crash)];
    let ran = run(plan);
    assert_eq!((ran.report.tasks, ran.report.seen.retried), (40, 9));
    assert!(ran.met(Family::T1) > 0);
    let starts = ran.recording.iter().map(|(_, record)| record);
    let of_first = starts.filter(|record| record.what == What::Starts && record.task == 1);
    of_first.last().expect("it started").at
}

#[test]
fn t1_a_clock_that_is_set_forward_ends_the_wait_of_a_retry_for_who_is_started_anew() {
    let (right, forward) = (last_start(0), last_start(3_600_000));
    assert!(forward + SEC < right, "{forward} {right}");
}

#[test]
fn t2_a_fast_clock_sends_its_heartbeats_sooner() {
    let gaps = |rate| {
        let mut plan = world();
        plan.workers[0].rate = rate;
        plan.tasks.clear();
        let ran = run(plan);
        assert_eq!(ran.met(Family::T2) > 0, rate != 0);
        let mut beats = ran.said(FrameKind::Beat, W0);
        beats.retain(|at| (AT..60 * SEC).contains(at));
        beats[10] - beats[0]
    };
    let (right, fast, slow) = (gaps(0), gaps(100_000), gaps(-100_000));
    assert!(right.abs_diff(10 * SEC) < MS, "{right}");
    assert!(fast.abs_diff(right * 10 / 11) < MS, "{fast}");
    assert!(slow.abs_diff(right * 10 / 9) < MS, "{slow}");
}

#[test]
fn t3_timers_fire_late_and_at_multiples() {
    let (most, grain, lasts) = (300 * MS, 50 * MS, 30 * SEC);
    let ran = run(struck(Fault::Late { who: W0, most, grain, lasts }));
    let wakes = ran.times(What::Wakes, W0);
    // Those that were armed before it are in time.
    let during: Vec<u64> =
        wakes.into_iter().filter(|at| (AT + 2 * SEC..AT + lasts).contains(at)).collect();
    assert!(during.len() > 10, "{}", during.len());
    assert!(during.iter().all(|at| at % grain == 0), "{during:?}");
    let undisturbed = run(world()).times(What::Wakes, W0);
    assert!(undisturbed.iter().any(|at| at % grain != 0));
    assert!(ran.met(Family::T3) > 0);
}

/// How long each commit took from what was wanted last to when it was durable.
fn longest_commit(plan: Plan) -> u64 {
    let ran = run(plan);
    let durable = ran.of(What::Durable, COORDINATOR);
    let wants = ran.of(What::Wants, COORDINATOR);
    let took = durable.iter().filter_map(|durable| {
        let wanted =
            wants.iter().rfind(|want| want.value == durable.value && want.at <= durable.at)?;
        Some(durable.at - wanted.at)
    });
    took.max().expect("there were commits")
}

#[test]
fn d1_commits_are_slow() {
    let delay = 2 * SEC;
    let plan = struck(Fault::Slow { delay, lasts: 20 * SEC });
    assert!(longest_commit(plan.clone()) >= delay);
    assert!(longest_commit(world()) <= 2 * MS);
    assert!(run(plan).met(Family::D1) > 0);
}

#[test]
fn d1_commits_fail_and_are_tried_again_until_they_do_not() {
    let ran = run(struck(Fault::Fails { lasts: 10 * SEC }));
    assert!(ran.report.seen.commits_failed > 3);
    let durable = ran.times(What::Durable, COORDINATOR);
    assert!(!durable.iter().any(|at| (AT + 10 * MS..AT + 10 * SEC).contains(at)));
    assert!(durable.iter().any(|at| *at >= AT + 10 * SEC));
    assert_eq!(ran.report.tasks, 40);
    assert!(ran.met(Family::D1) > 0);
}

#[test]
fn k1_the_library_is_set_as_the_plan_says_and_extreme_plans_go_to_the_ends() {
    let mut plan = world();
    plan.settings.beat = 3 * SEC;
    plan.tasks.clear();
    let ran = run(plan);
    let mut beats = ran.said(FrameKind::Beat, W0);
    beats.retain(|at| (AT..60 * SEC).contains(at));
    assert!((beats[1] - beats[0]).abs_diff(3 * SEC) < MS, "{beats:?}");
    assert!(ran.report.coverage.cells().all(|(family, ..)| family == Family::K1));

    let of = |temper| (0..400).map(Plan::new).filter(move |plan| plan.temper == temper);
    let misses: Vec<u8> = of(Temper::Extreme).map(|plan| plan.settings.misses).collect();
    let ends = misses.iter().filter(|misses| [2, 10].contains(misses)).count();
    assert!(misses.len() > 20 && ends * 4 > misses.len(), "{misses:?}");
    assert!(of(Temper::Calm).all(|plan| plan.settings.misses == 3));
}
