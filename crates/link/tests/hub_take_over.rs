//! Two processes with one identity: who stays, who goes, and that they never flap (P40, P41).

mod hub_support;

use hub_support::*;
use moorline_link::*;

fn conflict() -> Vec<CoordinatorFrame> {
    vec![refusal(Reason::NameConflict, ComeBack::ByReason)]
}

fn superseded() -> ComeBack {
    ComeBack::Never
}

#[test]
fn a_newcomer_is_refused_when_the_incumbent_answers_the_probe() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.at(2_000);
    desk.register(2, hello(7, 2));
    assert_eq!(desk.frames(2), [], "it waits");
    assert_eq!(desk.frames(1), [CoordinatorFrame::Probe]);
    desk.at(2_900);
    desk.say(1, beat(1));
    assert_eq!(desk.frames(2), conflict());
    let reason = Reason::NameConflict;
    assert_eq!(desk.news(), [refused(2, reason), closed(2, reason)]);
    desk.at(10_000);
    assert_eq!(desk.news(), [], "the incumbent was not disturbed");
    assert_eq!(desk.presence(7), Some(Presence::Active));
}

#[test]
fn a_newcomer_takes_over_when_the_incumbent_does_not_answer_within_a_second() {
    let mut desk = Desk::default();
    let old = desk.activate(1, hello(7, 1));
    desk.at(2_000);
    desk.register(2, hello(7, 2));
    desk.at(2_999);
    assert_eq!(desk.news(), []);
    desk.at(3_000);
    let news = desk.news();
    let [(2, fresh, false)] = registrations(&news)[..] else { panic!("{news:?}") };
    assert!(fresh > old);
    assert!(news.contains(&closed(1, Reason::WorkerRestarted)), "{news:?}");
    assert!(desk.frames(1).contains(&go_away(Reason::WorkerRestarted, ComeBack::ByReason)));
    desk.restore(2);
    // The incumbent thaws: whatever it quotes, it is told, and that is final.
    for (conn, again) in [(3, resuming(7, 1, old)), (4, hello(7, 1))] {
        desk.register(conn, again);
        assert_eq!(desk.frames(conn), [refusal(Reason::Superseded, superseded())]);
    }
    assert_eq!(desk.presence(7), Some(Presence::Active));
}

#[test]
fn a_stall_of_the_coordinator_gives_the_incumbent_the_whole_time_once_more() {
    for answers in [true, false] {
        let mut desk = Desk::default();
        desk.activate(1, hello(7, 1));
        desk.at(2_000);
        desk.register(2, hello(7, 2));
        assert_eq!(desk.frames(1), [CoordinatorFrame::Probe]);
        desk.at(2_001);
        // The answer waits in a buffer, and the timers are served before it is read.
        desk.freeze(100 * SECOND);
        desk.tell(HubInput::Timeout);
        desk.at(102_900);
        assert_eq!(registrations(&desk.news()), [], "nobody is displaced by our own stall");
        if answers {
            desk.say(1, beat(1));
            assert_eq!(desk.frames(2), conflict());
            assert_eq!(desk.presence(7), Some(Presence::Active));
        } else {
            desk.at(103_001);
            assert_eq!(registrations(&desk.news()).len(), 1);
        }
    }
}

#[test]
fn a_beat_that_left_before_the_probe_was_written_is_not_its_answer() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.unwritable(1);
    desk.register(2, hello(7, 2));
    desk.say(1, beat(1));
    assert_eq!(desk.frames(2), [], "the probe is not written: the beat says nothing");
    desk.writable(1);
    assert!(desk.frames(1).contains(&CoordinatorFrame::Probe));
    desk.say(1, beat(2));
    assert_eq!(desk.frames(2), conflict());
}

#[test]
fn other_frames_of_the_incumbent_are_not_an_answer_to_the_probe() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.register(2, hello(7, 2));
    // What lay in the buffers of a process that was killed.
    desk.say(1, message(Lane::C, 1, 10));
    desk.tell(HubInput::Received { conn: ConnId(1) });
    desk.at(1_000);
    assert_eq!(registrations(&desk.news()).len(), 1);
}

