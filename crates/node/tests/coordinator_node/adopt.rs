//! A run that was given another number, and does not know it yet.

use bytes::Bytes;
use moorline_link::{ConnId, LaneLimits, Reason, Seq};
use moorline_node::*;
use moorline_work::{Attempt, End, Holding, Judgement, Outcome, TaskKey, Ticket, WorkerMessage};

use crate::script::{Rig, TASK, finishes, hello_with, key, spec};
use crate::store::Shelf;

fn commit(rig: &mut Rig, shelf: &mut Shelf) {
    while let Some(up_to) = rig.persists.last().map(|persist| persist.id) {
        let done = rig.persists.drain(..).map(|persist| shelf.apply(persist.op)).collect();
        rig.give(CoordinatorInput::Committed { up_to, done });
    }
}

/// A new session on a connection of its own, with an inventory of one key or none; what is answered.
fn register(
    rig: &mut Rig,
    shelf: &mut Shelf,
    conn: ConnId,
    item: Option<(TaskKey, Holding)>,
) -> Vec<Judgement> {
    rig.give(CoordinatorInput::Accepted { conn });
    let mut frames = vec![hello_with(1, &LaneLimits::default())];
    let items = item.map(|(key, holding)| UpFrame::InventoryItem { index: 0, key, holding });
    let count = u32::from(items.is_some());
    frames.extend(items);
    frames.push(UpFrame::InventoryEnd { count });
    for frame in frames {
        rig.give(CoordinatorInput::Packet { conn, frames: vec![frame] });
    }
    commit(rig, shelf);
    let judgement = |frame: DownFrame| match frame {
        DownFrame::InventoryAnswer { judgement, .. } => Some(judgement),
        _ => None,
    };
    rig.said().into_iter().filter_map(judgement).collect()
}

#[test]
fn a_result_under_the_old_number_of_an_adopted_run_is_stored_with_its_body() {
    let (mut rig, mut shelf) = (Rig::new(), Shelf::default());
    commit(&mut rig, &mut shelf);
    let (ticket, task, payload) = (Ticket(1), TASK, Bytes::from_static(b"payload"));
    rig.give(CoordinatorInput::Submit { ticket, task, spec: spec(), payload });
    commit(&mut rig, &mut shelf);
    let active = |rig: &mut Rig, conn| {
        rig.give(CoordinatorInput::Packet { conn, frames: vec![UpFrame::Active] });
    };
    let cut = |rig: &mut Rig, conn| {
        rig.give(CoordinatorInput::Closed { conn, reason: Reason::TransportReset });
    };

    // It gets the task, comes back without it, and again with it.
    assert_eq!(register(&mut rig, &mut shelf, ConnId(1), None), []);
    active(&mut rig, ConnId(1));
    commit(&mut rig, &mut shelf);
    cut(&mut rig, ConnId(1));
    assert_eq!(register(&mut rig, &mut shelf, ConnId(2), None), []);
    cut(&mut rig, ConnId(2));
    let running = Holding::Running { progress: 1 };
    let answers = register(&mut rig, &mut shelf, ConnId(3), Some((key(1), running)));
    assert_eq!(answers, [Judgement::Adopt { attempt: Attempt(2) }]);
    // The answer is lost, and the run ends.
    cut(&mut rig, ConnId(3));
    let finished = Holding::Finished { outcome: Outcome::Succeeded, len: 4 };
    let answers = register(&mut rig, &mut shelf, ConnId(4), Some((key(1), finished)));
    assert_eq!(answers, [Judgement::Send]);
    active(&mut rig, ConnId(4));
    let head = WorkerMessage::Result { key: key(1), outcome: Outcome::Succeeded };
    let (seq, body) = (Seq(1), Bytes::from_static(b"done"));
    let frames = vec![UpFrame::Message(Message { seq, head, body_len: 4, body: body.clone() })];
    rig.give(CoordinatorInput::Packet { conn: ConnId(4), frames });
    assert_eq!(finishes(&rig.persists), [(End::Succeeded, body)]);
}
