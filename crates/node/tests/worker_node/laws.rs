//! Random lives of a worker node. The rig checks L1 to L4 after every step.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::*;
use moorline_node::*;
use moorline_work::{Judgement, Outcome, RunId};
use proptest::prelude::*;

use crate::script::{Call, Rig, SECOND, config, key, name, pattern};

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Exchange,
    OnePacket,
    Open,
    Welcome(bool),
    Cut,
    Assign(u128, u32, usize),
    Done(usize, bool, usize),
    Settle(usize),
    Cancel(usize),
    Revoke(u128),
    Judge(u128, Judgement),
    Silence(bool),
    HoldAcks(bool),
    Garbage(u8),
    Input(WorkerInput),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![4 => 0..200_usize, 1 => 60_000..200_000_usize];
    let judgement = prop_oneof![
        Just(Judgement::Continue),
        Just(Judgement::Send),
        Just(Judgement::Cancel),
        Just(Judgement::Unknown),
        (1..4_u32).prop_map(|n| Judgement::Adopt { attempt: moorline_work::Attempt(n) }),
    ];
    prop_oneof![
        4 => (0..4_000_u64).prop_map(Step::Pass),
        6 => Just(Step::Exchange),
        3 => Just(Step::OnePacket),
        6 => Just(Step::Open),
        6 => any::<bool>().prop_map(Step::Welcome),
        1 => Just(Step::Cut),
        5 => (0..6_u128, 1..3_u32, size.clone()).prop_map(|(t, a, n)| Step::Assign(t, a, n)),
        4 => (0..8_usize, any::<bool>(), size).prop_map(|(r, ok, n)| Step::Done(r, ok, n)),
        3 => (0..8_usize).prop_map(Step::Settle),
        1 => (0..8_usize).prop_map(Step::Cancel),
        1 => (0..6_u128).prop_map(Step::Revoke),
        1 => (0..6_u128, judgement).prop_map(|(t, j)| Step::Judge(t, j)),
        1 => prop::bool::weighted(0.2).prop_map(Step::Silence),
        1 => any::<bool>().prop_map(Step::HoldAcks),
        1 => (0..4_u8).prop_map(Step::Garbage),
        1 => prop_oneof![
            4 => Just(WorkerInput::Timeout),
            2 => Just(WorkerInput::Kick(Kick::Network)),
            2 => Just(WorkerInput::Reconnect),
            2 => Just(WorkerInput::Restart),
            1 => Just(WorkerInput::Stop { within: 30 * SECOND }),
        ].prop_map(Step::Input),
    ]
}

