//! What is held for a worker, how long, and what may wait behind it.

use bytes::Bytes;
use moorline_link::{Ack, Credit, Lane, LaneLimits, Reason, Seq, Standing};
use moorline_node::*;
use moorline_work::{Attempt, TaskId, TaskKey, Ticket, WorkerMessage};

use crate::script::{CONN, Rig, hello_with, spec};
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

fn moored(slots: u16, limits: &LaneLimits) -> (Rig, Shelf) {
    let (mut rig, mut shelf) = (Rig::new(), Shelf::default());
    commit(&mut rig, &mut shelf);
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(hello_with(slots, limits));
    rig.say(UpFrame::InventoryEnd { count: 0 });
    rig.say(UpFrame::Active);
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
    let (mut rig, mut shelf) = moored(1, &LaneLimits::default());
    let payload = Bytes::from(vec![1; 100]);
    submit(&mut rig, 1, payload.clone());
    let submitted = rig.persists.pop().expect("a submit");
    let up_to = submitted.id;
    let done = vec![shelf.apply(submitted.op)];
    rig.give(CoordinatorInput::Committed { up_to, done });
    assert!(matches!(rig.persists[..], [Persist { op: StoreOp::Lease { .. }, .. }]));
    // The store is slow; the worker is gone before its lease is durable.
    rig.give(CoordinatorInput::Closed { conn: CONN, reason: Reason::TransportReset });
    commit(&mut rig, &mut shelf);
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