#[test]
fn an_incumbent_whose_connection_ends_during_the_challenge_is_followed_at_once() {
    let mut desk = Desk::default();
    let old = desk.activate(1, hello(7, 1));
    desk.register(2, hello(7, 2));
    desk.at(10);
    desk.close(1, Reason::TransportReset);
    assert_eq!(desk.now, desk.instant(10));
    assert_eq!(registrations(&desk.news()).len(), 1);
    desk.restore(2);
    desk.register(3, resuming(7, 1, old));
    assert_eq!(desk.frames(3), [refusal(Reason::Superseded, superseded())]);
}

#[test]
fn an_incumbent_whose_connection_is_gone_is_followed_at_once_without_a_probe() {
    let mut desk = Desk::default();
    let old = desk.activate(1, hello(7, 1));
    desk.close(1, Reason::TransportReset);
    desk.news();
    desk.register(2, hello(7, 2));
    let news = desk.news();
    let [(2, fresh, false)] = registrations(&news)[..] else { panic!("{news:?}") };
    assert!(fresh > old);
    desk.restore(2);
    for (conn, again) in [(3, resuming(7, 1, old)), (4, hello(7, 1))] {
        desk.register(conn, again);
        assert_eq!(desk.frames(conn), [refusal(Reason::Superseded, superseded())]);
    }
}

/// What a process wrote before it died may arrive long after, when its successor is out of touch.
#[test]
fn a_process_is_displaced_for_good_only_by_one_that_has_read_its_welcome() {
    for closes in [true, false] {
        let mut desk = Desk::default();
        let session = desk.activate(1, hello(7, 2));
        desk.close(1, Reason::HeartbeatTimeout);
        desk.register(2, hello(7, 1));
        assert_eq!(registrations(&desk.news()).len(), 1, "nobody is in its way");
        if closes {
            desk.close(2, Reason::TransportReset);
        }
        desk.register(3, resuming(7, 2, session));
        if !closes {
            assert_eq!(desk.frames(2).last(), Some(&CoordinatorFrame::Probe));
            desk.at(1_000);
        }
        let news = desk.news();
        let [(3, fresh, false)] = registrations(&news)[..] else { panic!("{news:?}") };
        assert!(fresh > session);
        desk.restore(3);
        assert_eq!(desk.presence(7), Some(Presence::Active));
        desk.register(4, hello(7, 1));
        assert_eq!(desk.frames(4), [refusal(Reason::Superseded, superseded())]);
    }
}

/// The same when its successor was given up meanwhile, and knows nothing of it.
#[test]
fn all_that_were_displaced_since_a_welcome_was_read_last_are_superseded_but_the_one_that_stays() {
    // The first one returns before the second has read its welcome, or a third one comes.
    for (last, old) in [(1, vec![2]), (3, vec![1, 2])] {
        let mut desk = Desk::default();
        desk.activate(1, hello(7, 1));
        for (conn, incarnation) in [(2, 2), (3, last)] {
            desk.close(conn - 1, Reason::TransportReset);
            desk.register(conn, hello(7, incarnation));
        }
        desk.restore(3);
        desk.close(3, Reason::TransportReset);
        desk.written(3);
        for (conn, incarnation) in (4..).zip(old) {
            desk.register(conn, hello(7, incarnation));
            assert_eq!(desk.frames(conn), [refusal(Reason::Superseded, superseded())]);
        }
        desk.register(9, hello(7, last));
        assert!(matches!(desk.frames(9)[..], [CoordinatorFrame::Welcome(_)]));
    }
}