fn take(rig: &mut Rig, step: Step) {
    let state = rig.node.state();
    let work = state == State::Active && rig.conn.is_some();
    let runs: Vec<_> = rig.node.runs().collect();
    let nth = |nth: usize| (!runs.is_empty()).then(|| runs[nth % runs.len()]);
    match step {
        Step::Pass(millis) => {
            rig.now = rig.now + Duration::from_millis(millis);
            rig.input(WorkerInput::Timeout);
        }
        Step::Exchange if state != State::Connecting => rig.exchange(),
        Step::OnePacket if state != State::Connecting => {
            if let Some(packet) = rig.packet() {
                rig.deliver(packet);
            }
            rig.act();
        }
        Step::Open => {
            if state == State::Disconnected
                && let Some(deadline) = rig.node.next_wake().deadline()
            {
                rig.now = rig.now.max(deadline);
                rig.input(WorkerInput::Timeout);
            }
            if let Some(conn) = rig.dialling.take() {
                rig.conn = Some(conn);
                rig.input(WorkerInput::Opened { conn });
                assert!(rig.packet().is_some(), "the Hello");
            }
        }
        Step::Welcome(resumed) if state == State::Connecting && rig.conn.is_some() => {
            let resumed = resumed && rig.node.link().session.is_some();
            rig.welcome(resumed);
        }
        Step::Cut if rig.conn.is_some() => rig.cut(),
        Step::Assign(task, attempt, len) if work => {
            let handler = name(if task == 5 { "other" } else { "hash" });
            let timeout = (task == 4).then_some(2 * SECOND);
            rig.say(ToWorker::Assign { key: key(task, attempt), handler, timeout }, pattern(len));
        }
        Step::Done(run, success, len) => {
            let run = nth(run).map_or(RunId(0), |run| run.run);
            let outcome =
                if success { Outcome::Succeeded } else { Outcome::Failed { retryable: true } };
            rig.input(WorkerInput::Done { run, outcome, body: pattern(len) });
        }
        Step::Settle(run) if work => {
            if let Some(run) = nth(run) {
                rig.settle(run.key);
            }
        }
        Step::Cancel(run) if work => {
            if let Some(run) = nth(run) {
                rig.say(ToWorker::Cancel { key: run.key }, Bytes::new());
            }
        }
        Step::Revoke(task) if work => rig.say(ToWorker::Revoke { key: key(task, 1) }, Bytes::new()),
        Step::Judge(task, judgement) => {
            rig.script.judgements.insert(key(task, 1), judgement);
        }
        Step::Silence(silent) => rig.script.ignores_beats = silent,
        Step::HoldAcks(hold) => rig.script.withholds_acks = hold,
        Step::Garbage(kind) => {
            if let Some(conn) = rig.conn {
                let seq = Seq(1);
                let frame = match kind {
                    0 => DownFrame::Part(Part { seq, offset: 3, bytes: pattern(3) }),
                    1 => DownFrame::InventoryAnswer {
                        index: 7,
                        key: key(1, 1),
                        judgement: Judgement::Send,
                    },
                    2 => DownFrame::Active,
                    _ => {
                        rig.input(WorkerInput::Undecodable { conn });
                        return;
                    }
                };
                rig.input(WorkerInput::Packet { conn, frames: vec![frame] });
            }
        }
        Step::Input(input) => {
            rig.input(input);
        }
        Step::Exchange
        | Step::OnePacket
        | Step::Welcome(_)
        | Step::Cut
        | Step::Assign(..)
        | Step::Settle(_)
        | Step::Cancel(_)
        | Step::Revoke(_) => {}
    }
}

/// Repeats what was recorded and compares all that comes out.
fn replay(rig: &Rig) -> WorkerNode {
    let mut node = WorkerNode::new(config(), Instant::ZERO + SECOND).expect("a good config");
    for call in &rig.record {
        match call {
            Call::Handle(now, input, verdict) => {
                assert_eq!(node.handle(*now, input.clone()), *verdict);
            }
            Call::PollAction(action) => assert_eq!(node.poll_action(), *action),
            Call::PollTransmit(now, conn, packet) => {
                assert!(node.poll_transmit(*now, *conn) == *packet);
            }
        }
    }
    node
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_random_life_keeps_the_laws_and_replays(steps in proptest::collection::vec(step(), 100)) {
        let mut rig = Rig::new(config());
        for step in steps {
            take(&mut rig, step);
        }
        prop_assert!(replay(&rig) == rig.node);
    }

    /// Whatever happened: with a good coordinator all that is held ends up answered.
    #[test]
    fn after_any_life_everything_is_settled_in_the_end(steps in proptest::collection::vec(step(), 80)) {
        let mut rig = Rig::new(config());
        for step in steps {
            if matches!(step, Step::Input(WorkerInput::Stop { .. })) { continue; }
            take(&mut rig, step);
        }
        rig.script.ignores_beats = false;
        rig.script.withholds_acks = false;
        rig.script.judgements.clear();
        if rig.conn.is_some() {
            rig.cut();
        }
        rig.connect(false);
        prop_assert_eq!(rig.node.state(), State::Active);
        for run in rig.node.clone().runs().filter(|run| run.phase.uses_slot()) {
            rig.done(run.run, pattern(70_000));
        }
        rig.exchange();
        let held: Vec<_> = rig.node.runs().map(|run| run.key).collect();
        for key in held {
            rig.settle(key);
        }
        rig.exchange();
        prop_assert!(!rig.node.owes());
        prop_assert_eq!(rig.node.free(), 4);
    }
}
