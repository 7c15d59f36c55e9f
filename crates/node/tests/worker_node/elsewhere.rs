//! What a coordinator tells of other places.

use moorline_link::*;
use moorline_node::*;

use crate::script::*;

fn addresses(names: &str) -> Vec<Address> {
    names.split_whitespace().map(|name| Address::new(name).expect("an address")).collect()
}

fn vets(rig: &Rig) -> Vec<(ConnId, Vet, Vec<Address>)> {
    let vets = rig.actions.iter().filter_map(|action| {
        let WorkerAction::Vet { conn, vet, endpoints } = action else { return None };
        Some((*conn, *vet, endpoints.clone()))
    });
    vets.collect()
}

fn dials(rig: &Rig) -> Vec<Vec<Address>> {
    let dials = rig.actions.iter().filter_map(|action| {
        let WorkerAction::Dial { to, .. } = action else { return None };
        Some(to.clone())
    });
    dials.collect()
}

fn happened(rig: &Rig, event: &WorkerEvent) -> usize {
    let is_it = |action: &&WorkerAction| matches!(action, WorkerAction::Event(e) if e == event);
    rig.actions.iter().filter(is_it).count()
}

/// An active worker that knows two places.
fn rig() -> Rig {
    let mut rig = Rig::new(config());
    rig.node = rig.node.clone().with_endpoints(addresses("a b"));
    rig.connect(false);
    assert_eq!((rig.node.state(), dials(&rig)), (State::Active, vec![addresses("a b")]));
    rig.run_for(SECOND);
    rig.actions.clear();
    rig
}

fn sent_to(rig: &mut Rig, names: &str) {
    rig.send(vec![DownFrame::Redirect(addresses(names))]);
    rig.input(WorkerInput::Vetted { vet: Vet::Redirect, endpoints: addresses(names) });
}

#[test]
fn endpoints_are_looked_at_by_the_driver_before_they_count() {
    let mut rig = rig();
    let conn = rig.conn.expect("connected");
    rig.send(vec![DownFrame::Endpoints(addresses("c d"))]);
    assert_eq!(vets(&rig), [(conn, Vet::Endpoints, addresses("c d"))]);
    rig.cut();
    rig.dials();
    assert_eq!(dials(&rig), [addresses("a b")], "nobody said yes");

    rig.input(WorkerInput::Vetted { vet: Vet::Endpoints, endpoints: addresses("d") });
    assert_eq!(happened(&rig, &WorkerEvent::Told { endpoints: addresses("d") }), 1);
    let dial = rig.dialling.take().expect("it dials");
    rig.input(WorkerInput::DialFailed { conn: dial, reason: Reason::Unreachable });
    rig.dials();
    assert_eq!(dials(&rig)[1..], [addresses("a b d")]);
}

#[test]
fn a_list_is_cut_to_its_bound() {
    let mut rig = rig();
    let many: Vec<_> =
        (0..100).map(|n| Address::new(&format!("m{n}")).expect("an address")).collect();
    rig.send(vec![DownFrame::Endpoints(many.clone())]);
    assert_eq!(vets(&rig)[0].2, many[..Address::COUNT_MAX]);
}

#[test]
fn a_redirect_is_proven_beside_the_connection_that_stands() {
    let mut rig = rig();
    let old = rig.conn.expect("connected");
    sent_to(&mut rig, "x y");
    assert_eq!(happened(&rig, &WorkerEvent::Redirected { to: addresses("x y") }), 1);
    assert_eq!(dials(&rig), [addresses("x y")]);
    assert_eq!((rig.node.state(), rig.node.link().conn), (State::Active, Some(old)));

    let new = rig.dialling.expect("it dials");
    rig.input(WorkerInput::Reached { conn: new, at: addresses("y").remove(0) });
    rig.connect(true);
    assert_eq!((rig.node.state(), rig.node.link().conn), (State::Active, Some(new)));
    rig.cut();
    rig.dials();
    assert_eq!(dials(&rig)[1..], [addresses("y a b")], "what took it in comes first");
}

