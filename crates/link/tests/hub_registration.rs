//! Who gets in, who is refused, and what becomes of the connections.

mod hub_support;

use hub_support::*;
use moorline_link::*;

#[test]
fn the_first_hello_is_welcomed_with_a_new_session() {
    let mut desk = Desk::default();
    assert_eq!(desk.register(1, hello(7, 1)), HubVerdict::Accepted);
    let news = desk.news();
    let frames = desk.frames(1);
    let [CoordinatorFrame::Welcome(welcome)] = frames[..] else { panic!("{frames:?}") };
    assert_eq!((welcome.version, welcome.features, welcome.resumed), (1, 0, false));
    assert_eq!(welcome.session.epoch, EPOCH);
    assert_eq!(welcome.lost_after, 90 * SECOND);
    assert_eq!(welcome.lanes[0].received, Seq(0));
    assert_eq!(
        news,
        [HubAction::Registered(Registration {
            worker: WorkerId(7),
            name: Sym(7),
            incarnation: Incarnation(1),
            conn: ConnId(1),
            session: welcome.session,
            resumed: false,
        })]
    );
    assert_eq!(desk.presence(7), Some(Presence::Restoring));
}

#[test]
fn a_lone_worker_is_told_to_come_back_at_once_and_a_fleet_to_spread() {
    let mut desk = Desk::default();
    let mut windows = Vec::new();
    for n in 1..=1_000 {
        desk.at(5 * n);
        desk.register(n, hello(u128::from(n), n));
        let frames = desk.frames(n);
        let [CoordinatorFrame::Welcome(welcome)] = frames[..] else { panic!("{frames:?}") };
        windows.extend(welcome.first_window);
        desk.restore(n);
    }
    assert_eq!((windows[0], windows[199], windows[999]), (5 * MS, SECOND, 5 * SECOND));
}

#[test]
fn a_worker_gets_the_features_both_sides_offer() {
    let mut desk = Desk::with(HubSettings { features: 0b1100, ..HubSettings::default() });
    desk.register(1, Hello { features: 0b0110, ..hello(7, 1) });
    let frames = desk.frames(1);
    let [CoordinatorFrame::Welcome(welcome)] = frames[..] else { panic!("{frames:?}") };
    assert_eq!(welcome.features, 0b0100);
}

#[test]
fn a_worker_without_a_common_version_is_refused_for_good() {
    let mut desk = Desk::default();
    desk.register(1, Hello { versions: Versions { min: 2, max: 9 }, ..hello(7, 1) });
    let reason = Reason::VersionUnsupported;
    assert_eq!(desk.frames(1), [refusal(reason, ComeBack::Never)]);
    assert_eq!(desk.news(), [refused(1, reason), closed(1, reason)]);
    assert_eq!(desk.presence(7), None);
}

#[test]
fn a_connection_without_a_hello_is_closed_after_ten_seconds() {
    let mut desk = Desk::default();
    desk.at(1_000).accept(1);
    desk.at(10_999);
    desk.tell(HubInput::Received { conn: ConnId(1) });
    assert_eq!(desk.news(), []);
    desk.at(11_000);
    assert_eq!(desk.news(), [closed(1, Reason::RegisterTimeout)]);
    assert_eq!(desk.hub.connections(), 0);
}

#[test]
fn connections_beyond_the_bound_of_those_without_hello_are_closed_at_once() {
    let mut desk = Desk::with(HubSettings { max_greeting: 2, ..HubSettings::default() });
    (1..=3).for_each(|conn| desk.accept(conn));
    assert_eq!(desk.news(), [closed(3, Reason::CoordinatorOverloaded)]);
    assert_eq!(desk.hub.admissions().unheard, 1);
    // A Hello makes room.
    desk.say(1, WorkerFrame::Hello(hello(7, 1)));
    desk.news();
    desk.accept(4);
    assert_eq!(desk.news(), []);
}

