//! A worker that lives, acknowledges everything and does not answer what it is asked.

use std::time::Duration;

use moorline_link::{
    Ack, Beat, ConnId, Credit, Flags, Lane, Reason, Resume, Seq, SessionId, Standing,
};
use moorline_node::*;

use crate::script::{CONN, Rig, hello, key};

const AGAIN: ConnId = ConnId(2);

/// What has come down a lane is acknowledged, with more credit than anybody needs.
fn acknowledge(rig: &mut Rig, lane: Lane, received: u64) {
    let credit = Credit { messages: Seq(1_000), bytes: 1 << 30 };
    let standing = Standing { received: Seq(received), credit };
    rig.say(UpFrame::Ack(Ack { lane, standing }));
}

/// Seconds pass, and the worker beats in each of them.
fn pass(rig: &mut Rig, seconds: u32) {
    for _ in 0..seconds {
        rig.now = rig.now + Duration::from_secs(1);
        rig.give(CoordinatorInput::Timeout);
        let flags = Flags { active: true, ..Flags::default() };
        let seq = u32::try_from(rig.now.since(moorline_link::Instant::ZERO).as_secs()).unwrap();
        rig.say(UpFrame::Beat(Beat { seq, flags, free: 0, rtt_micros: 0, quiet: false }));
    }
}

fn session(frames: &[DownFrame]) -> Option<(SessionId, bool)> {
    frames.iter().find_map(|frame| match frame {
        DownFrame::Welcome { head, .. } => Some((head.session, head.resumed)),
        _ => None,
    })
}

#[test]
fn a_worker_that_does_not_answer_a_revoke_gets_a_new_session_and_its_task_goes_elsewhere() {
    let mut rig = Rig::new();
    rig.commit();
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(hello());
    rig.commit();
    rig.say(UpFrame::InventoryEnd { count: 0 });
    rig.say(UpFrame::Active);
    rig.commit();
    let (first, _) = session(&rig.said()).expect("a Welcome");
    rig.submit();
    rig.commit();
    acknowledge(&mut rig, Lane::B, 1);
    rig.said();
    pass(&mut rig, 11);
    let revoke = |frame: &DownFrame| matches!(frame, DownFrame::Message(Message { head: ToWorker::Revoke { key: asked }, .. }) if *asked == key(1));
    assert!(rig.said().iter().any(revoke), "it is asked whether it has it");
    acknowledge(&mut rig, Lane::C, 1);
    pass(&mut rig, 28);
    assert_eq!(rig.closed, [], "it has its time");
    pass(&mut rig, 2);
    assert_eq!(rig.closed, [(CONN, Reason::AnswerTimeout)]);
    let told = rig.said().iter().any(|frame| matches!(frame, DownFrame::GoAway { dismissal, .. } if dismissal.reason == Reason::AnswerTimeout));
    assert!(told);
    let written = rig.persists.iter().any(|persist| matches!(&persist.op, StoreOp::Event { event, .. } if event.kind == EventKind::WorkerDisconnected && event.reason == Some(Reason::AnswerTimeout)));
    assert!(written, "{:?}", rig.persists);

    // It comes back and wants its session to go on: it gets another one.
    rig.commit();
    let UpFrame::Hello { mut head, about } = hello() else { unreachable!("it is a Hello") };
    let credit = Credit { messages: Seq(1_000), bytes: 1 << 30 };
    let lanes = [1, 1].map(|received| Standing { received: Seq(received), credit });
    head.resume = Some(Resume { session: first, lanes });
    rig.give(CoordinatorInput::Accepted { conn: AGAIN });
    let frames = vec![UpFrame::Hello { head, about }];
    rig.give(CoordinatorInput::Packet { conn: AGAIN, frames });
    let (second, resumed) = session(&rig.said()).expect("a Welcome");
    assert!(second != first && !resumed);
    rig.commit();
    let frames = vec![UpFrame::InventoryEnd { count: 0 }];
    rig.give(CoordinatorInput::Packet { conn: AGAIN, frames });
    let requeue = StoreOp::Requeue { key: key(1), cause: Requeue::Returned, error: "".into() };
    assert!(rig.persists.iter().any(|persist| persist.op == requeue), "{:?}", rig.persists);
}
