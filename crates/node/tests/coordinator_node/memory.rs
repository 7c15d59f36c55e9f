//! What is held for a worker, how long, and what may wait behind it.

use bytes::Bytes;
use moorline_link::{
    Ack, ConnId, Credit, Epoch, Lane, LaneLimits, Reason, Seq, Standing, WorkerId,
};
use moorline_node::*;
use moorline_work::{Attempt, Outcome, Status, TaskId, TaskKey, TaskState, Ticket, WorkerMessage};

use crate::script::{CONN, Rig, hello, hello_with, name, settled, spec};
use crate::store::Shelf;

const MIB: usize = 1 << 20;

fn first(task: u128) -> TaskKey {
    TaskKey { task: TaskId(task), attempt: Attempt(1) }
}

/// Commits everything that is handed out.
fn commit(rig: &mut Rig, shelf: &mut Shelf) {
    while let Some(up_to) = rig.persists.last().map(|persist| persist.id) {
        let done = rig.persists.drain(..).map(|persist| shelf.apply(persist.op)).collect();
        rig.give(CoordinatorInput::Committed { up_to, done });
    }
}

/// Commits the first operation that is handed out.
fn commit_one(rig: &mut Rig, shelf: &mut Shelf) {
    let first = rig.persists.remove(0);
    let (up_to, done) = (first.id, vec![shelf.apply(first.op)]);
    rig.give(CoordinatorInput::Committed { up_to, done });
}

/// A worker is connected and active, as far as it goes before anything is committed.
fn moor(rig: &mut Rig, slots: u16, limits: &LaneLimits) {
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(hello_with(slots, limits));
    rig.say(UpFrame::InventoryEnd { count: 0 });
    rig.say(UpFrame::Active);
}

fn moored(slots: u16, limits: &LaneLimits) -> (Rig, Shelf) {
    let (mut rig, mut shelf) = (Rig::new(), Shelf::default());
    commit(&mut rig, &mut shelf);
    moor(&mut rig, slots, limits);
    commit(&mut rig, &mut shelf);
    (rig, shelf)
}

fn submit(rig: &mut Rig, task: u128, payload: Bytes) {
    let (ticket, task, spec) = (Ticket(task as u64), TaskId(task), spec());
    rig.give(CoordinatorInput::Submit { ticket, task, spec, payload });
}

fn cancel(rig: &mut Rig, task: u128) {
    rig.give(CoordinatorInput::Cancel { ticket: Ticket(90), task: TaskId(task) });
}

fn assigned(frames: &[DownFrame]) -> Vec<TaskKey> {
    let assign = |frame: &DownFrame| match frame {
        DownFrame::Message(Message { head: ToWorker::Assign { key, .. }, .. }) => Some(*key),
        _ => None,
    };
    frames.iter().filter_map(assign).collect()
}

#[test]
fn the_payload_of_a_lease_that_ended_before_it_was_read_is_let_go() {
    let (mut rig, mut shelf) = (Rig::new(), Shelf::default());
    let payload = Bytes::from(vec![1; 100]);
    submit(&mut rig, 1, payload.clone());
    commit(&mut rig, &mut shelf);
    // A worker comes, and the store is asked for what it could run.
    moor(&mut rig, 1, &LaneLimits::default());
    while !matches!(rig.persists[..], [.., Persist { op: StoreOp::Lease { .. }, .. }]) {
        commit_one(&mut rig, &mut shelf);
    }
    // The store is slow; the worker is gone before its lease is durable.
    rig.give(CoordinatorInput::Closed { conn: CONN, reason: Reason::TransportReset });
    commit(&mut rig, &mut shelf);
    cancel(&mut rig, 1);
    commit(&mut rig, &mut shelf);
    assert!(payload.is_unique(), "the task has ended, and somebody keeps its payload");
}

#[test]
fn a_lease_that_has_not_left_when_the_coordinator_stops_is_asked_for_once_and_for_nobody_else() {
    let (mut rig, mut shelf) = (Rig::new(), Shelf::default());
    commit(&mut rig, &mut shelf);
    let conn = ConnId(2);
    let UpFrame::Hello { mut head, mut about } = hello() else { unreachable!("a Hello") };
    head.worker = WorkerId(6);
    about.name = name("w2");
    rig.give(CoordinatorInput::Accepted { conn });
    for frame in
        [UpFrame::Hello { head, about }, UpFrame::InventoryEnd { count: 0 }, UpFrame::Active]
    {
        rig.give(CoordinatorInput::Packet { conn, frames: vec![frame] });
    }
    commit(&mut rig, &mut shelf);
    rig.give(CoordinatorInput::Cordon { worker: WorkerId(6), cordoned: true });
    submit(&mut rig, 1, Bytes::from_static(b"one"));
    commit(&mut rig, &mut shelf);
    moor(&mut rig, 1, &LaneLimits::default());
    while !matches!(rig.persists[..], [.., Persist { op: StoreOp::Lease { .. }, .. }]) {
        commit_one(&mut rig, &mut shelf);
    }
    rig.give(CoordinatorInput::Cordon { worker: WorkerId(6), cordoned: false });
    rig.give(CoordinatorInput::Stop);
    let asked = rig
        .persists
        .iter()
        .filter(|persist| matches!(persist.op, StoreOp::Lease { .. } | StoreOp::Requeue { .. }));
    assert_eq!(asked.count(), 2, "one lease, and back");
    commit(&mut rig, &mut shelf);
    let queued = Status::Known { state: TaskState::Queued, attempt: Attempt(1) };
    assert_eq!(shelf.status(TaskId(1)), queued);
}