#[test]
fn more_workers_than_the_bound_are_refused_until_one_is_forgotten() {
    let mut desk = Desk::with(HubSettings { max_workers: 1, ..HubSettings::default() });
    desk.activate(1, hello(7, 1));
    desk.register(2, hello(8, 2));
    let reason = Reason::CoordinatorOverloaded;
    assert_eq!(desk.frames(2), [refusal(reason, ComeBack::ByReason)]);
    desk.say(1, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
    assert_eq!(desk.tell(HubInput::Forget { worker: WorkerId(7) }), HubVerdict::Accepted);
    desk.news();
    desk.register(3, hello(8, 2));
    assert_eq!(registrations(&desk.news()).len(), 1);
}

#[test]
fn anything_but_a_hello_comes_first_and_is_a_violation() {
    let item = WorkerFrame::InventoryItem { index: 0 };
    for (conn, frame) in (1..).zip([item, WorkerFrame::Active, beat(1), message(Lane::C, 1, 9)]) {
        let mut desk = Desk::default();
        desk.accept(conn);
        assert_eq!(desk.say(conn, frame), HubVerdict::Violation(Violation::OutOfPlace));
        let reason = Reason::ProtocolError;
        assert_eq!(desk.frames(conn), [refusal(reason, ComeBack::ByReason)]);
        assert_eq!(desk.news(), [closed(conn, reason)]);
    }
}

#[test]
fn a_second_hello_on_a_welcomed_connection_is_a_violation_and_the_session_stays() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    let verdict = desk.say(1, WorkerFrame::Hello(hello(7, 1)));
    assert_eq!(verdict, HubVerdict::Violation(Violation::OutOfPlace));
    let reason = Reason::ProtocolError;
    assert_eq!(desk.frames(1), [go_away(reason, ComeBack::ByReason)]);
    let news = desk.news();
    assert!(news.contains(&closed(1, reason)), "{news:?}");
    desk.register(2, resuming(7, 1, session));
    assert_eq!(registrations(&desk.news()), [(2, session, true)]);
}

#[test]
fn a_hello_of_the_process_that_holds_the_session_moves_it_without_a_gap() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.at(2_000);
    desk.register(2, resuming(7, 1, session));
    let frames = desk.frames(2);
    let [CoordinatorFrame::Welcome(welcome)] = frames[..] else { panic!("{frames:?}") };
    assert_eq!((welcome.session, welcome.resumed), (session, true));
    assert_eq!(desk.frames(1), [go_away(Reason::Moved, ComeBack::ByReason)]);
    let news = desk.news();
    assert_eq!(registrations(&news), [(2, session, true)]);
    assert!(news.contains(&closed(1, Reason::Moved)), "{news:?}");
    assert_eq!(news.len(), 2, "it was never detached: {news:?}");
    // The old connection is not current any more, and cannot disturb the new one (P42).
    assert_eq!(desk.say(1, beat(9)), HubVerdict::Stale);
    assert_eq!(desk.close(1, Reason::StreamLost), HubVerdict::Stale);
    assert_eq!(desk.presence(7), Some(Presence::Restoring));
}

#[test]
fn a_lost_connection_leaves_the_session_to_be_resumed() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.at(3_000);
    desk.close(1, Reason::TransportReset);
    let (worker, reason) = (WorkerId(7), Reason::TransportReset);
    let last_received = desk.instant(0);
    assert_eq!(desk.news(), [HubAction::Detached { worker, reason, last_received }]);
    assert_eq!(desk.presence(7), Some(Presence::Disconnected));
    desk.at(60_000);
    desk.register(2, resuming(7, 1, session));
    assert_eq!(registrations(&desk.news()), [(2, session, true)]);
}

#[test]
fn a_hello_that_quotes_no_session_or_an_unknown_one_gets_a_new_one() {
    let mut desk = Desk::default();
    let first = desk.activate(1, hello(7, 1));
    desk.close(1, Reason::StreamLost);
    desk.news();
    desk.register(2, hello(7, 1));
    let news = desk.news();
    let [(2, second, false)] = registrations(&news)[..] else { panic!("{news:?}") };
    assert!(second > first);
    let of_another_life = SessionId { epoch: Epoch(4), n: second.n };
    desk.register(3, resuming(7, 1, of_another_life));
    let news = desk.news();
    let [(3, third, false)] = registrations(&news)[..] else { panic!("{news:?}") };
    assert!(third > second);
}

#[test]
fn a_worker_that_claims_what_was_never_sent_gets_a_new_session() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.close(1, Reason::StreamLost);
    desk.news();
    for lane in Lane::ALL {
        let mut claim = resuming(7, 1, session);
        if let Some(resume) = &mut claim.resume {
            resume.lanes[lane.index()].received = Seq(1);
        }
        let mut desk = desk.clone();
        desk.register(2, claim);
        let news = desk.news();
        let [(2, fresh, false)] = registrations(&news)[..] else { panic!("{news:?}") };
        assert!(fresh > session);
    }
}

