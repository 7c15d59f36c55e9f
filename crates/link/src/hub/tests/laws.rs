//! The laws of every machine, over random walks.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::super::connection::{ConnState, Connection};
use super::walk::{Call, MS, Output, SECOND, Step, Walk, call, config};
use crate::*;

/// 256 walks of 400 to 500 steps: above 100,000 steps for every law in one run.
fn walks() -> (ProptestConfig, impl Strategy<Value = Vec<Step>>) {
    let config =
        ProptestConfig { cases: 256, max_shrink_iters: 2_000, ..ProptestConfig::default() };
    (config, prop::collection::vec(any::<Step>(), 400..500))
}

fn run(test: impl Fn(Vec<Step>)) {
    let (config, strategy) = walks();
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&strategy, |steps| {
        test(steps);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn caches_equal_a_full_scan_after_every_step_and_building_them_anew_changes_nothing() {
    run(|steps| {
        let mut walk = Walk::new();
        for step in steps {
            walk.step(step);
            walk.hub.audit();
            let mut anew = walk.hub.clone();
            anew.index = Default::default();
            anew.reindex();
            anew.audit();
            assert_eq!(anew.next_wake(), walk.hub.next_wake());
            assert_eq!(anew, walk.hub);
        }
    });
}

#[test]
fn l1_now_means_exactly_that_there_is_an_action() {
    run(|steps| {
        let mut walk = Walk::new();
        for step in steps {
            walk.step(step);
            let now = walk.hub.next_wake() == Wake::Now;
            assert_eq!(now, walk.hub.clone().poll_action().is_some());
        }
    });
}

#[test]
fn l2_a_served_deadline_moves_on_with_or_without_a_writable_transport() {
    run(|steps| {
        let mut walk = Walk::new();
        for step in steps {
            walk.step(step);
            let mut hub = walk.hub.clone();
            if step.1.is_multiple_of(2) {
                for conn in walk.peers.iter().map(|peer| peer.conn) {
                    hub.handle(walk.now, HubInput::Unwritable { conn });
                }
            }
            // A driver that does what is said and sleeps exactly as long as it is told.
            let mut now = walk.now;
            for _ in 0..3 {
                while hub.poll_action().is_some() {}
                let deadline = hub.next_wake().deadline().expect("there is always a pulse");
                now = now.max(deadline);
                hub.handle(now, HubInput::Timeout);
                while hub.poll_action().is_some() {}
                let next = hub.next_wake().deadline().expect("there is always a pulse");
                assert!(next > now, "{next:?} is not after {now:?}");
            }
        }
    });
}

#[test]
fn l3_a_drained_hub_polled_again_does_not_change() {
    run(|steps| {
        let mut walk = Walk::new();
        for step in steps {
            walk.step(step);
            let mut hub = walk.hub.clone();
            let conns: Vec<ConnId> = walk.peers.iter().map(|peer| peer.conn).collect();
            loop {
                let mut idle = hub.poll_action().is_none();
                for conn in &conns {
                    for lane in Lane::ALL {
                        idle &= hub.poll_transmit(walk.now, *conn, lane).is_none();
                    }
                }
                if idle {
                    break;
                }
            }
            let drained = hub.clone();
            assert_eq!(hub.poll_action(), None);
            for conn in &conns {
                for lane in Lane::ALL {
                    assert_eq!(hub.poll_transmit(walk.now, *conn, lane), None);
                }
            }
            assert_eq!(hub, drained);
            assert_eq!(hub.next_wake(), drained.next_wake());
        }
    });
}

#[test]
fn l4_an_early_timeout_changes_nothing() {
    run(|steps| {
        let mut walk = Walk::new();
        for step in steps {
            walk.step(step);
            let mut hub = walk.hub.clone();
            while hub.poll_action().is_some() {}
            let deadline = hub.next_wake().deadline().expect("there is always a pulse");
            if deadline > walk.now {
                let before = hub.clone();
                let early = deadline.before(MS).max(walk.now);
                assert_eq!(hub.handle(early, HubInput::Timeout), HubVerdict::Accepted);
                assert_eq!(hub, before);
                assert_eq!(hub.next_wake(), before.next_wake());
            }
        }
    });
}

#[test]
fn l5_and_l8_a_recorded_walk_replays_to_the_same_outputs_also_when_all_is_later() {
    run(|steps| {
        let mut walk = Walk::new();
        let start = walk.now;
        for step in steps {
            walk.step(step);
        }
        for shift in [Duration::ZERO, 12_345_678 * SECOND] {
            let later = |at: Instant| if at == Instant::ZERO { at } else { at + shift };
            let mut hub = Hub::new(config(), Epoch(9), 77 << 32, start + shift);
            for (what, output, wake) in &walk.calls {
                let what = match *what {
                    Call::Handle(now, input) => Call::Handle(now + shift, input),
                    Call::Action => Call::Action,
                    Call::Transmit(now, conn, lane) => Call::Transmit(now + shift, conn, lane),
                };
                let expected = match *output {
                    Output::Action(Some(HubAction::Detached { worker, reason, last_received })) => {
                        let last_received = later(last_received);
                        Output::Action(Some(HubAction::Detached { worker, reason, last_received }))
                    }
                    other @ (Output::Verdict(_) | Output::Action(_) | Output::Transmit(_)) => other,
                };
                assert_eq!(call(&mut hub, what), expected);
                let wake = match *wake {
                    Wake::At { deadline, timer } => Wake::At { deadline: deadline + shift, timer },
                    Wake::Now => Wake::Now,
                    Wake::OnInput => Wake::OnInput,
                };
                assert_eq!(hub.next_wake(), wake);
            }
            if shift.is_zero() {
                assert_eq!(hub, walk.hub);
            }
        }
    });
}

#[test]
fn l6_an_input_for_a_foreign_connection_or_worker_is_stale_and_changes_nothing() {
    run(|steps| {
        let mut walk = Walk::new();
        for step in steps {
            walk.step(step);
            let before = walk.hub.clone();
            // Even after a long freeze: what is stale is not even a sign that the hub was run.
            let now = walk.now + 100 * SECOND;
            let open: Vec<ConnId> = walk.peers.iter().map(|peer| peer.conn).collect();
            let past = (1..).map(ConnId).find(|conn| !open.contains(conn)).expect("endless");
            let worker = WorkerId(99);
            for conn in [past, ConnId(u64::MAX)] {
                let reason = Reason::StreamLost;
                let frame = WorkerFrame::Goodbye { reason };
                for input in [
                    HubInput::Closed { conn, reason },
                    HubInput::Received { conn },
                    HubInput::Frame { conn, frame },
                    HubInput::Violation { conn },
                    HubInput::Writable { conn },
                    HubInput::Unwritable { conn },
                    HubInput::AnswerReady { conn },
                    HubInput::Withdraw { worker, lane: Lane::C, tag: Tag(1) },
                    HubInput::Release { worker, lane: Lane::C, messages: 1, bytes: 1 },
                    HubInput::Believe { worker, free: 1, paused: false },
                    HubInput::Disconnect { worker, reason },
                    HubInput::Lost { worker },
                    HubInput::Forget { worker },
                ] {
                    assert_eq!(walk.hub.handle(now, input), HubVerdict::Stale, "{input:?}");
                }
            }
            // On a connection that is being closed only the transport's word still counts.
            let is_closing =
                |connection: &Connection| matches!(connection.state, ConnState::Closing(_));
            let closing = walk.hub.conns.iter().filter(|(_, connection)| is_closing(connection));
            let closing: Vec<ConnId> = closing.map(|(conn, _)| *conn).collect();
            for conn in closing {
                let frame = WorkerFrame::Active;
                for input in [
                    HubInput::Accepted { conn },
                    HubInput::Received { conn },
                    HubInput::Frame { conn, frame },
                    HubInput::Violation { conn },
                    HubInput::AnswerReady { conn },
                ] {
                    assert_eq!(walk.hub.handle(now, input), HubVerdict::Stale, "{input:?}");
                }
            }
            assert_eq!(walk.hub, before);
            assert_eq!(walk.hub.next_wake(), before.next_wake());
        }
    });
}

/// What the embedder was told of a worker last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Heard {
    Nothing,
    Registered { suspect: bool },
    Active { suspect: bool },
    Detached,
    Departed,
}

impl Heard {
    /// The table of what may follow what. `None` is a transition that must not occur.
    fn after(self, action: &HubAction) -> Option<Self> {
        match (self, action) {
            (_, HubAction::Registered(_)) => Some(Self::Registered { suspect: false }),
            (Self::Registered { suspect }, HubAction::Active { .. }) => {
                Some(Self::Active { suspect })
            }
            (Self::Registered { suspect: was }, HubAction::Suspect { suspect, .. })
                if was != *suspect =>
            {
                Some(Self::Registered { suspect: *suspect })
            }
            (Self::Active { suspect: was }, HubAction::Suspect { suspect, .. })
                if was != *suspect =>
            {
                Some(Self::Active { suspect: *suspect })
            }
            (Self::Registered { .. } | Self::Active { .. }, HubAction::Detached { .. }) => {
                Some(Self::Detached)
            }
            (was, HubAction::Departed { .. }) if was != Self::Departed => Some(Self::Departed),
            (Self::Registered { .. } | Self::Active { .. }, HubAction::Flags { .. }) => Some(self),
            (
                Self::Registered { .. } | Self::Active { .. } | Self::Detached,
                HubAction::Released { .. },
            ) => Some(self),
            (
                Self::Registered { .. } | Self::Active { .. } | Self::Detached,
                HubAction::Flapping { .. },
            ) => Some(self),
            (Self::Nothing | Self::Departed, HubAction::Forgotten { .. }) => Some(Self::Nothing),
            _ => None,
        }
    }
}

fn subject(action: &HubAction) -> Option<WorkerId> {
    match action {
        HubAction::Registered(registration) => Some(registration.worker),
        HubAction::Active { worker, .. }
        | HubAction::Detached { worker, .. }
        | HubAction::Suspect { worker, .. }
        | HubAction::Departed { worker, .. }
        | HubAction::Released { worker, .. }
        | HubAction::Flags { worker, .. }
        | HubAction::Flapping { worker, .. }
        | HubAction::Forgotten { worker } => Some(*worker),
        HubAction::Close { .. }
        | HubAction::Flush { .. }
        | HubAction::Refused { .. }
        | HubAction::Stalled { .. } => None,
    }
}

#[test]
fn l10_of_a_worker_only_what_the_table_allows_is_told_and_each_release_once() {
    run(|steps| {
        let mut walk = Walk::new();
        for step in steps {
            walk.step(step);
        }
        walk.run_until_idle();
        let mut heard = BTreeMap::new();
        let mut queued = BTreeMap::new();
        for (what, output, _) in &walk.calls {
            if let (Call::Handle(_, input), Output::Verdict(HubVerdict::Accepted)) = (what, output)
            {
                if let HubInput::Enqueue { worker, tag, .. } = input {
                    queued.insert(*tag, *worker);
                }
                if let HubInput::Lost { worker } | HubInput::Forget { worker } = input {
                    heard.remove(worker);
                }
            }
            let Output::Action(Some(action)) = output else { continue };
            if let HubAction::Released { tag, worker } = action {
                assert_eq!(queued.remove(tag), Some(*worker), "released what was queued, once");
            }
            let Some(worker) = subject(action) else { continue };
            let was = heard.get(&worker).copied().unwrap_or(Heard::Nothing);
            let now = was.after(action);
            assert!(now.is_some(), "{action:?} after {was:?}");
            heard.extend(now.map(|now| (worker, now)));
        }
    });
}

#[test]
fn silence_detaches_nobody_before_its_time_whatever_else_happens() {
    run(|steps| {
        let mut walk = Walk::new();
        let mut heard: BTreeMap<ConnId, Instant> = BTreeMap::new();
        let mut conn_of: BTreeMap<WorkerId, ConnId> = BTreeMap::new();
        for step in steps {
            let from = walk.calls.len();
            walk.step(step);
            for (what, output, _) in &walk.calls[from..] {
                match (what, output) {
                    (Call::Handle(at, HubInput::Frame { conn, .. }), Output::Verdict(verdict))
                        if *verdict != HubVerdict::Stale =>
                    {
                        heard.insert(*conn, *at);
                    }
                    (_, Output::Action(Some(HubAction::Registered(it)))) => {
                        conn_of.insert(it.worker, it.conn);
                    }
                    (
                        _,
                        Output::Action(Some(HubAction::Detached {
                            worker,
                            reason: Reason::HeartbeatTimeout,
                            last_received,
                        })),
                    ) => {
                        let silence = walk.now.since(heard[&conn_of[worker]]);
                        assert!(silence >= 15 * SECOND, "{worker:?} after {silence:?}");
                        // The hub's own time says the same, without its own stalls.
                        let effective = walk.hub.effective(walk.now).since(*last_received);
                        assert!(effective >= 15 * SECOND, "{worker:?} after {effective:?}");
                    }
                    _ => {}
                }
            }
        }
    });
}

#[test]
fn l9_after_any_walk_a_good_worker_becomes_active_and_nothing_panics() {
    run(|steps| {
        let mut walk = Walk::new();
        for step in steps {
            walk.step(step);
        }
        if walk.stopped {
            return;
        }
        walk.run_until_idle();
        // The network is cut once, and from then on is good; worker 3 has one process.
        walk.peers.clear();
        for conn in (0..=walk.calls.len() as u64).map(ConnId) {
            walk.hub.handle(walk.now, HubInput::Closed { conn, reason: Reason::StreamLost });
        }
        walk.run_until_idle();
        walk.hub.handle(walk.now, HubInput::Forget { worker: WorkerId(3) });
        for holder in [1, 2, 4, 5].map(WorkerId) {
            // Room for it, and its name: the embedder gives up whoever stands in the way.
            walk.hub.handle(walk.now, HubInput::Lost { worker: holder });
            walk.hub.handle(walk.now, HubInput::Forget { worker: holder });
        }
        walk.hub.handle(walk.now, HubInput::Lost { worker: WorkerId(6) });
        walk.run_until_idle();
        // It may have to wait for its turn: then it comes back when that has come, which takes no longer here.
        for _ in 0..3 {
            walk.accept();
            walk.progress(0, 4);
            for _ in 0..12 {
                walk.run_until_idle();
                walk.progress(0, 2);
            }
            if !walk.peers.is_empty() {
                break;
            }
            walk.now = walk.now + 2 * SECOND;
            walk.handle(HubInput::Timeout);
            walk.run_until_idle();
        }
        let presence = walk.hub.worker(walk.now, WorkerId(3)).map(|worker| worker.presence);
        assert!(
            matches!(presence, Some(Presence::Active | Presence::Draining)),
            "{presence:?} of {:?}",
            walk.hub.worker(walk.now, WorkerId(3)),
        );
    });
}

/// A name for what an output shows, as far as walks must show it.
fn kind(output: &Output) -> Option<&'static str> {
    match output {
        Output::Action(Some(action)) => Some(match action {
            HubAction::Close { reason: Reason::HeartbeatTimeout, .. } => "close heartbeat_timeout",
            HubAction::Close { reason: Reason::ProtocolError, .. } => "close protocol_error",
            HubAction::Close { reason: Reason::RegisterTimeout, .. } => "close register_timeout",
            HubAction::Close { reason: Reason::Moved, .. } => "close moved",
            HubAction::Close { reason: Reason::FlowStalled, .. } => "close flow_stalled",
            HubAction::Close { reason: Reason::Superseded, .. } => "close superseded",
            HubAction::Close { reason: Reason::CoordinatorOverloaded, .. } => "close overloaded",
            HubAction::Close { reason: Reason::Forced, .. } => "close forced",
            HubAction::Close { reason: Reason::CoordinatorStopping, .. } => "close stopping",
            HubAction::Close { .. } => "close",
            HubAction::Flush { .. } => "flush",
            HubAction::Registered(Registration { resumed: true, .. }) => "resumed",
            HubAction::Registered(_) => "registered",
            HubAction::Active { .. } => "active",
            HubAction::Detached { .. } => "detached",
            HubAction::Suspect { suspect: true, .. } => "suspect",
            HubAction::Suspect { .. } => "not suspect",
            HubAction::Departed { .. } => "departed",
            HubAction::Refused { reason: Reason::NameConflict, .. } => "refused name_conflict",
            HubAction::Refused { reason: Reason::Superseded, .. } => "refused superseded",
            HubAction::Refused { reason: Reason::RateLimited, .. } => "refused rate_limited",
            HubAction::Refused { .. } => "refused",
            HubAction::Released { .. } => "released",
            HubAction::Flags { .. } => "flags",
            HubAction::Flapping { flapping: Some(_), .. } => "flapping",
            HubAction::Flapping { flapping: None, .. } => "calm",
            HubAction::Forgotten { .. } => "forgotten",
            HubAction::Stalled { .. } => "stalled",
        }),
        Output::Transmit(Some(HubTransmit::Message { .. })) => Some("message out"),
        Output::Transmit(Some(HubTransmit::Frame(frame))) => Some(match frame {
            CoordinatorFrame::InventoryAnswer { .. } => "inventory answer",
            CoordinatorFrame::BeatAnswer(BeatAnswer { beat_interval: Some(_), .. }) => {
                "interval told"
            }
            CoordinatorFrame::BeatAnswer(BeatAnswer { first_window: Some(_), .. }) => "window told",
            CoordinatorFrame::BeatAnswer(_) => "beat answer",
            CoordinatorFrame::Ack(_) => "ack",
            CoordinatorFrame::Probe => "probe",
            CoordinatorFrame::Active => "active out",
            CoordinatorFrame::Welcome(_)
            | CoordinatorFrame::Refused(_)
            | CoordinatorFrame::GoAway(_)
            | CoordinatorFrame::Message(_) => "frame out",
        }),
        Output::Verdict(verdict) => Some(match verdict {
            HubVerdict::Deliver { .. } => "deliver",
            HubVerdict::Duplicate => "duplicate",
            HubVerdict::Withdrawn => "withdrawn",
            HubVerdict::Rejected(EnqueueError::Full { .. }) => "full",
            HubVerdict::Rejected(_) => "rejected",
            HubVerdict::Violation(_) => "violation",
            HubVerdict::Accepted
            | HubVerdict::Item { .. }
            | HubVerdict::InventoryEnd { .. }
            | HubVerdict::Stale => return None,
        }),
        Output::Action(None) | Output::Transmit(None) => None,
    }
}