/// The payloads that were assigned.
fn payloads(frames: &[DownFrame]) -> Vec<Bytes> {
    let payload = |frame: &DownFrame| match frame {
        DownFrame::Message(Message { head: ToWorker::Assign { .. }, body, .. }) => {
            Some(body.clone())
        }
        _ => None,
    };
    frames.iter().filter_map(payload).collect()
}

/// The placements of the submissions that are handed out.
fn placements(rig: &Rig) -> Vec<StorePlacement> {
    let placement = |persist: &Persist| match persist.op {
        StoreOp::Submit { placement, .. } => Some(placement),
        _ => None,
    };
    rig.persists.iter().filter_map(placement).collect()
}

#[test]
fn a_task_with_a_free_worker_is_leased_by_its_submission_and_leaves_with_its_payload() {
    let (mut rig, mut shelf) = moored(1, &LaneLimits::default());
    rig.said();
    submit(&mut rig, 1, Bytes::from_static(b"one"));
    submit(&mut rig, 2, Bytes::from_static(b"two"));
    let (worker, incarnation) = (moorline_work::WorkerId(5), moorline_work::Incarnation(1));
    let at_once = StorePlacement::Leased { worker, incarnation };
    let queued = StorePlacement::Claimed { epoch: Epoch(3) };
    assert_eq!(placements(&rig), [at_once, queued]);
    assert!(payloads(&rig.said()).is_empty(), "nothing leaves before it is durable");
    commit(&mut rig, &mut shelf);
    assert_eq!(payloads(&rig.said()), ["one"]);
    assert_eq!(
        shelf.status(TaskId(1)),
        Status::Known { state: TaskState::Leased, attempt: Attempt(1) }
    );
}

#[test]
fn the_payload_of_a_lease_that_came_with_a_submission_in_vain_is_let_go() {
    let (mut rig, mut shelf) = moored(2, &LaneLimits::default());
    rig.said();
    let (first, second) = (Bytes::from(vec![1; 100]), Bytes::from(vec![2; 100]));
    submit(&mut rig, 1, first.clone());
    submit(&mut rig, 1, second.clone());
    assert!(placements(&rig).iter().all(|at| matches!(at, StorePlacement::Leased { .. })));
    commit(&mut rig, &mut shelf);
    assert!(second.is_unique(), "its id was taken");
    assert_eq!(payloads(&rig.said()), [first], "and the other one has its own");
}

#[test]
fn the_payload_of_a_lease_whose_worker_is_gone_before_its_submission_is_durable_is_let_go() {
    let (mut rig, mut shelf) = moored(1, &LaneLimits::default());
    let payload = Bytes::from(vec![1; 100]);
    submit(&mut rig, 1, payload.clone());
    assert!(matches!(placements(&rig)[..], [StorePlacement::Leased { .. }]));
    rig.give(CoordinatorInput::Closed { conn: CONN, reason: Reason::TransportReset });
    commit(&mut rig, &mut shelf);
    assert_eq!(
        shelf.status(TaskId(1)),
        Status::Known { state: TaskState::Queued, attempt: Attempt(1) }
    );
    cancel(&mut rig, 1);
    commit(&mut rig, &mut shelf);
    assert!(payload.is_unique(), "the task has ended, and somebody keeps its payload");
}

#[test]
fn a_cancel_does_not_wait_behind_payloads() {
    let limits = LaneLimits::default();
    let (mut rig, mut shelf) = moored(3, &limits);
    submit(&mut rig, 1, Bytes::from_static(b"small"));
    commit(&mut rig, &mut shelf);
    let head = WorkerMessage::Accept { key: first(1) };
    let (seq, body_len, body) = (Seq(1), 0, Bytes::new());
    rig.say(UpFrame::Message(Message { seq, head, body_len, body }));
    for task in [2, 3] {
        submit(&mut rig, task, Bytes::from(vec![1; 10 * MIB]));
    }
    commit(&mut rig, &mut shelf);
    assert_eq!(assigned(&rig.said()), [first(1), first(2)], "the lane has no room for the third");
    cancel(&mut rig, 1);
    commit(&mut rig, &mut shelf);
    let is_cancel = |frame: &DownFrame| matches!(frame, DownFrame::Message(Message { head: ToWorker::Cancel { key }, .. }) if *key == first(1));
    assert!(rig.said().iter().any(is_cancel));

    // The third has room when the worker has processed the second.
    let credit = Credit { messages: Seq(32), bytes: u64::MAX };
    let standing = Standing { received: Seq(2), credit };
    rig.say(UpFrame::Ack(Ack { lane: Lane::B, standing }));
    assert_eq!(assigned(&rig.said()), [first(3)]);
}