#[test]
fn another_worker_under_the_same_name_waits_until_the_first_is_lost_or_departed() {
    for goodbye in [false, true] {
        let mut desk = Desk::default();
        let namesake = Hello { name: Sym(7), ..hello(8, 2) };
        desk.tell(HubInput::Expect { worker: WorkerId(7), name: Sym(7) });
        let conflict = [refusal(Reason::NameConflict, ComeBack::ByReason)];
        desk.register(1, namesake);
        assert_eq!(desk.frames(1), conflict, "expected");
        desk.activate(2, hello(7, 1));
        desk.register(3, namesake);
        assert_eq!(desk.frames(3), conflict, "active");
        if goodbye {
            desk.say(2, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
        } else {
            desk.close(2, Reason::StreamLost);
            desk.register(4, namesake);
            assert_eq!(desk.frames(4), conflict, "disconnected");
            desk.tell(HubInput::Lost { worker: WorkerId(7) });
        }
        desk.news();
        desk.register(5, namesake);
        assert_eq!(registrations(&desk.news()).len(), 1);
        // Now the first one is the namesake.
        desk.register(6, hello(7, 1));
        assert_eq!(desk.frames(6), conflict);
    }
}

#[test]
fn a_worker_that_changes_its_name_frees_the_old_one() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.register(2, Hello { name: Sym(70), ..hello(7, 1) });
    desk.news();
    desk.register(3, Hello { name: Sym(7), ..hello(8, 2) });
    assert_eq!(registrations(&desk.news()).len(), 1);
    desk.register(4, Hello { name: Sym(70), ..hello(9, 3) });
    assert_eq!(desk.frames(4), [refusal(Reason::NameConflict, ComeBack::ByReason)]);
}

#[test]
fn a_session_ends_when_its_worker_is_lost_and_the_next_hello_gets_a_new_one() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.close(1, Reason::StreamLost);
    desk.at(90_000);
    assert_eq!(desk.tell(HubInput::Lost { worker: WorkerId(7) }), HubVerdict::Accepted);
    assert_eq!(desk.presence(7), Some(Presence::Lost));
    assert_eq!(desk.enqueue(7, Lane::C, 1, 10), HubVerdict::Rejected(EnqueueError::NoSession));
    desk.news();
    desk.register(2, resuming(7, 1, session));
    let news = desk.news();
    let [(2, fresh, false)] = registrations(&news)[..] else { panic!("{news:?}") };
    assert!(fresh > session);
}

#[test]
fn a_worker_that_is_lost_while_connected_is_told_that_its_session_is_gone() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.tell(HubInput::Lost { worker: WorkerId(7) });
    let reason = Reason::SessionUnknown;
    assert_eq!(desk.frames(1), [go_away(reason, ComeBack::ByReason)]);
    assert_eq!(desk.news(), [closed(1, reason)]);
}

#[test]
fn a_goodbye_ends_the_session_and_the_connection() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    let reason = Reason::WorkerStopping;
    desk.say(1, WorkerFrame::Goodbye { reason });
    let mut news = desk.news();
    news.sort_by_key(|action| matches!(action, HubAction::Close { .. }));
    let worker = WorkerId(7);
    assert_eq!(news, [HubAction::Departed { worker, reason }, closed(1, reason)]);
    assert_eq!(desk.frames(1), []);
    assert_eq!(desk.presence(7), Some(Presence::Departed));
    desk.register(2, hello(7, 2));
    assert_eq!(registrations(&desk.news()).len(), 1);
}

#[test]
fn an_operator_ends_a_connection_and_the_worker_may_come_back_by_itself() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    let (worker, reason) = (WorkerId(7), Reason::OperatorDisconnect);
    desk.tell(HubInput::Disconnect { worker, reason });
    assert_eq!(desk.frames(1), [go_away(reason, ComeBack::ByReason)]);
    assert!(desk.news().contains(&closed(1, reason)));
    desk.register(2, resuming(7, 1, session));
    assert_eq!(registrations(&desk.news()), [(2, session, true)]);
}

