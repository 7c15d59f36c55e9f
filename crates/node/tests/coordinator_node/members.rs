//! What is kept of workers and of strangers, and what an operator wants of a worker.

use std::time::Duration;

use moorline_link::*;
use moorline_node::*;

use crate::script::*;

/// The Hello of a worker named by its number, with these handlers.
fn hello_of(number: u64, handlers: Vec<Name>) -> UpFrame {
    let UpFrame::Hello { head, about } = hello() else { panic!("not a Hello") };
    let head = Hello { worker: WorkerId(number.into()), incarnation: Incarnation(number), ..head };
    UpFrame::Hello { head, about: About { name: name(&format!("w-{number}")), handlers, ..about } }
}

fn come(rig: &mut Rig, conn: u64, hello: UpFrame) {
    let conn = ConnId(conn);
    rig.give(CoordinatorInput::Accepted { conn });
    rig.give(CoordinatorInput::Packet { conn, frames: vec![hello] });
}

#[test]
fn strangers_without_end_leave_no_names_behind() {
    let mut rig = Rig::new();
    for number in 1..=3_000 {
        come(&mut rig, number, hello_of(number, vec![name("hash")]));
        rig.give(CoordinatorInput::Closed { conn: ConnId(number), reason: Reason::StreamLost });
    }
    let known = rig.node.workers(rig.now).count();
    assert_eq!(known, 64, "as many as come in at once");
    assert_eq!(rig.node.worker_names(), known);
}

#[test]
fn a_second_hello_on_a_connection_leaves_no_name_behind_either() {
    let mut rig = Rig::new();
    rig.moor();
    come(&mut rig, 2, hello_of(9, Vec::new()));
    rig.give(CoordinatorInput::Packet {
        conn: ConnId(2),
        frames: vec![hello_of(10, Vec::new()), hello_of(11, Vec::new())],
    });
    assert!(rig.closed.contains(&(ConnId(2), Reason::ProtocolError)));
    assert_eq!(rig.node.worker_names(), rig.node.workers(rig.now).count());
}

#[test]
fn what_workers_offer_leaves_room_for_the_handlers_of_tasks() {
    let mut rig = Rig::new();
    for number in 1..=50 {
        let handlers = (0..1_024).map(|n| name(&format!("h-{number}-{n}"))).collect();
        come(&mut rig, number, hello_of(number, handlers));
    }
    let full = |event: &CoordinatorEvent| match event {
        CoordinatorEvent::HandlersFull { left_out, .. } => Some(*left_out),
        _ => None,
    };
    let left_out: Vec<u32> = rig.events.iter().filter_map(full).collect();
    assert_eq!(left_out, [1_024, 1_024], "said, not silent");
    rig.submit();
    rig.commit();
    assert!(
        !rig.replies.iter().any(|reply| matches!(reply, ClientReply::TooManyHandlers { .. })),
        "{:?}",
        rig.replies
    );
}

#[test]
fn a_table_of_names_that_is_full_still_takes_what_must_not_be_dropped() {
    let mut names = Names::new(2);
    assert_eq!([names.intern(&name("a")), names.intern(&name("b"))], [Some(0), Some(1)]);
    assert_eq!(names.intern(&name("c")), None);
    assert_eq!(names.intern_always(&name("c")), 2);
    assert_eq!(names.name(2), Some(&name("c")));
    assert_eq!(names.intern(&name("c")), Some(2));
}

#[test]
fn a_worker_that_an_operator_drains_gets_nothing_over_lives_of_the_coordinator() {
    let mut rig = Rig::new();
    rig.moor();
    let worker = WorkerId(5);
    rig.give(CoordinatorInput::Cordon { worker, cordoned: true });
    let known = rig.persists.iter().rev().find_map(|persist| match &persist.op {
        StoreOp::Worker(known) => Some(known.clone()),
        _ => None,
    });
    let known = known.expect("it is remembered");
    assert!(known.cordoned);
    assert!(rig.node.worker(rig.now, worker).is_some_and(|view| view.cordoned));

    // The next life of the coordinator reads it, and the worker comes back.
    let mut rig = Rig::new();
    let up_to = rig.persists.last().expect("it reads").id;
    let done = vec![Done { rows: vec![StoreRow::Worker(known)], conflict: None }, Done::default()];
    rig.persists.clear();
    rig.give(CoordinatorInput::Committed { up_to, done });
    rig.moor();
    rig.submit();
    rig.commit();
    let assigned = |frames: &[DownFrame]| {
        let assign = |frame: &DownFrame| {
            matches!(frame, DownFrame::Message(Message { head: ToWorker::Assign { .. }, .. }))
        };
        frames.iter().any(assign)
    };
    assert!(!assigned(&rig.said()), "it is to get nothing");
    let presence = rig.node.worker(rig.now, worker).map(|view| view.presence);
    assert_eq!(rig.node.presence(rig.now, worker), presence);
    assert_eq!(presence, Some(Presence::Draining));
    let claims = |rig: &Rig| rig.persists.iter().any(|it| matches!(it.op, StoreOp::Claim { .. }));
    assert!(!claims(&rig));
    rig.give(CoordinatorInput::Cordon { worker, cordoned: false });
    assert!(claims(&rig), "tasks are wanted for it again");
}