#[test]
fn once_the_process_that_stayed_has_left_those_it_displaced_may_come_back() {
    for departs in [true, false] {
        let mut desk = Desk::default();
        desk.activate(1, hello(7, 1));
        desk.close(1, Reason::TransportReset);
        desk.activate(2, hello(7, 2));
        if departs {
            desk.say(2, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
        } else {
            desk.close(2, Reason::TransportReset);
            desk.tell(HubInput::Lost { worker: WorkerId(7) });
        }
        desk.activate(3, hello(7, 1));
        desk.close(3, Reason::TransportReset);
        // Also when a third one was in its place and read no welcome.
        desk.register(4, hello(7, 3));
        desk.close(4, Reason::TransportReset);
        desk.activate(5, hello(7, 1));
    }
}

#[test]
fn a_process_that_was_given_up_returns_while_no_other_one_has_read_its_welcome() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 2));
    desk.close(1, Reason::TransportReset);
    desk.tell(HubInput::Lost { worker: WorkerId(7) });
    desk.register(2, hello(7, 1));
    desk.close(2, Reason::TransportReset);
    desk.news();
    desk.register(3, resuming(7, 2, session));
    assert_eq!(registrations(&desk.news()).len(), 1, "{:?}", desk.frames(3));
    desk.restore(3);
    desk.register(4, hello(7, 1));
    assert_eq!(desk.frames(4), [refusal(Reason::Superseded, superseded())]);
}

#[test]
fn an_incumbent_that_is_silent_for_too_long_is_followed_at_once_without_a_probe() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.at(14_999);
    // The timer of the incumbent's silence is due at 15 s, and has not been served yet.
    desk.now = desk.instant(15_000);
    desk.register(2, hello(7, 2));
    assert_eq!(registrations(&desk.news()).len(), 1);
    assert_eq!(desk.frames(1), [go_away(Reason::WorkerRestarted, ComeBack::ByReason)]);
}

#[test]
fn a_newcomer_that_gives_up_leaves_the_incumbent_undisturbed() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.register(2, hello(7, 2));
    desk.close(2, Reason::ClosedByPeer);
    desk.at(9_000);
    assert_eq!(desk.news(), []);
    assert_eq!(desk.presence(7), Some(Presence::Active));
}

#[test]
fn a_newcomer_has_nothing_to_say_while_it_waits() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.register(2, hello(7, 2));
    assert_eq!(desk.say(2, beat(1)), HubVerdict::Violation(Violation::OutOfPlace));
    desk.at(2_000);
    let reason = Reason::ProtocolError;
    assert_eq!(desk.news(), [refused(2, reason), closed(2, reason)]);
}

#[test]
fn a_second_newcomer_is_refused_and_the_first_one_may_change_its_connection() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.register(2, hello(7, 2));
    desk.at(500).register(3, hello(7, 3));
    assert_eq!(desk.frames(3), conflict());
    desk.news();
    desk.register(4, hello(7, 2));
    assert_eq!(desk.frames(2), [go_away(Reason::Moved, ComeBack::ByReason)]);
    assert_eq!(desk.news(), [closed(2, Reason::Moved)]);
    // The incumbent's second runs from the first claim.
    desk.at(1_000);
    assert_eq!(registrations(&desk.news()).len(), 1);
    assert!(matches!(desk.frames(4)[..], [CoordinatorFrame::Welcome(_)]));
}

#[test]
fn a_newcomer_follows_an_incumbent_that_says_goodbye() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.register(2, hello(7, 2));
    desk.say(1, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
    assert_eq!(registrations(&desk.news()).len(), 1);
    assert!(matches!(desk.frames(2)[..], [CoordinatorFrame::Welcome(_)]));
}

#[test]
fn an_incumbent_that_comes_on_another_connection_has_proved_that_it_lives() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.register(2, hello(7, 2));
    desk.register(3, resuming(7, 1, session));
    assert_eq!(desk.frames(2), conflict());
    assert_eq!(registrations(&desk.news()), [(3, session, true)]);
}