#[test]
fn a_redirect_that_leads_nowhere_changes_nothing() {
    let mut rig = rig();
    let old = rig.conn.expect("connected");
    sent_to(&mut rig, "x");
    let new = rig.dialling.take().expect("it dials");
    rig.input(WorkerInput::DialFailed { conn: new, reason: Reason::Unreachable });
    let failed = WorkerEvent::RedirectFailed { reason: Reason::Unreachable };
    assert_eq!(happened(&rig, &failed), 1);
    assert_eq!((rig.node.state(), rig.node.link().conn), (State::Active, Some(old)));
    assert_eq!(dials(&rig).len(), 1, "it is not tried again");
}

#[test]
fn who_is_sent_away_goes_where_it_is_told_first() {
    let mut rig = rig();
    let conn = rig.conn.expect("connected");
    let come_back = ComeBack::After(std::time::Duration::ZERO);
    let dismissal = Dismissal { reason: Reason::CoordinatorStopping, come_back };
    let away = DownFrame::GoAway { dismissal, hint: String::new() };
    rig.send(vec![DownFrame::Redirect(addresses("x")), away]);
    let vet = rig.actions.iter().position(|action| matches!(action, WorkerAction::Vet { .. }));
    let close = rig.actions.iter().position(|action| matches!(action, WorkerAction::Close { .. }));
    assert!(vet < close, "who the peer is must be known still: {:?}", rig.actions);
    assert_eq!(vets(&rig)[0].0, conn);
    rig.input(WorkerInput::Vetted { vet: Vet::Redirect, endpoints: addresses("x") });
    rig.conn = None;
    rig.dials();
    assert_eq!(dials(&rig), [addresses("x a b")], "and back, if nobody is there");
}

#[test]
fn a_peer_that_may_not_say_so_sends_nobody_anywhere() {
    let mut rig = rig();
    rig.send(vec![DownFrame::Redirect(addresses("x"))]);
    rig.input(WorkerInput::Vetted { vet: Vet::Redirect, endpoints: Vec::new() });
    assert_eq!(dials(&rig), Vec::<Vec<Address>>::new());
    assert_eq!(happened(&rig, &WorkerEvent::Redirected { to: Vec::new() }), 0);
}

#[test]
fn who_is_sent_to_and_fro_stays_at_last() {
    let mut rig = rig();
    for hop in 0..4 {
        sent_to(&mut rig, "x");
        assert_eq!(dials(&rig).len(), hop + 1);
        let new = rig.dialling.take().expect("it dials");
        rig.input(WorkerInput::DialFailed { conn: new, reason: Reason::Unreachable });
        rig.run_for(SECOND);
    }
    sent_to(&mut rig, "x");
    assert_eq!(dials(&rig).len(), 4);
    assert_eq!(happened(&rig, &WorkerEvent::RedirectIgnored { followed: 4 }), 1);
}

#[test]
fn what_a_stranger_says_of_places_is_not_looked_at() {
    let mut rig = rig();
    let conn = ConnId(99);
    let frames = vec![DownFrame::Redirect(addresses("x"))];
    let verdict = rig.input(WorkerInput::Packet { conn, frames });
    assert_eq!((verdict, vets(&rig)), (WorkerVerdict::Stale, Vec::new()));
}

#[test]
fn who_is_refused_for_good_where_it_was_sent_to_goes_back_and_is_not_failed() {
    for (to, state, next) in [
        ("x", State::Disconnected, Some(addresses("a b"))),
        // Where it was configured to go that is the last word.
        ("a", State::Failed, None),
    ] {
        let mut rig = rig();
        rig.send(vec![DownFrame::Redirect(addresses("x"))]);
        rig.cut();
        rig.input(WorkerInput::Vetted { vet: Vet::Redirect, endpoints: addresses("x") });
        let conn = rig.dials();
        assert_eq!(dials(&rig), [addresses("x a b")]);
        rig.input(WorkerInput::Reached { conn, at: addresses(to).remove(0) });
        rig.open();
        let dismissal = Dismissal { reason: Reason::AuthRevoked, come_back: ComeBack::ByReason };
        rig.send(vec![DownFrame::Refused { dismissal, hint: String::new() }]);
        rig.conn = None;
        rig.dialling = None;
        assert_eq!(rig.node.state(), state, "{to}");
        if let Some(next) = next {
            rig.dials();
            assert_eq!(dials(&rig)[1..], [next]);
        }
    }
}
