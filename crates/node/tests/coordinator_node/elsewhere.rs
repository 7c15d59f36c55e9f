//! Where workers are told that they find the coordinator too, and where they are sent.

use moorline_link::*;
use moorline_node::*;

use crate::script::*;

fn addresses(names: &str) -> Vec<Address> {
    names.split_whitespace().map(|name| Address::new(name).expect("an address")).collect()
}

/// A worker that offers these features is active.
fn moored(rig: &mut Rig, features: u64) {
    let UpFrame::Hello { head, about } = hello() else { panic!("not a Hello") };
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(UpFrame::Hello { head: Hello { features, ..head }, about });
    rig.commit();
    rig.say(UpFrame::InventoryEnd { count: 0 });
    rig.say(UpFrame::Active);
    rig.commit();
}

fn beat(seq: u32) -> UpFrame {
    UpFrame::Beat(Beat { seq, flags: Flags::default(), free: 1, quiet: false, rtt_micros: 0 })
}

fn endpoints(frames: &[DownFrame]) -> Vec<&[Address]> {
    let told = frames.iter().filter_map(|frame| match frame {
        DownFrame::Endpoints(endpoints) => Some(&endpoints[..]),
        _ => None,
    });
    told.collect()
}

#[test]
fn endpoints_are_told_behind_the_welcome_and_again_when_they_change() {
    let mut rig = Rig::new();
    rig.give(CoordinatorInput::Endpoints { endpoints: addresses("a b") });
    moored(&mut rig, Features::ENDPOINTS);
    let frames = rig.said();
    let [DownFrame::Welcome { .. }, DownFrame::Endpoints(told), ..] = &frames[..] else {
        panic!("{frames:?}")
    };
    assert_eq!(told[..], addresses("a b"));
    assert_eq!(endpoints(&frames).len(), 1);

    rig.say(beat(1));
    assert_eq!(endpoints(&rig.said()).len(), 0, "nothing has changed");
    rig.give(CoordinatorInput::Endpoints { endpoints: addresses("a b") });
    rig.say(beat(2));
    assert_eq!(endpoints(&rig.said()).len(), 0, "it is the same");
    rig.give(CoordinatorInput::Endpoints { endpoints: addresses("c") });
    assert_eq!(rig.said(), [], "a fleet is not told at once");
    rig.say(beat(3));
    assert_eq!(endpoints(&rig.said()), [&addresses("c")[..]]);
    rig.give(CoordinatorInput::Endpoints { endpoints: Vec::new() });
    rig.say(beat(4));
    assert_eq!(endpoints(&rig.said()), [&[][..]], "they are taken back");
}

#[test]
fn who_has_no_endpoints_to_tell_tells_none() {
    let mut rig = Rig::new();
    moored(&mut rig, Features::ENDPOINTS);
    assert_eq!(endpoints(&rig.said()).len(), 0);
}

#[test]
fn a_worker_that_does_not_understand_it_is_neither_told_nor_sent() {
    let mut rig = Rig::new();
    rig.give(CoordinatorInput::Endpoints { endpoints: addresses("a") });
    rig.give(CoordinatorInput::Instead { to: addresses("a") });
    moored(&mut rig, Features::STATISTICS);
    assert!(!rig.node.is_movable(WorkerId(5)));
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(5), to: addresses("x") });
    rig.give(CoordinatorInput::Stop);
    let of_places =
        |frame: &&DownFrame| matches!(frame, DownFrame::Endpoints(_) | DownFrame::Redirect(_));
    assert_eq!(rig.said().iter().filter(of_places).count(), 0);
}

#[test]
fn a_worker_is_sent_elsewhere_at_once_and_once() {
    let mut rig = Rig::new();
    moored(&mut rig, Features::ENDPOINTS);
    rig.said();
    assert!(rig.node.is_movable(WorkerId(5)) && !rig.node.is_movable(WorkerId(6)));
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(6), to: addresses("x") });
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(5), to: Vec::new() });
    assert_eq!(rig.said(), []);
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(5), to: addresses("x y") });
    assert_eq!(rig.said(), [DownFrame::Redirect(addresses("x y"))]);
    rig.say(beat(1));
    assert!(!rig.said().contains(&DownFrame::Redirect(addresses("x y"))));
    assert_eq!(rig.closed, [], "it leaves by itself");
}

#[test]
fn a_connection_that_takes_nothing_is_sent_elsewhere_when_it_does() {
    let mut rig = Rig::new();
    moored(&mut rig, Features::ENDPOINTS);
    rig.said();
    rig.writable = false;
    rig.give(CoordinatorInput::Unwritable { conn: CONN });
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(5), to: addresses("x") });
    assert_eq!(rig.said(), []);
    rig.writable = true;
    rig.give(CoordinatorInput::Writable { conn: CONN });
    assert_eq!(rig.said(), [DownFrame::Redirect(addresses("x"))]);
}