#[test]
fn a_process_that_quotes_an_older_session_of_this_life_is_superseded() {
    let mut desk = Desk::default();
    let old = desk.activate(1, hello(7, 1));
    desk.close(1, Reason::StreamLost);
    desk.tell(HubInput::Lost { worker: WorkerId(7) });
    desk.activate(2, hello(7, 2));
    // The one before was not displaced by its successor but lost: only its session tells.
    desk.register(3, resuming(7, 1, old));
    assert_eq!(desk.frames(3), [refusal(Reason::Superseded, superseded())]);
    let of_another_life = SessionId { epoch: Epoch(4), n: old.n };
    desk.register(4, resuming(7, 1, of_another_life));
    assert_eq!(desk.frames(4), [], "it is challenged like any other");
}

#[test]
fn a_process_that_quotes_the_session_of_another_one_is_challenged_and_never_gets_it() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.register(2, resuming(7, 2, session));
    assert_eq!(desk.frames(1), [CoordinatorFrame::Probe]);
    desk.at(1_000);
    let news = desk.news();
    let [(2, fresh, false)] = registrations(&news)[..] else { panic!("{news:?}") };
    assert!(fresh > session);
}

#[test]
fn the_last_eight_displaced_processes_are_remembered() {
    let mut desk = Desk::default();
    for life in 1..=10 {
        desk.activate(life, hello(7, life));
        desk.close(life, Reason::StreamLost);
    }
    // The tenth is the incumbent; two to nine were displaced last.
    desk.activate(11, hello(7, 10));
    for life in 2..=9 {
        desk.register(20 + life, hello(7, life));
        assert_eq!(desk.frames(20 + life), [refusal(Reason::Superseded, superseded())]);
    }
    desk.register(40, hello(7, 1));
    assert_eq!(desk.frames(40), [], "it is challenged like any other");
}

#[test]
fn the_first_hello_after_a_start_is_the_incumbent_whoever_was_it_before() {
    let mut desk = Desk::default();
    desk.tell(HubInput::Expect { worker: WorkerId(7), name: Sym(7) });
    let before = SessionId { epoch: Epoch(4), n: 3 };
    desk.register(1, resuming(7, 2, before));
    assert_eq!(registrations(&desk.news()).len(), 1);
    desk.register(2, resuming(7, 1, before));
    desk.say(1, beat(1));
    assert_eq!(desk.frames(2), conflict());
}

#[test]
fn a_newcomer_whose_name_was_taken_meanwhile_displaces_nobody() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.register(2, Hello { name: Sym(70), ..hello(7, 2) });
    desk.activate(3, Hello { name: Sym(70), ..hello(8, 3) });
    desk.frames(1);
    desk.at(2_000);
    assert_eq!(desk.frames(2), conflict());
    assert_eq!(desk.frames(1), []);
    assert_eq!(desk.presence(7), Some(Presence::Active));
}

#[test]
fn two_live_processes_with_one_identity_never_flap() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    let mut seq = 0;
    for round in 0..500u64 {
        // The second process tries every 700 ms; the first beats every 5 s and answers probes.
        let conn = 2 + round;
        desk.at(700 * (round + 1));
        desk.register(conn, hello(7, 2));
        for frame in desk.frames(1) {
            if frame == CoordinatorFrame::Probe {
                seq += 1;
                desk.say(1, beat(seq));
            }
        }
        assert_eq!(desk.frames(conn), conflict(), "round {round}");
    }
    let snapshot = desk.hub.worker(desk.now, WorkerId(7)).expect("it is known");
    assert_eq!((snapshot.conn, snapshot.session), (Some(ConnId(1)), Some(session)));
    let disturbed = |action: &HubAction| {
        matches!(action, HubAction::Detached { .. } | HubAction::Registered(_))
    };
    assert!(!desk.news().iter().any(disturbed));
}

#[test]
fn a_crash_loop_of_one_worker_always_gets_in() {
    let mut desk = Desk::default();
    for life in 1..=100u64 {
        desk.at(3_000 * life);
        desk.register(life, hello(7, life));
        desk.at(3_000 * life + 1_000);
        assert_eq!(registrations(&desk.news()).len(), 1, "life {life}");
        desk.restore(life);
        assert_eq!(desk.presence(7), Some(Presence::Active), "life {life}");
    }
}
