//! What is known of workers beside their sessions: that they flap, what an operator wants of them,
//! and when they are forgotten.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one variant")]

mod hub_support;

use std::time::Duration;

use hub_support::*;
use moorline_link::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// A connection of worker 7 that lives for so long and is lost.
fn blink(desk: &mut Desk, conn: u64, millis: u64, reason: Reason) {
    let at = u64::try_from(desk.effective()).expect("short");
    desk.register(conn, hello(7, 1));
    desk.restore(conn);
    desk.at(at + millis);
    desk.close(conn, reason);
}

fn flaps(desk: &mut Desk) -> Vec<Option<Flapping>> {
    let flap = |action| match action {
        HubAction::Flapping { worker: WorkerId(7), flapping } => Some(flapping),
        _ => None,
    };
    desk.news().into_iter().filter_map(flap).collect()
}

#[test]
fn a_worker_that_loses_five_connections_in_ten_minutes_is_reported_once_until_it_is_calm() {
    let mut desk = Desk::default();
    for (conn, millis) in (1..=4).zip([3_000, 9_000, 1_000, 5_000]) {
        blink(&mut desk, conn, millis, Reason::HalfOpen);
    }
    assert_eq!(flaps(&mut desk), []);
    blink(&mut desk, 5, 2_000, Reason::StreamLost);
    let reason = Reason::HalfOpen;
    let flapping = Flapping { losses: 5, reason, median_life: Duration::from_secs(3) };
    assert_eq!(flaps(&mut desk), [Some(flapping)]);
    blink(&mut desk, 6, 2_000, Reason::StreamLost);
    assert_eq!(flaps(&mut desk), [], "once");
    let seen = desk.hub.worker(desk.now, WorkerId(7)).and_then(|it| it.flapping);
    assert_eq!(seen.map(|it| it.losses), Some(6), "but what is shown is what is");
    // Half the window without a loss.
    let at = u64::try_from(desk.effective()).expect("short");
    desk.activate(7, hello(7, 1));
    for seconds in (5..300).step_by(5) {
        desk.at(at + seconds * 1_000);
        desk.say(7, beat(1));
    }
    assert_eq!(flaps(&mut desk), []);
    desk.at(at + 300_000);
    assert_eq!(flaps(&mut desk), [None]);
    assert_eq!(desk.hub.worker(desk.now, WorkerId(7)).and_then(|it| it.flapping), None);
}

#[test]
fn losses_further_apart_or_on_purpose_do_not_count() {
    let mut desk = Desk::default();
    for conn in 1..=20 {
        blink(&mut desk, conn, 1_000, Reason::StreamLost);
        let at = u64::try_from(desk.effective()).expect("short");
        desk.at(at + 150_000);
    }
    assert_eq!(flaps(&mut desk), [], "four in ten minutes");
    for conn in 21..=40 {
        desk.register(conn, hello(7, 1));
        desk.restore(conn);
        desk.tell(HubInput::Reconnect { worker: WorkerId(7) });
        let come_back = ComeBack::After(Duration::ZERO);
        assert_eq!(desk.frames(conn).last(), Some(&go_away(Reason::Forced, come_back)));
    }
    assert_eq!(flaps(&mut desk), []);
}

#[test]
fn a_cordoned_worker_counts_as_draining_through_all_its_sessions_until_it_is_let_go() {
    let mut desk = Desk::default();
    let drains = |desk: &mut Desk| {
        let flag = |action| match action {
            HubAction::Flags { draining, .. } => Some(draining),
            _ => None,
        };
        desk.news().into_iter().filter_map(flag).collect::<Vec<_>>()
    };
    desk.activate(1, hello(7, 1));
    desk.tell(HubInput::Cordon { worker: WorkerId(7), cordoned: true });
    assert_eq!(drains(&mut desk), [true]);
    assert_eq!(desk.presence(7), Some(Presence::Draining));
    // What the worker says of itself is still what its beats are answered with.
    desk.say(1, beat(1));
    let frames = desk.frames(1);
    let [CoordinatorFrame::BeatAnswer(answer)] = frames[..] else { panic!("{frames:?}") };
    assert!(!answer.flags.draining);
    desk.tell(HubInput::Lost { worker: WorkerId(7) });
    desk.register(2, hello(7, 2));
    desk.restore(2);
    assert_eq!(drains(&mut desk), [true], "the dispatcher is told anew");
    assert!(desk.hub.worker(desk.now, WorkerId(7)).is_some_and(|it| it.cordoned));
    desk.tell(HubInput::Cordon { worker: WorkerId(7), cordoned: false });
    assert_eq!(drains(&mut desk), [false]);
    assert_eq!(desk.presence(7), Some(Presence::Active));
}

#[test]
fn who_is_gone_for_a_day_is_forgotten() {
    let mut desk = Desk::default();
    desk.tell(HubInput::Expect { worker: WorkerId(1), name: Sym(1) });
    desk.activate(2, hello(2, 2));
    desk.say(2, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
    desk.activate(3, hello(3, 3));
    desk.at(1_000);
    desk.tell(HubInput::Lost { worker: WorkerId(3) });
    desk.activate(4, hello(4, 4));
    let day = u64::try_from((24 * HOUR).as_millis()).expect("short");
    let mut forgotten = Vec::new();
    for at in [day - 1, day, day + 1_000] {
        desk.at(at);
        forgotten.push(
            desk.news()
                .into_iter()
                .filter_map(|action| match action {
                    HubAction::Forgotten { worker } => Some(worker.0),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(forgotten, [vec![], vec![1, 2], vec![3]]);
    let known: Vec<u128> = desk.hub.workers(desk.now).map(|it| it.worker.0).collect();
    assert_eq!(known, [4]);
    // The name is free again.
    desk.activate(9, Hello { name: Sym(1), ..hello(9, 9) });
}

#[test]
fn a_newcomer_takes_the_place_of_who_has_been_gone_for_longest_and_of_nobody_else() {
    let mut desk = Desk::with(HubSettings { max_workers: 3, ..HubSettings::default() });
    for n in 1..=3 {
        desk.activate(n, hello(u128::from(n), n));
    }
    desk.at(10);
    desk.tell(HubInput::Lost { worker: WorkerId(2) });
    desk.at(20);
    desk.say(1, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
    desk.news();
    desk.activate(4, hello(4, 4));
    let known = |desk: &Desk| desk.hub.workers(desk.now).map(|it| it.worker.0).collect::<Vec<_>>();
    assert_eq!(known(&desk), [1, 3, 4]);
    desk.activate(5, hello(5, 5));
    assert_eq!(known(&desk), [3, 4, 5]);
    desk.register(6, hello(6, 6));
    let overloaded = refusal(Reason::CoordinatorOverloaded, ComeBack::ByReason);
    assert_eq!(desk.frames(6), [overloaded], "who is here stays");
}
