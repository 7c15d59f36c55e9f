use std::net::SocketAddr;
use std::time::Duration;

use super::{Admission, Ending, Id, Kind, REFUSED_MAX, Route};
use crate::faults::{Change, Faults, Patch, Way, Ways};

fn peer(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn id(kind: Kind, number: u64) -> Id {
    Id { kind, number }
}

const SLOW: Faults = Faults { latency: Duration::from_millis(50), ..Faults::NONE };

fn route() -> Route {
    Route::new(7, [SLOW, Faults::NONE], 3)
}

fn silent(route: &mut Route, id: Id) -> [bool; 2] {
    Way::ALL.map(|way| route.pass(id, way, |pass| pass.silent).unwrap())
}

#[test]
fn each_kind_is_numbered_for_itself_and_too_many_are_refused() {
    let mut route = route();
    assert_eq!(route.admit(Kind::Tcp, peer(1)), Admission::Answered(id(Kind::Tcp, 1)));
    assert_eq!(route.admit(Kind::Udp, peer(1)), Admission::Answered(id(Kind::Udp, 1)));
    assert_eq!(route.admit(Kind::Tcp, peer(2)), Admission::Answered(id(Kind::Tcp, 2)));
    assert_eq!(route.admit(Kind::Tcp, peer(3)), Admission::Full);
    let snapshot = route.snapshot();
    assert_eq!((snapshot.connections, snapshot.flows, snapshot.refused), (2, 1, 1));
    route.leave(id(Kind::Tcp, 1));
    assert_eq!(route.admit(Kind::Tcp, peer(4)), Admission::Answered(id(Kind::Tcp, 3)));
}

#[test]
fn a_flow_that_is_not_let_in_is_refused_once_and_only_so_many_are_kept() {
    let mut route = Route::new(7, [Faults::NONE; 2], 1);
    route.admit(Kind::Tcp, peer(1));
    assert_eq!(route.admit(Kind::Udp, peer(2)), Admission::Full);
    assert_eq!(route.admit(Kind::Udp, peer(2)), Admission::StillFull);
    // Each connection is one of its own.
    assert_eq!(route.admit(Kind::Tcp, peer(2)), Admission::Full);
    assert_eq!(route.admit(Kind::Tcp, peer(2)), Admission::Full);
    assert_eq!(route.snapshot().refused, 3);
    // Let in, and refused anew afterwards.
    route.leave(id(Kind::Tcp, 1));
    assert_eq!(route.admit(Kind::Udp, peer(2)), Admission::Answered(id(Kind::Udp, 1)));
    route.leave(id(Kind::Udp, 1));
    route.admit(Kind::Tcp, peer(1));
    assert_eq!(route.admit(Kind::Udp, peer(2)), Admission::Full);
    for port in 0..REFUSED_MAX {
        assert_eq!(route.admit(Kind::Udp, peer(3 + port as u16)), Admission::Full);
    }
    assert_eq!(route.admit(Kind::Udp, peer(3)), Admission::StillFull);
    assert_eq!(route.admit(Kind::Udp, peer(2)), Admission::Full, "it is forgotten");
    let kept = &route.refused_flows;
    assert_eq!((kept.order.len(), kept.peers.len()), (REFUSED_MAX, REFUSED_MAX));
    assert_eq!(route.snapshot().refused, 3 + 1 + REFUSED_MAX as u64 + 1);
}

#[test]
fn those_who_are_there_when_it_is_stopped_end_and_are_counted() {
    let mut route = route();
    route.admit(Kind::Tcp, peer(1));
    route.admit(Kind::Udp, peer(1));
    route.stop();
    for kind in [Kind::Tcp, Kind::Udp] {
        assert_eq!(route.ending(id(kind, 1)), Some(Ending::Close));
        route.leave(id(kind, 1));
    }
    let snapshot = route.snapshot();
    assert_eq!((snapshot.ended, snapshot.cut), (2, false));
}

#[test]
fn a_cut_ends_those_who_are_there_and_lets_nobody_in_until_it_is_healed() {
    let mut route = route();
    route.admit(Kind::Tcp, peer(1));
    route.admit(Kind::Udp, peer(1));
    assert_eq!(route.ending(id(Kind::Tcp, 1)), None);
    route.change(Change::Cut);
    assert_eq!(route.ending(id(Kind::Tcp, 1)), Some(Ending::Close));
    assert_eq!(route.ending(id(Kind::Udp, 1)), Some(Ending::Close));
    assert_eq!(route.admit(Kind::Tcp, peer(2)), Admission::Cut);
    assert!(route.is_cut() && route.snapshot().cut);
    route.change(Change::Heal);
    assert_eq!(route.admit(Kind::Tcp, peer(3)), Admission::Answered(id(Kind::Tcp, 2)));
    assert_eq!(route.ending(id(Kind::Tcp, 2)), None);
    route.leave(id(Kind::Tcp, 1));
    assert_eq!(route.snapshot().ended, 1);
}

#[test]
fn a_reset_concerns_those_who_are_there_and_nobody_else() {
    let mut route = route();
    route.admit(Kind::Tcp, peer(1));
    route.change(Change::Reset);
    assert_eq!(route.ending(id(Kind::Tcp, 1)), Some(Ending::Reset));
    assert_eq!(route.admit(Kind::Tcp, peer(2)), Admission::Answered(id(Kind::Tcp, 2)));
    assert_eq!(route.ending(id(Kind::Tcp, 2)), None);
}

#[test]
fn connections_of_a_silence_are_silent_for_good_and_flows_as_long_as_it_lasts() {
    let mut route = route();
    let (before, flow) = (id(Kind::Tcp, 1), id(Kind::Udp, 1));
    route.admit(Kind::Tcp, peer(1));
    route.admit(Kind::Udp, peer(1));
    route.change(Change::Silence(Ways::Back));
    assert_eq!(route.snapshot().silent, Some(Ways::Back));
    assert_eq!(silent(&mut route, before), [false, true]);
    assert_eq!(silent(&mut route, flow), [false, true]);
    // Neither its first packet nor the answer may be missing: it hears nothing at all.
    let during = id(Kind::Tcp, 2);
    assert_eq!(route.admit(Kind::Tcp, peer(2)), Admission::Unanswered(during));
    assert_eq!(silent(&mut route, during), [true, true]);
    route.change(Change::Heal);
    assert_eq!(route.snapshot().silent, None);
    assert_eq!(silent(&mut route, before), [false, true]);
    assert_eq!(silent(&mut route, during), [true, true]);
    assert_eq!(silent(&mut route, flow), [false, false]);
    route.leave(flow);
    assert_eq!(route.admit(Kind::Tcp, peer(3)), Admission::Answered(id(Kind::Tcp, 3)));
    assert_eq!(silent(&mut route, id(Kind::Tcp, 3)), [false, false]);
}

#[test]
fn faults_are_set_by_way_and_healing_sets_those_of_the_beginning() {
    let mut route = route();
    let latency = |route: &Route| {
        let snapshot = route.snapshot();
        [snapshot.to_target.latency.as_millis(), snapshot.back.latency.as_millis()]
    };
    assert_eq!(latency(&route), [50, 0]);
    let patch = Patch { latency: Some(Duration::from_millis(9)), ..Patch::default() };
    route.change(Change::Set { ways: Ways::Back, patch });
    assert_eq!(latency(&route), [50, 9]);
    route.change(Change::Set { ways: Ways::Both, patch });
    assert_eq!(latency(&route), [9, 9]);
    route.change(Change::Heal);
    assert_eq!(latency(&route), [50, 0]);
}

#[test]
fn every_change_is_another_era_with_empty_lines() {
    let mut route = Route::new(7, [Faults::NONE; 2], 3);
    route.admit(Kind::Tcp, peer(1));
    let one = id(Kind::Tcp, 1);
    let slow = std::num::NonZeroU64::new(1);
    let era = |route: &mut Route| {
        let look = |pass: &mut crate::lane::Pass<'_>| {
            (pass.era, pass.line.leave(Duration::ZERO, 10, slow).as_secs())
        };
        route.pass(one, Way::Back, look).unwrap()
    };
    assert_eq!(era(&mut route), (0, 10));
    assert_eq!(era(&mut route), (0, 20));
    route.change(Change::Heal);
    assert_eq!(era(&mut route), (1, 10));
}

#[test]
fn what_happened_to_those_who_have_left_is_not_forgotten() {
    let mut route = route();
    let [one, two] = [1, 2].map(|number| id(Kind::Tcp, number));
    route.admit(Kind::Tcp, peer(1));
    route.admit(Kind::Tcp, peer(2));
    route.pass(one, Way::Back, |pass| pass.counts.bytes += 5);
    route.pass(two, Way::Back, |pass| pass.counts.bytes += 7);
    route.pass(two, Way::ToTarget, |pass| pass.counts.corrupted += 1);
    assert_eq!(route.leave(one).back.bytes, 5);
    route.swallow(3);
    route.miss_target();
    let snapshot = route.snapshot();
    assert_eq!((snapshot.total.back.bytes, snapshot.total.to_target.corrupted), (12, 1));
    assert_eq!((snapshot.total.to_target.swallowed, snapshot.unreachable), (3, 1));
    assert_eq!(snapshot.open.len(), 1);
    assert_eq!((snapshot.open[0].peer, snapshot.open[0].counts.back.bytes), (peer(2), 7));
    assert!(route.pass(one, Way::Back, |_| ()).is_none(), "it is gone");
}