/// A coordinator that reads that another worker had the name of the one of the script.
fn after_a_namesake(lost: bool) -> Rig {
    let known = KnownWorker {
        worker: moorline_work::WorkerId(6),
        name: name("w1"),
        incarnation: moorline_work::Incarnation(9),
        departed: false,
        lost,
        cordoned: false,
    };
    let mut rig = Rig::new();
    let up_to = rig.persists.last().expect("it reads").id;
    let done = vec![Done { rows: vec![StoreRow::Worker(known)], conflict: None }, Done::default()];
    rig.persists.clear();
    rig.give(CoordinatorInput::Committed { up_to, done });
    rig
}

fn refused_for_its_name(rig: &mut Rig) -> bool {
    rig.said().iter().any(|frame| {
        matches!(frame, DownFrame::Refused { dismissal, .. } if dismissal.reason == Reason::NameConflict)
    })
}

/// Nobody comes back under another id to give up a name that is held for it.
#[test]
fn the_name_of_a_worker_of_an_earlier_life_is_free_when_that_is_lost() {
    let mut rig = after_a_namesake(false);
    come(&mut rig, 1, hello());
    assert!(refused_for_its_name(&mut rig), "it may come back");
    let grace = rig.now + Duration::from_secs(120);
    while rig.now < grace {
        rig.now = rig.node.next_wake().expect("a pulse").max(rig.now);
        rig.give(CoordinatorInput::Timeout);
    }
    let gone =
        |op: &StoreOp| matches!(op, StoreOp::Worker(known) if known.lost && known.worker.0 == 6);
    assert!(rig.persists.iter().any(|persist| gone(&persist.op)), "also for the next life");
    rig.commit();
    come(&mut rig, 2, hello());
    assert!(!refused_for_its_name(&mut rig));
    let presence = rig.node.worker(rig.now, WorkerId(5)).map(|view| view.presence);
    assert_eq!(presence, Some(Presence::Restoring));
}

#[test]
fn a_worker_that_was_lost_in_an_earlier_life_holds_no_name() {
    let mut rig = after_a_namesake(true);
    let presence = rig.node.worker(rig.now, WorkerId(6)).map(|view| view.presence);
    assert_eq!(presence, Some(Presence::Lost));
    come(&mut rig, 1, hello());
    assert!(!refused_for_its_name(&mut rig));
}

#[test]
fn only_a_worker_that_is_gone_is_forgotten_here_and_in_the_store() {
    let mut rig = Rig::new();
    rig.moor();
    let worker = WorkerId(5);
    assert!(!rig.node.is_forgettable(worker));
    rig.give(CoordinatorInput::Forget { worker });
    assert!(rig.node.worker(rig.now, worker).is_some(), "it is here");
    rig.say(UpFrame::Goodbye { reason: Reason::WorkerStopping });
    rig.commit();
    assert!(rig.node.is_forgettable(worker));
    rig.give(CoordinatorInput::Forget { worker });
    assert!(rig.node.worker(rig.now, worker).is_none());
    let id = moorline_work::WorkerId(5);
    assert!(rig.persists.iter().any(|it| it.op == StoreOp::Forget { worker: id }));
    assert_eq!(rig.node.worker_names(), 0);
    // The same by itself after a day.
    let mut rig = Rig::new();
    rig.moor();
    rig.say(UpFrame::Goodbye { reason: Reason::WorkerStopping });
    rig.commit();
    let end = rig.now + Duration::from_secs(24 * 3_600 + 1);
    while let Some(wake) = rig.node.next_wake().filter(|wake| *wake <= end) {
        rig.now = wake;
        rig.give(CoordinatorInput::Timeout);
    }
    assert!(rig.events.contains(&CoordinatorEvent::Forgotten { name: name("w1") }));
    assert!(rig.persists.iter().any(|it| it.op == StoreOp::Forget { worker: id }));
}

#[test]
fn a_hurried_lame_duck_takes_no_more_time_than_its_workers_need_elsewhere() {
    let (grace, spread) = (Duration::ZERO, Duration::from_secs(24));
    let leave = |workers: u64, hurry| {
        let mut rig = Rig::new();
        for number in 1..=workers {
            come(&mut rig, number, hello_of(number, Vec::new()));
        }
        rig.give(CoordinatorInput::LameDuck { grace, spread, hurry });
        assert!(rig.node.is_leaving());
        let told = rig.events.iter().filter_map(|event| match event {
            CoordinatorEvent::Leaving { attached, grace: Duration::ZERO, spread } => {
                Some((*attached, *spread))
            }
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(leave(3, false), [(3, spread)]);
    // So few come in at once anywhere.
    let [(3, few)] = leave(3, true)[..] else { panic!("told once") };
    assert!(few < Duration::from_secs(1), "{few:?}");
    assert_eq!(leave(0, true), [(0, Duration::ZERO)]);
}