#[test]
fn what_waits_for_room_goes_on_when_room_is_made_by_a_withdrawal() {
    // The worker gives no credit for bodies yet.
    let limits = LaneLimits { window_bytes: 0, ..LaneLimits::default() };
    let (mut rig, mut shelf) = moored(2, &limits);
    for task in [1, 2] {
        submit(&mut rig, task, Bytes::from(vec![1; 10 * MIB]));
    }
    commit(&mut rig, &mut shelf);
    assert_eq!(assigned(&rig.said()), []);
    cancel(&mut rig, 1);
    commit(&mut rig, &mut shelf);
    let credit = Credit { messages: Seq(32), bytes: u64::MAX };
    let standing = Standing { received: Seq(0), credit };
    rig.say(UpFrame::Ack(Ack { lane: Lane::B, standing }));
    assert_eq!(assigned(&rig.said()), [first(2)]);
}

#[test]
fn a_body_under_way_is_offered_after_each_packet_and_when_there_is_room_again() {
    let (mut rig, mut shelf) = moored(1, &LaneLimits::default());
    rig.writable = false;
    submit(&mut rig, 1, Bytes::from(vec![1; 300_000]));
    commit(&mut rig, &mut shelf);
    let flushes = |rig: &mut Rig| {
        let actions = std::iter::from_fn(|| rig.node.poll_action());
        actions.filter(|action| *action == CoordinatorAction::Flush { conn: CONN }).count()
    };
    for _ in 0..2 {
        let packet = rig.node.poll_transmit(rig.now, CONN).expect("a piece of the body");
        assert_eq!(packet.lane, Lane::B);
        assert_eq!(flushes(&mut rig), 1, "there is more");
    }
    rig.node.handle(rig.now, CoordinatorInput::Unwritable { conn: CONN });
    assert_eq!(flushes(&mut rig), 0);
    rig.node.handle(rig.now, CoordinatorInput::Writable { conn: CONN });
    assert_eq!(flushes(&mut rig), 1);
}

#[test]
fn small_messages_give_their_credit_back_at_once() {
    let (mut rig, _) = moored(1, &LaneLimits::default());
    for seq in 1..=200 {
        let head = WorkerMessage::NotHeld { key: first(9) };
        let (seq, body_len, body) = (Seq(seq), 0, Bytes::new());
        rig.say(UpFrame::Message(Message { seq, head, body_len, body }));
    }
    assert_eq!(rig.closed, [], "within its credit all the time");
}

/// A result of a task that nobody ever handed in.
fn bogus(seq: u64) -> UpFrame {
    let head = WorkerMessage::Result { key: first(seq.into()), outcome: Outcome::Succeeded };
    UpFrame::Message(Message { seq: Seq(seq), head, body_len: 0, body: Bytes::new() })
}

/// The number of the last lane-B message that these frames allow.
fn allowed(frames: &[DownFrame]) -> Option<u64> {
    let credit = |frame: &DownFrame| match frame {
        DownFrame::Ack(ack) if ack.lane == Lane::B => Some(ack.standing.credit.messages.0),
        _ => None,
    };
    frames.iter().filter_map(credit).max()
}

#[test]
fn answers_to_results_of_nothing_do_not_pile_up_for_a_worker_that_never_takes_them() {
    let limits = LaneLimits::default();
    let (window, lane) = (u64::from(limits.window_messages), u64::from(limits.outbox_messages));
    let (mut rig, mut shelf) = moored(1, &limits);
    let (mut sent, mut may, mut answers) = (0, window, 0);
    while sent < may && sent < 4 * lane {
        sent += 1;
        rig.say(bogus(sent));
        commit(&mut rig, &mut shelf);
        let said = rig.said();
        may = may.max(allowed(&said).unwrap_or(0));
        answers += settled(&said).len() as u64;
    }
    assert!((lane..=lane + 2 * window).contains(&sent), "{sent} results were taken");
    assert_eq!(answers, window, "the worker gives no more credit for them");

    // It takes them after all, and may go on.
    loop {
        let credit = Credit { messages: Seq(u64::MAX), bytes: u64::MAX };
        let standing = Standing { received: Seq(answers), credit };
        rig.say(UpFrame::Ack(Ack { lane: Lane::C, standing }));
        let said = rig.said();
        may = may.max(allowed(&said).unwrap_or(0));
        match settled(&said).len() {
            0 => break,
            more => answers += more as u64,
        }
    }
    assert_eq!(answers, sent, "each is answered");
    assert_eq!(may, sent + window, "and all credit is back");
    assert_eq!(rig.closed, []);
    assert!(!rig.node.has_outgoing());
}