#[test]
fn who_is_sent_away_because_the_coordinator_stops_is_told_where_to_go() {
    let mut rig = Rig::new();
    moored(&mut rig, Features::ENDPOINTS);
    rig.give(CoordinatorInput::Instead { to: addresses("x") });
    assert_eq!(rig.said().iter().filter(|f| matches!(f, DownFrame::Redirect(_))).count(), 0);
    rig.give(CoordinatorInput::Stop);
    let frames = rig.said();
    let [.., DownFrame::Redirect(to), DownFrame::GoAway { dismissal, .. }] = &frames[..] else {
        panic!("{frames:?}")
    };
    assert_eq!((&to[..], dismissal.reason), (&addresses("x")[..], Reason::CoordinatorStopping));

    let mut rig = Rig::new();
    rig.give(CoordinatorInput::Instead { to: addresses("x") });
    moored(&mut rig, Features::ENDPOINTS);
    rig.said();
    let reason = Reason::OperatorDisconnect;
    rig.give(CoordinatorInput::Disconnect { worker: WorkerId(5), reason });
    let frames = rig.said();
    assert!(matches!(frames[..], [DownFrame::GoAway { .. }]), "it comes back here: {frames:?}");
}

#[test]
fn the_longest_lists_fit_into_every_packet() {
    let mut rig = Rig::new();
    let long = |n: usize| Address::new(&format!("{n:0512}")).expect("an address");
    let many: Vec<_> = (0..40).map(long).collect();
    rig.give(CoordinatorInput::Endpoints { endpoints: many.clone() });
    rig.give(CoordinatorInput::Instead { to: many.clone() });
    moored(&mut rig, Features::ENDPOINTS);
    rig.give(CoordinatorInput::Endpoints { endpoints: many[1..].to_vec() });
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(5), to: many.clone() });
    rig.say(beat(1));
    rig.give(CoordinatorInput::Stop);
    let frames = rig.said();
    let lists = frames.iter().filter_map(|frame| match frame {
        DownFrame::Endpoints(list) | DownFrame::Redirect(list) => Some(list.len()),
        _ => None,
    });
    assert_eq!(lists.collect::<Vec<_>>(), [Address::COUNT_MAX; 4]);
}

/// Why the worker has no connection, after the one it had has ended like this.
fn reason_of_loss(rig: &mut Rig, reason: Reason) -> Option<Reason> {
    rig.give(CoordinatorInput::Closed { conn: CONN, reason });
    rig.commit();
    rig.node.worker(rig.now, WorkerId(5)).expect("it is known").reason
}

fn sent(beats: u32) -> Rig {
    let mut rig = Rig::new();
    moored(&mut rig, Features::ENDPOINTS);
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(5), to: addresses("x") });
    rig.said();
    for seq in 1..=beats {
        rig.say(beat(seq));
        rig.said();
    }
    rig
}

#[test]
fn a_worker_that_goes_where_it_was_sent_is_not_lost_for_any_other_reason() {
    assert_eq!(reason_of_loss(&mut sent(0), Reason::ClosedByPeer), Some(Reason::Redirected));
    assert_eq!(reason_of_loss(&mut sent(11), Reason::ClosedByPeer), Some(Reason::Redirected));
    let reset = Reason::TransportReset;
    assert_eq!(reason_of_loss(&mut sent(0), reset), Some(reset), "whoever goes closes in order");
    let closed = Reason::ClosedByPeer;
    assert_eq!(reason_of_loss(&mut sent(12), closed), Some(closed), "it has stayed");
    let mut rig = Rig::new();
    moored(&mut rig, Features::ENDPOINTS);
    assert_eq!(reason_of_loss(&mut rig, closed), Some(closed), "nobody sent it");
}

#[test]
fn where_a_worker_was_sent_is_written_down() {
    let mut rig = Rig::new();
    moored(&mut rig, Features::ENDPOINTS);
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(5), to: addresses("x y") });
    rig.give(CoordinatorInput::Redirect { worker: WorkerId(6), to: addresses("z") });
    let sent = rig.persists.iter().filter_map(|persist| match &persist.op {
        StoreOp::Event { event, .. } if event.kind == EventKind::WorkerRedirected => Some(event),
        _ => None,
    });
    let sent: Vec<_> = sent.map(|event| (event.name.clone(), event.detail.clone())).collect();
    assert_eq!(sent, [(Some(name("w1")), Some(Detail::new("x y")))]);
}