/// Laws proved over walks that never get anywhere would prove nothing.
#[test]
fn the_walks_reach_everything_that_the_laws_are_about() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (_, strategy) = walks();
    let (mut steps_in_all, mut up, mut crowded, mut held) = (0, 0, 0, 0);
    for _ in 0..256 {
        let tree = strategy.new_tree(&mut runner).expect("nothing is filtered");
        let mut walk = Walk::new();
        for step in tree.current() {
            steps_in_all += 1;
            walk.step(step);
            let works = |it: &WorkerSnapshot| {
                matches!(it.presence, Presence::Active | Presence::Draining | Presence::Suspect)
            };
            let workers = walk.hub.workers(walk.now).filter(works).count();
            up += usize::from(workers > 0);
            crowded += usize::from(workers > 1);
            let is_held = |conn: &Connection| matches!(conn.state, ConnState::Held { .. });
            held += usize::from(walk.hub.conns.values().any(is_held));
        }
        for kind in walk.calls.iter().filter_map(|(_, output, _)| kind(output)) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    assert!(steps_in_all >= 100_000, "{steps_in_all}");
    // Where nobody is there, little can happen.
    let shares = [up, crowded, held].map(|steps| steps * 100 / steps_in_all);
    assert!(shares[0] >= 40 && shares[1] >= 10 && shares[2] >= 1, "{shares:?}");
    let rare: Vec<_> = counts.iter().filter(|(_, count)| **count < 10).collect();
    assert!(rare.is_empty(), "rare: {rare:?}");
    assert_eq!(counts.len(), 43, "{counts:?}");
}
