//! What the hub says of a worker, from before it was ever seen until after it is gone.

mod hub_support;

use hub_support::*;
use moorline_link::*;

fn seen(desk: &Desk) -> WorkerSnapshot {
    desk.hub.worker(desk.now, WorkerId(7)).expect("it is known")
}

#[test]
fn of_an_expected_worker_it_is_known_since_when() {
    let mut desk = Desk::default();
    desk.at(1_000);
    desk.tell(HubInput::Expect { worker: WorkerId(7), name: Sym(7) });
    desk.at(5_000);
    let it = seen(&desk);
    assert_eq!((it.presence, it.since), (Presence::Expected, desk.instant(1_000)));
    assert_eq!((it.incarnation, it.last_received, it.reason), (None, None, None));
}

#[test]
fn of_a_worker_that_is_there_its_process_and_its_last_sign_are_told() {
    let mut desk = Desk::default();
    desk.at(1_000);
    let session = desk.activate(1, hello(7, 3));
    assert_eq!(seen(&desk).rtt, None, "no round trip was measured yet");
    desk.at(4_000);
    desk.say(1, beat(1));
    desk.at(5_000);
    let it = seen(&desk);
    assert_eq!((it.presence, it.since), (Presence::Active, desk.instant(1_000)));
    assert_eq!(
        (it.incarnation, it.last_received),
        (Some(Incarnation(3)), Some(desk.instant(4_000)))
    );
    assert_eq!((it.conn, it.session), (Some(ConnId(1)), Some(session)));
    assert_eq!(it.rtt, Some(std::time::Duration::from_micros(250)));
}

#[test]
fn of_a_worker_that_is_gone_it_is_told_since_when_why_and_what_was_heard_last() {
    for departs in [false, true] {
        let mut desk = Desk::default();
        desk.activate(1, hello(7, 3));
        desk.at(4_000);
        desk.say(1, beat(1));
        desk.at(6_000);
        let (presence, reason, heard) = if departs {
            desk.say(1, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
            (Presence::Departed, Reason::WorkerStopping, 6_000)
        } else {
            desk.close(1, Reason::StreamLost);
            desk.tell(HubInput::Lost { worker: WorkerId(7) });
            (Presence::Lost, Reason::StreamLost, 4_000)
        };
        desk.at(9_000);
        let it = seen(&desk);
        assert_eq!((it.presence, it.since), (presence, desk.instant(6_000)));
        assert_eq!((it.reason, it.incarnation), (Some(reason), Some(Incarnation(3))));
        assert_eq!(it.last_received, Some(desk.instant(heard)));
        assert_eq!((it.conn, it.session), (None, None));
    }
}
