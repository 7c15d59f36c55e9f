//! What happens to workers is written down, within bounds.

use std::time::Duration;

use moorline_link::{ConnId, Reason};
use moorline_node::*;
use moorline_work::{Disposition, Outcome};

use crate::script::{Rig, hello, result};

/// The events that were handed out and not committed, oldest first.
fn written(rig: &Rig) -> Vec<Event> {
    let event = |persist: &Persist| match &persist.op {
        StoreOp::Event { at_millis, event } => {
            assert_eq!(*at_millis, None, "a node has no wall clock");
            Some(event.clone())
        }
        _ => None,
    };
    rig.persists.iter().filter_map(event).collect()
}

fn kinds(rig: &Rig) -> Vec<EventKind> {
    written(rig).iter().map(|event| event.kind).collect()
}

#[test]
fn what_happens_to_a_worker_is_written_down_with_its_name() {
    let mut rig = Rig::new();
    let up_to = rig.persists.last().unwrap().id;
    let done = rig.persists.drain(..).map(|_| Done::default()).collect();
    rig.give(CoordinatorInput::Committed { up_to, done });
    let started = written(&rig);
    assert_eq!(started[0].kind, EventKind::CoordinatorStarted);
    let detail = started[0].detail.as_ref().map(Detail::as_str);
    assert_eq!(detail, Some("0 workers expected, 0 leases recovered"));
    rig.commit();

    rig.give(CoordinatorInput::Accepted { conn: ConnId(1) });
    rig.say(hello());
    rig.say(UpFrame::InventoryEnd { count: 0 });
    rig.say(UpFrame::Active);
    assert_eq!(kinds(&rig), [EventKind::WorkerRegistered, EventKind::WorkerActive]);
    let registered = &written(&rig)[0];
    assert_eq!(registered.worker, Some(moorline_work::WorkerId(5)));
    assert_eq!(registered.name.as_ref().map(Name::as_str), Some("w1"));
    assert!(registered.session.is_some());
    rig.commit();
    assert_eq!(written(&rig), []);

    rig.give(CoordinatorInput::Closed { conn: ConnId(1), reason: Reason::StreamLost });
    assert_eq!(written(&rig)[0].reason, Some(Reason::StreamLost));
    assert_eq!(kinds(&rig), [EventKind::WorkerDisconnected]);
    rig.commit();
    rig.give(CoordinatorInput::Stop);
    assert_eq!(kinds(&rig), [EventKind::CoordinatorStopping]);
}

#[test]
fn a_worker_that_is_lost_is_remembered_as_lost_until_it_comes_back() {
    let known = |rig: &Rig| {
        let worker = rig.persists.iter().rev().find_map(|persist| match &persist.op {
            StoreOp::Worker(known) => Some(known.clone()),
            _ => None,
        });
        worker.expect("it is remembered")
    };
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.give(CoordinatorInput::Closed { conn: ConnId(1), reason: Reason::StreamLost });
    rig.commit();
    for _ in 0..10_000 {
        rig.now = rig.now.max(rig.node.next_wake().expect("a pulse"));
        rig.give(CoordinatorInput::Timeout);
        if kinds(&rig).contains(&EventKind::WorkerLost) {
            break;
        }
        rig.commit();
    }
    assert!(known(&rig).lost);
    rig.commit();
    rig.give(CoordinatorInput::Accepted { conn: ConnId(2) });
    rig.give(CoordinatorInput::Packet { conn: ConnId(2), frames: vec![hello()] });
    assert!(!known(&rig).lost, "the same process of it, and yet it is written");
}

/// Connects and disconnects, no faster than workers are let in.
fn flap(rig: &mut Rig, conn: u64) {
    rig.now = rig.now + Duration::from_millis(10);
    let conn = ConnId(conn);
    rig.give(CoordinatorInput::Accepted { conn });
    rig.give(CoordinatorInput::Packet { conn, frames: vec![hello()] });
    rig.give(CoordinatorInput::Closed { conn, reason: Reason::StreamLost });
}

#[test]
fn while_the_store_is_behind_few_events_wait_and_one_says_how_many_were_left_out() {
    let mut rig = Rig::new();
    rig.commit();
    for conn in 1..=2_000 {
        flap(&mut rig, conn);
    }
    assert_eq!(written(&rig).len(), 1_024);
    assert!(rig.persists.len() < 1_100, "and nothing else in numbers: {}", rig.persists.len());
    rig.commit();
    flap(&mut rig, 3_000);
    rig.commit();
    // The last commit of the first lot said how many; it is durable by now, so look at a new lot.
    for conn in 4_001..=4_600 {
        flap(&mut rig, conn);
    }
    let waiting = rig.persists.len();
    let batch: Vec<_> = rig.persists.drain(..waiting - 400).collect();
    let rest = std::mem::take(&mut rig.persists);
    let up_to = batch.last().unwrap().id;
    let done = batch.iter().map(|_| Done::default()).collect();
    rig.give(CoordinatorInput::Committed { up_to, done });
    let said = written(&rig);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].kind, EventKind::EventsDropped);
    // 600 times two events, of which 1,024 waited.
    let detail = said[0].detail.as_ref().map(Detail::as_str);
    assert_eq!(detail, Some("176 events were left out"));
    rig.persists.splice(0..0, rest);
    rig.commit();
    assert!(!rig.node.awaits_store());
}

#[test]
fn strangers_in_numbers_leave_few_events() {
    let mut rig = Rig::new();
    rig.commit();
    let refused = |rig: &mut Rig, conn| {
        let conn = ConnId(conn);
        rig.give(CoordinatorInput::Accepted { conn });
        let UpFrame::Hello { mut head, about } = hello() else { panic!("a hello") };
        head.versions = moorline_link::Versions { min: 900, max: 901 };
        let frames = vec![UpFrame::Hello { head, about }];
        rig.give(CoordinatorInput::Packet { conn, frames });
    };
    for conn in 1..=500 {
        refused(&mut rig, conn);
    }
    let events = written(&rig);
    assert_eq!(events.len(), 60);
    assert_eq!(events[0].kind, EventKind::WorkerRefused);
    assert_eq!(events[0].reason, Some(Reason::VersionUnsupported));
    rig.commit();
    rig.now = rig.now + Duration::from_secs(2);
    for conn in 501..=600 {
        refused(&mut rig, conn);
    }
    let events = written(&rig);
    assert_eq!(events.len(), 2, "one for each second");
    let detail = events[0].detail.as_ref().map(Detail::as_str);
    assert_eq!(detail, Some("after 440 more in short order"));
}

#[test]
fn a_result_that_does_not_count_is_written_down_with_what_became_of_it() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.say(result(1, 9, Outcome::Failed { retryable: false }, b"of nothing"));
    while !rig.persists.is_empty() {
        if let Some(event) = written(&rig).first() {
            assert_eq!(event.kind, EventKind::TaskResultSettled);
            let detail = event.detail.as_ref().map(Detail::as_str);
            assert_eq!(detail, Some(Disposition::Unknown.name()));
            return;
        }
        let up_to = rig.persists.last().unwrap().id;
        let unknown = StoreRow::Status(moorline_work::Status::Unknown);
        let answer = |_| Done { rows: vec![unknown.clone()], conflict: None };
        let done = rig.persists.drain(..).map(answer).collect();
        rig.give(CoordinatorInput::Committed { up_to, done });
    }
    panic!("nothing was written");
}
