//! The laws of every machine, on random walks of a link.
//!
//! 300 walks of 400 steps for each law. A walk has garbage from the wire, connections that fail at
//! any point, drivers that poll late, in part or never, and transports that take nothing.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_link::{
    ConnId, CoordinatorFrame, Lane, Link, LinkAction, LinkEvent, LinkInput, LinkTransmit,
    LinkVerdict, Reason, State, Transition, Wake, WorkerFrame,
};
use proptest::prelude::*;
use support::identity;
use support::walk::{Op, Step, Walk, ends_well, ops};

const STEPS: usize = 400;

fn laws() -> ProptestConfig {
    ProptestConfig { cases: 300, max_shrink_iters: 2_000, ..ProptestConfig::default() }
}

/// Walks, and looks at the machine after every step.
fn walk_with(
    choice: u8,
    ops: &[Op],
    mut look: impl FnMut(&Walk) -> Result<(), TestCaseError>,
) -> Result<Walk, TestCaseError> {
    let mut walk = Walk::new(choice, u64::from(choice) * 31 + 5);
    for op in ops {
        walk.step(*op);
        look(&walk)?;
    }
    Ok(walk)
}

proptest! {
    #![proptest_config(laws())]

    #[test]
    fn l1_the_wake_is_now_exactly_when_there_is_an_action(choice: u8, ops in ops(STEPS)) {
        walk_with(choice, &ops, |walk| {
            let now = walk.link.next_wake() == Wake::Now;
            prop_assert_eq!(now, walk.link.clone().poll_action().is_some());
            Ok(())
        })?;
    }

    /// The driver sleeps exactly until `next_wake` and never writes a frame.
    #[test]
    fn l2_after_a_timeout_the_next_deadline_is_later_though_nothing_can_be_written(
        choice: u8, ops in ops(STEPS),
    ) {
        walk_with(choice, &ops, |walk| {
            let (mut link, mut now) = (walk.link.clone(), walk.now);
            for _ in 0..3 {
                while link.poll_action().is_some() {}
                let Wake::At { deadline, .. } = link.next_wake() else { return Ok(()) };
                now = now.max(deadline);
                link.handle(now, LinkInput::Timeout);
                while link.poll_action().is_some() {}
                if let Wake::At { deadline: next, timer } = link.next_wake() {
                    prop_assert!(next > now, "{timer:?} at {next:?}, now {now:?}");
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn l3_a_drained_machine_polled_again_does_not_change(choice: u8, ops in ops(STEPS)) {
        walk_with(choice, &ops, |walk| {
            let mut link = walk.link.clone();
            let conns = 0..=walk.newest + 1;
            for _ in 0..1_000 {
                let acted = link.poll_action().is_some();
                let wrote = conns.clone().any(|conn| {
                    Lane::ALL.iter().any(|lane| link.poll_transmit(walk.now, ConnId(conn), *lane).is_some())
                });
                if !acted && !wrote {
                    let drained = link.clone();
                    prop_assert_eq!(link.poll_action(), None);
                    for conn in conns.clone() {
                        prop_assert!(!link.wants_transmit(ConnId(conn)));
                        prop_assert_eq!(link.poll_transmit(walk.now, ConnId(conn), Lane::C), None);
                    }
                    prop_assert_eq!(link, drained);
                    return Ok(());
                }
            }
            Err(TestCaseError::fail("it never has enough"))
        })?;
    }

    #[test]
    fn l4_an_early_timeout_changes_nothing(choice: u8, ops in ops(STEPS), early in any::<u32>()) {
        walk_with(choice, &ops, |walk| {
            let mut link = walk.link.clone();
            while link.poll_action().is_some() {}
            let now = match link.next_wake() {
                Wake::At { deadline, .. } if deadline > walk.now => {
                    let before = deadline.since(walk.now).as_nanos() * u128::from(early) / (1 << 32);
                    walk.now + Duration::from_nanos(u64::try_from(before).expect("short"))
                }
                Wake::At { .. } => return Ok(()),
                Wake::OnInput => walk.now + Duration::from_secs(u64::from(early)),
                Wake::Now => return Err(TestCaseError::fail("not drained")),
            };
            let before = link.clone();
            prop_assert_eq!(link.handle(now, LinkInput::Timeout), LinkVerdict::Accepted);
            prop_assert_eq!(link, before);
            Ok(())
        })?;
    }

    #[test]
    fn l5_the_same_inputs_later_by_a_constant_give_the_same_outputs(
        choice: u8, ops in ops(STEPS), shift in 0..1_u64 << 55,
    ) {
        let walk = walk_with(choice, &ops, |_| Ok(()))?;
        let shift = Duration::from_nanos(shift);
        let start = Walk::new(choice, 0).now;
        let mut link = Link::new(walk.config, identity(), walk.seed, start + shift);
        replay(&mut link, &walk.steps, shift)?;
        let (was, is) = (walk.link.next_wake(), link.next_wake());
        prop_assert_eq!(was.deadline().map(|deadline| deadline + shift), is.deadline());
        prop_assert_eq!(walk.link.state(), link.state());
    }

    #[test]
    fn l6_an_input_that_quotes_a_foreign_or_old_connection_is_stale_and_changes_nothing(
        choice: u8, ops in ops(STEPS),
    ) {
        let (mut dialling, mut open) = (Vec::new(), Vec::new());
        let mut seen = 0;
        walk_with(choice, &ops, |walk| {
            // What the driver knows: this machine's own words and what it answered to them.
            for step in &walk.steps[seen..] {
                match step {
                    Step::Acted(Some(LinkAction::Dial { conn, .. })) => dialling.push(*conn),
                    Step::Acted(Some(LinkAction::Close { conn, .. })) => {
                        dialling.retain(|c| c != conn);
                        open.retain(|c| c != conn);
                    }
                    Step::Handled(_, LinkInput::Opened { conn }, LinkVerdict::Accepted) => {
                        dialling.retain(|c| c != conn);
                        open.push(*conn);
                    }
                    Step::Handled(
                        _,
                        LinkInput::DialFailed { conn, .. } | LinkInput::Closed { conn, .. },
                        LinkVerdict::Accepted,
                    ) => {
                        dialling.retain(|c| c != conn);
                        open.retain(|c| c != conn);
                    }
                    Step::Handled(..) | Step::Acted(_) | Step::Wrote(..) => {}
                }
            }
            seen = walk.steps.len();
            let mut link = walk.link.clone();
            let late = walk.now + Duration::from_secs(7);
            for conn in (0..=walk.newest + 3).chain([u64::MAX]).map(ConnId) {
                let reason = Reason::Superseded;
                let foreign_dial = !dialling.contains(&conn);
                let foreign = foreign_dial && !open.contains(&conn);
                let frame = CoordinatorFrame::Active;
                for (stale, input) in [
                    (foreign_dial, LinkInput::Opened { conn }),
                    (foreign_dial, LinkInput::DialFailed { conn, reason }),
                    (foreign, LinkInput::Closed { conn, reason }),
                    (!open.contains(&conn), LinkInput::Received { conn }),
                    (!open.contains(&conn), LinkInput::Frame { conn, frame }),
                    (!open.contains(&conn), LinkInput::Violation { conn }),
                ] {
                    if stale {
                        prop_assert_eq!(link.handle(late, input), LinkVerdict::Stale);
                    }
                }
            }
            prop_assert_eq!(&link, &walk.link);
            Ok(())
        })?;
    }

    #[test]
    fn l8_a_recorded_walk_replays_to_an_equal_state_and_equal_outputs(
        choice: u8, ops in ops(STEPS),
    ) {
        let walk = walk_with(choice, &ops, |_| Ok(()))?;
        let mut link = Link::new(walk.config, identity(), walk.seed, Walk::new(choice, 0).now);
        replay(&mut link, &walk.steps, Duration::ZERO)?;
        prop_assert_eq!(link, walk.link);
    }

    /// No input panics, and with a good coordinator and network every state ends well.
    #[test]
    fn l9_every_state_reaches_active_again_or_has_ended(choice: u8, ops in ops(STEPS)) {
        let mut step = 0;
        walk_with(choice, &ops, |walk| {
            step += 1;
            if step % 40 == 39 { ends_well(walk) } else { Ok(()) }
        })?;
    }

    #[test]
    fn l10_only_transitions_of_the_table_occur_and_none_is_missed(choice: u8, ops in ops(STEPS)) {
        let mut walk = Walk::new(choice, 77);
        walk.tidy = true;
        let (mut state, mut seen) = (State::Disconnected, 0);
        for op in ops {
            walk.step(op);
            for step in &walk.steps[seen..] {
                let Step::Acted(Some(LinkAction::Announce(Transition { from, to, .. }))) = step else {
                    continue;
                };
                prop_assert_eq!(*from, state, "one was not told");
                let allowed = LinkEvent::ALL.iter().any(|event| from.after(*event) == Some(*to));
                prop_assert!(allowed, "{from:?} to {to:?}");
                state = *to;
            }
            seen = walk.steps.len();
            prop_assert_eq!(state, walk.link.state());
        }
    }

    /// Also a driver that polls rarely hears of every change: told together, but without a gap.
    #[test]
    fn the_chain_of_announced_states_never_breaks(choice: u8, ops in ops(STEPS)) {
        let (mut state, mut seen) = (State::Disconnected, 0);
        let walk = walk_with(choice, &ops, |walk| {
            for step in &walk.steps[seen..] {
                if let Step::Acted(Some(LinkAction::Announce(transition))) = step {
                    prop_assert_eq!(transition.from, state);
                    state = transition.to;
                }
            }
            seen = walk.steps.len();
            Ok(())
        })?;
        let mut link = walk.link;
        while let Some(action) = link.poll_action() {
            if let LinkAction::Announce(transition) = action {
                prop_assert_eq!(transition.from, state);
                state = transition.to;
            }
        }
        prop_assert_eq!(state, link.state());
    }
}

fn replay(link: &mut Link, steps: &[Step], shift: Duration) -> Result<(), TestCaseError> {
    for step in steps {
        match step {
            Step::Handled(now, input, verdict) => {
                prop_assert_eq!(link.handle(*now + shift, *input), *verdict);
            }
            Step::Acted(action) => prop_assert_eq!(link.poll_action(), *action),
            Step::Wrote(now, conn, lane, transmit) => {
                prop_assert_eq!(link.poll_transmit(*now + shift, *conn, *lane), *transmit);
            }
        }
    }
    Ok(())
}

/// Laws proved over walks that never get anywhere would prove nothing.
#[test]
fn walks_get_everywhere() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut visits, mut changes) = (BTreeMap::new(), BTreeMap::new());
    let (mut missed, mut verdicts) = (BTreeMap::new(), BTreeMap::new());
    let mut reasons = std::collections::BTreeSet::new();
    let (mut moving, mut lost_candidates, mut resumed) = (0, 0, 0);
    let (mut stalled, mut handed_back, mut goodbyes, mut expired) = (0, 0, 0, 0);
    let (mut suspicions, mut intervals, mut degraded, mut figures) = (0, 0, 0, 0);
    for choice in 0..laws().cases {
        let ops = ops(STEPS).new_tree(&mut runner).expect("a walk").current();
        let mut walk = Walk::new(u8::try_from(choice % 256).expect("small"), 1);
        for op in ops {
            walk.step(op);
            let now = walk.link.snapshot();
            *visits.entry(now.state).or_insert(0) += 1;
            *missed.entry(now.missed).or_insert(0) += 1;
            reasons.extend(now.reason);
            let up = matches!(now.state, State::Registered | State::Active);
            moving += u32::from(up && now.conn.is_none());
        }
        for step in &walk.steps {
            match step {
                Step::Handled(_, _, verdict) => {
                    let verdict = match verdict {
                        LinkVerdict::Accepted => "accepted",
                        LinkVerdict::Deliver => "deliver",
                        LinkVerdict::Duplicate => "duplicate",
                        LinkVerdict::Answer => "answer",
                        LinkVerdict::Stale => "stale",
                        LinkVerdict::Later { .. } => "later",
                        LinkVerdict::Rejected(_) => "rejected",
                        LinkVerdict::Violation(_) => "violation",
                    };
                    *verdicts.entry(verdict).or_insert(0) += 1;
                }
                Step::Acted(Some(action)) => match action {
                    LinkAction::Announce(Transition { from, to, .. }) => {
                        *changes.entry((*from, *to)).or_insert(0) += 1;
                    }
                    LinkAction::TakeInventory { resumed: true, .. } => resumed += 1,
                    LinkAction::CandidateLost { .. } => lost_candidates += 1,
                    LinkAction::Stalled { .. } => stalled += 1,
                    LinkAction::HandBack => handed_back += 1,
                    LinkAction::LeasesExpired => expired += 1,
                    LinkAction::Suspicion { .. } => suspicions += 1,
                    LinkAction::Interval { .. } => intervals += 1,
                    LinkAction::Degraded(_) => degraded += 1,
                    LinkAction::TakeInventory { resumed: false, .. }
                    | LinkAction::Dial { .. }
                    | LinkAction::Close { .. }
                    | LinkAction::Released { .. }
                    | LinkAction::BeatMissed { .. }
                    | LinkAction::BeatRecovered => {}
                },
                Step::Wrote(_, _, _, Some(LinkTransmit::Frame(WorkerFrame::Goodbye { .. }))) => {
                    goodbyes += 1;
                }
                Step::Wrote(_, _, _, Some(LinkTransmit::Frame(WorkerFrame::Statistics(_)))) => {
                    figures += 1;
                }
                Step::Acted(None) | Step::Wrote(..) => {}
            }
        }
    }
    let rare = [moving, lost_candidates, resumed, stalled, handed_back, goodbyes, expired];
    let names = "moving, candidates lost, resumed, stalled, handed back, goodbyes, expired";
    let told = [suspicions, intervals, degraded, figures];
    assert!(
        told.iter().all(|seen| *seen >= 10),
        "suspicions, intervals, degraded, figures: {told:?}"
    );
    let steps: i32 = visits.values().sum();
    assert!(steps >= 100_000, "{steps}");
    // Up, where most can happen, for a good part of the way; but everywhere.
    let share = |state| visits[&state] * 100 / steps;
    assert!(share(State::Active) >= 20 && share(State::Registered) >= 5, "{visits:?}");
    assert!(State::ALL.iter().all(|state| share(*state) >= 3), "{visits:?}");
    let can = |from: State, to| LinkEvent::ALL.iter().any(|event| from.after(*event) == Some(to));
    for from in State::ALL {
        for to in State::ALL.iter().filter(|to| can(*from, **to)) {
            let seen = changes.get(&(*from, *to)).copied().unwrap_or(0);
            assert!(seen >= 4, "{from:?} to {to:?} {seen} times: {changes:?}");
        }
    }
    assert!((0..3).all(|k| missed.get(&k).is_some_and(|seen| *seen >= 300)), "{missed:?}");
    assert!(verdicts.len() == 8 && verdicts.values().all(|seen| *seen >= 10), "{verdicts:?}");
    assert!(reasons.len() >= 30, "{}: {reasons:?}", reasons.len());
    assert!(rare.iter().all(|seen| *seen >= 10), "{names}: {rare:?}");
}
