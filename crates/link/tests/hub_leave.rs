//! A coordinator that leaves on purpose: it sends its workers away one after the other, and says when
//! to come back.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one variant")]

mod hub_support;

use std::time::Duration;

use hub_support::*;
use moorline_link::*;

const GRACE: Duration = Duration::from_secs(10);
const SPREAD: Duration = Duration::from_secs(120);

fn fleet(workers: u64) -> Desk {
    let mut desk = Desk::default();
    for n in 1..=workers {
        desk.at(n * 5);
        desk.activate(n, hello(u128::from(n), n));
    }
    desk
}

/// When to come back, as the last frame on this connection says.
fn told(desk: &mut Desk, conn: u64) -> Option<(bool, ComeBack)> {
    match desk.frames(conn).last()? {
        CoordinatorFrame::GoAway(it) if it.reason == Reason::CoordinatorStopping => {
            Some((false, it.come_back))
        }
        CoordinatorFrame::Refused(it) if it.reason == Reason::CoordinatorStopping => {
            Some((true, it.come_back))
        }
        _ => None,
    }
}

#[test]
fn a_lame_duck_sends_everybody_away_one_after_the_other_and_lets_nobody_in() {
    let mut desk = fleet(400);
    assert_eq!(desk.hub.attached(), 400);
    desk.at(5_000);
    desk.tell(HubInput::LameDuck { grace: GRACE, spread: SPREAD });
    assert!(desk.hub.is_leaving());
    let mut gone = Vec::new();
    for second in 5..=135 {
        desk.at(second * 1_000);
        for n in 1..=400 {
            match told(&mut desk, n) {
                Some((false, ComeBack::After(after))) => {
                    assert!(after <= 2 * SECOND, "the window of the fleet: {after:?}");
                    gone.push(second);
                    desk.close(n, Reason::ClosedByPeer);
                }
                Some(other) => panic!("{other:?}"),
                None => drop(desk.say(n, beat(u32::try_from(second).expect("small")))),
            }
            desk.written(n);
        }
    }
    assert_eq!((gone.len(), desk.hub.attached()), (400, 0));
    assert!(gone[0] >= 15, "not before the grace is over: {}", gone[0]);
    // About 3.3 a second for two minutes: no tenth of the time has more than twice its share.
    for part in 0..10 {
        let within = |at: &&u64| (15 + part * 12..15 + (part + 1) * 12).contains(*at);
        let count = gone.iter().filter(within).count();
        assert!((20..=80).contains(&count), "part {part}: {count}");
    }
}

#[test]
fn who_comes_to_a_lame_duck_is_told_to_wait_until_it_is_over() {
    let mut desk = fleet(2);
    desk.at(1_000);
    desk.tell(HubInput::LameDuck { grace: GRACE, spread: SPREAD });
    desk.at(31_000);
    for (conn, worker) in [(10, 1), (11, 77)] {
        desk.register(conn, hello(worker, 9));
        let Some((true, ComeBack::After(after))) = told(&mut desk, conn) else { panic!() };
        // Its end, and a second to spread.
        assert!((100 * SECOND..=101 * SECOND).contains(&after), "{after:?}");
    }
}

#[test]
fn a_stop_spreads_a_fleet_over_its_window_and_leaves_a_few_to_their_own_policies() {
    let mut desk = fleet(3);
    desk.tell(HubInput::Stop);
    assert_eq!(told(&mut desk, 1), Some((false, ComeBack::ByReason)));

    let mut desk = fleet(400);
    desk.tell(HubInput::Stop);
    let mut waits: Vec<Duration> = (1..=400)
        .map(|n| match told(&mut desk, n) {
            Some((false, ComeBack::After(after))) => after,
            other => panic!("{other:?}"),
        })
        .collect();
    waits.sort_unstable();
    assert!(waits[0] < 100 * MS && waits[399] <= 2 * SECOND && waits[399] > 1_900 * MS);
    assert!(waits[200] > 800 * MS && waits[200] < 1_200 * MS, "{:?}", waits[200]);
}

#[test]
fn a_fleet_that_takes_a_second_to_register_is_spread_and_a_smaller_one_is_not() {
    for (workers, is_spread) in [(199, false), (200, true)] {
        let mut desk = fleet(workers);
        assert_eq!(desk.hub.window(), SECOND / 200 * u32::try_from(workers).expect("few"));
        desk.tell(HubInput::Stop);
        for n in 1..=workers {
            let come_back = told(&mut desk, n).expect("it is sent away").1;
            assert_eq!(
                matches!(come_back, ComeBack::After(_)),
                is_spread,
                "{workers}: {come_back:?}"
            );
        }
    }
}

#[test]
fn a_lame_duck_that_is_stopped_closes_what_is_left() {
    let mut desk = fleet(2);
    desk.tell(HubInput::LameDuck { grace: GRACE, spread: SPREAD });
    desk.tell(HubInput::Stop);
    assert_eq!((desk.hub.attached(), desk.hub.connections()), (0, 0));
    assert_eq!(told(&mut desk, 1), Some((false, ComeBack::ByReason)));
    desk.tell(HubInput::LameDuck { grace: GRACE, spread: SPREAD });
    desk.register(9, hello(9, 9));
    assert_eq!(told(&mut desk, 9), Some((true, ComeBack::ByReason)), "stopped it stays");
}
