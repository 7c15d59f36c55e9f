//! Random lives of a coordinator node. The yard checks L1 to L4 after every step.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Ack, Beat, Credit, Flags, Lane, Reason, Seq, Standing};
use moorline_node::{Message, Part, UpFrame};
use moorline_work::{Attempt, Holding, Outcome, TaskId, TaskKey, WorkerMessage};
use proptest::prelude::*;

use crate::yard::{Call, WORKERS, Yard, coordinator};

const TASKS: u128 = 8;

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Act,
    Write(usize),
    Commit(usize),
    Hear(usize),
    Talk(usize),
    Submit(u128, usize),
    Cancel(u128),
    Done(usize, Outcome, usize),
    Cut(usize),
    Stop(usize),
    Writable(usize, bool),
    Say(usize, Vec<UpFrame>),
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..WORKERS;
    let len = prop_oneof![4 => 0..300_usize, 1 => 60_000..200_000_usize];
    let outcome = prop_oneof![
        4 => Just(Outcome::Succeeded),
        1 => any::<bool>().prop_map(|retryable| Outcome::Failed { retryable }),
        1 => Just(Outcome::Cancelled),
    ];
    let said = proptest::collection::vec(frame(), 1..3);
    prop_oneof![
        4 => (0..3_000_u64).prop_map(Step::Pass),
        1 => (10_000..60_000_u64).prop_map(Step::Pass),
        6 => Just(Step::Act),
        6 => (1..6_usize).prop_map(Step::Write),
        6 => (1..4_usize).prop_map(Step::Commit),
        4 => at.clone().prop_map(Step::Hear),
        12 => at.clone().prop_map(Step::Talk),
        5 => (0..TASKS, len.clone()).prop_map(|(task, len)| Step::Submit(task, len)),
        2 => (0..TASKS).prop_map(Step::Cancel),
        4 => (at.clone(), outcome, len).prop_map(|(at, how, len)| Step::Done(at, how, len)),
        2 => at.clone().prop_map(Step::Cut),
        1 => prop::bool::weighted(0.1).prop_flat_map({
            let at = at.clone();
            move |stop| at.clone().prop_map(move |at| if stop { Step::Stop(at) } else { Step::Act })
        }),
        2 => (at.clone(), any::<bool>()).prop_map(|(at, writable)| Step::Writable(at, writable)),
        1 => (at, said).prop_map(|(at, frames)| Step::Say(at, frames)),
    ]
}

/// What a worker might say that has lost its mind, or is another implementation's.
fn frame() -> impl Strategy<Value = UpFrame> {
    let key = (0..TASKS, 0..4_u32)
        .prop_map(|(task, attempt)| TaskKey { task: TaskId(task), attempt: Attempt(attempt) });
    let message = prop_oneof![
        key.clone().prop_map(|key| WorkerMessage::Accept { key }),
        key.clone().prop_map(|key| WorkerMessage::NotHeld { key }),
        key.clone().prop_map(|key| WorkerMessage::Result { key, outcome: Outcome::Succeeded }),
    ];
    let holding = prop_oneof![
        Just(Holding::Running { progress: 5 }),
        Just(Holding::Finished { outcome: Outcome::Succeeded, len: 3 }),
    ];
    let flags = Flags::default();
    let standing =
        Standing { received: Seq(1), credit: Credit { messages: Seq(40), bytes: 1 << 20 } };
    prop_oneof![
        (0..3_u32, key, holding).prop_map(|(index, key, holding)| UpFrame::InventoryItem {
            index,
            key,
            holding
        }),
        (0..3_u32).prop_map(|count| UpFrame::InventoryEnd { count }),
        Just(UpFrame::Active),
        Just(UpFrame::Beat(Beat { seq: 900, flags, free: 1, quiet: true, rtt_micros: 5 })),
        any::<bool>().prop_map(move |c| {
            UpFrame::Ack(Ack { lane: if c { Lane::C } else { Lane::B }, standing })
        }),
        (1..5_u64, message, 0..2_u32).prop_map(|(seq, head, more)| {
            let (seq, body) = (Seq(seq), Bytes::from_static(b"abc"));
            UpFrame::Message(Message { seq, head, body_len: 3 + more, body })
        }),
        (1..5_u64, 0..5_u32).prop_map(|(seq, offset)| {
            UpFrame::Part(Part { seq: Seq(seq), offset, bytes: Bytes::from_static(b"d") })
        }),
        Just(UpFrame::Goodbye { reason: Reason::WorkerStopping }),
    ]
}

fn take(yard: &mut Yard, step: Step) {
    match step {
        Step::Pass(millis) => {
            yard.now = yard.now + Duration::from_millis(millis);
            yard.timeout();
        }
        Step::Act => yard.act(),
        Step::Write(most) => yard.write(most),
        Step::Commit(most) => yard.commit(most),
        Step::Hear(at) => {
            yard.hear(at);
        }
        // Both sides have their say, until neither has more.
        Step::Talk(at) => {
            for _ in 0..8 {
                while yard.hear(at) {}
                yard.act();
                yard.write(8);
            }
        }
        Step::Submit(task, len) => yard.submit(task, len),
        Step::Cancel(task) => yard.cancel(task),
        Step::Done(at, outcome, len) => yard.done(at, outcome, len),
        Step::Cut(at) => yard.cut(at),
        Step::Stop(at) => yard.stop(at),
        Step::Writable(at, writable) => yard.set_writable(at, writable),
        Step::Say(at, frames) => yard.say(at, frames),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// And nothing is kept of what is over: no payload, no result, no message.
    #[test]
    fn a_random_life_keeps_the_laws_and_replays_and_leaves_nothing_behind(
        steps in proptest::collection::vec(step(), 120),
    ) {
        let mut yard = Yard::new();
        for step in steps {
            take(&mut yard, step);
        }
        let mut again = coordinator();
        for call in yard.record.drain(..) {
            match call {
                Call::Handle(now, input) => again.handle(now, input),
                Call::PollAction(action) => prop_assert!(again.poll_action() == action),
                Call::PollTransmit(now, conn, packet) => {
                    prop_assert!(again.poll_transmit(now, conn) == packet);
                }
            }
        }
        prop_assert!(again == yard.node, "L8");
        drop(again);

        yard.abandon(TASKS);
        yard.record.clear();
        prop_assert!(!yard.node.has_outgoing() && !yard.node.awaits_store());
        let kept = yard.bodies.iter().filter(|body| !body.is_empty() && !body.is_unique()).count();
        prop_assert_eq!(kept, 0, "bodies are kept for nothing");
    }
}