#[test]
fn a_stop_tells_every_connection_and_refuses_new_ones() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.accept(2);
    desk.register(3, hello(7, 2));
    let reason = Reason::CoordinatorStopping;
    desk.tell(HubInput::Stop);
    assert_eq!(desk.frames(1).last(), Some(&go_away(reason, ComeBack::ByReason)));
    assert_eq!(desk.frames(2), [refusal(reason, ComeBack::ByReason)]);
    assert_eq!(desk.frames(3), [refusal(reason, ComeBack::ByReason)]);
    let news = desk.news();
    (1..=3).for_each(|conn| assert!(news.contains(&closed(conn, reason)), "{conn}: {news:?}"));
    assert_eq!(desk.hub.connections(), 0);
    desk.accept(4);
    assert_eq!(desk.frames(4), [refusal(reason, ComeBack::ByReason)]);
    assert_eq!(desk.news(), [closed(4, reason)]);
}

#[test]
fn an_unwritable_connection_is_closed_without_its_farewell_after_a_second() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.unwritable(1);
    desk.tell(HubInput::Stop);
    assert_eq!(desk.hub.connections(), 1);
    desk.at(999);
    assert_eq!(desk.hub.connections(), 1);
    desk.at(1_000);
    assert_eq!(desk.hub.connections(), 0);
    assert_eq!(desk.frames(1), []);
}

#[test]
fn only_a_worker_without_a_session_is_forgotten() {
    let mut desk = Desk::default();
    let worker = WorkerId(7);
    desk.tell(HubInput::Expect { worker, name: Sym(7) });
    assert_eq!(desk.presence(7), Some(Presence::Expected));
    assert_eq!(desk.tell(HubInput::Forget { worker }), HubVerdict::Accepted);
    assert_eq!(desk.presence(7), None);
    desk.tell(HubInput::Expect { worker: WorkerId(8), name: Sym(7) });
    assert_eq!(desk.presence(8), Some(Presence::Expected), "its name is free");
    desk.tell(HubInput::Forget { worker: WorkerId(8) });
    desk.activate(1, hello(7, 1));
    assert_eq!(desk.tell(HubInput::Forget { worker }), HubVerdict::Stale);
    desk.close(1, Reason::StreamLost);
    assert_eq!(desk.tell(HubInput::Forget { worker }), HubVerdict::Stale);
    desk.tell(HubInput::Lost { worker });
    assert_eq!(desk.tell(HubInput::Forget { worker }), HubVerdict::Accepted);
    assert_eq!(desk.presence(7), None);
}

#[test]
fn a_worker_that_comes_back_under_another_name_does_not_free_the_one_that_others_took() {
    let named = |worker, name| Hello { name: Sym(name), ..hello(worker, 1) };
    let mut desk = Desk::default();
    desk.activate(1, named(1, 50));
    desk.say(1, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
    desk.activate(2, named(2, 50));
    desk.activate(3, named(1, 60));
    desk.register(4, named(3, 50));
    assert_eq!(desk.frames(4), [refusal(Reason::NameConflict, ComeBack::ByReason)]);
    desk.register(5, named(4, 60));
    assert_eq!(desk.frames(5), [refusal(Reason::NameConflict, ComeBack::ByReason)]);
}

#[test]
fn whom_the_embedder_does_not_let_in_is_refused_in_the_place_of_its_hello() {
    let mut desk = Desk::default();
    desk.accept(1);
    let dismissal = Dismissal { reason: Reason::AuthRejected, come_back: ComeBack::ByReason };
    let refuse = HubInput::Refuse { conn: ConnId(1), dismissal };
    assert_eq!(desk.tell(refuse), HubVerdict::Accepted);
    assert_eq!(desk.frames(1), [refusal(Reason::AuthRejected, ComeBack::ByReason)]);
    let reason = Reason::AuthRejected;
    assert_eq!(desk.news(), [refused(1, reason), closed(1, reason)]);
    assert_eq!(desk.tell(refuse), HubVerdict::Stale, "it is being closed");
    // Who is in is not refused any more: there are other words for that.
    desk.register(2, hello(7, 1));
    desk.restore(2);
    let too_late = HubInput::Refuse { conn: ConnId(2), dismissal };
    assert_eq!(desk.tell(too_late), HubVerdict::Stale);
    assert_eq!(desk.presence(7), Some(Presence::Active));
}
