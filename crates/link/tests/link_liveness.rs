//! Heartbeats: when they are sent, what an answer means, how a dead or deaf peer is found.

mod support;

use std::time::Duration;

use moorline_link::{
    Beat, BeatAnswer, CoordinatorFrame, Epoch, Flags, Heartbeat, Instant, Kick, Link, LinkAction,
    LinkConfig, LinkInput, LinkTransmit, LinkVerdict, Reason, State, Violation, WorkerFrame,
    WorkerId,
};
use support::{Bench, MS, SECOND, agrees, identity};

/// An active link that just had a beat answered, so that the next one is 5 s away.
fn after_a_beat() -> Bench {
    let mut bench = Bench::active(LinkConfig::default());
    let before = bench.beats().len();
    bench.until(|bench| bench.beats().len() > before);
    bench.forget();
    bench
}

fn recovered(bench: &Bench) -> bool {
    bench.actions.iter().any(|(_, action)| *action == LinkAction::BeatRecovered)
}

#[test]
fn beats_are_sent_every_assigned_interval_also_when_the_coordinator_says_a_lot() {
    let mut bench = after_a_beat();
    let start = bench.ms();
    for _ in 0..40 {
        bench.pass(500 * MS);
        let conn = bench.conn();
        bench.input(LinkInput::Received { conn });
    }
    let since: Vec<u64> = bench.beats().iter().map(|at| at - start).collect();
    assert_eq!(since, [5_000, 10_000, 15_000, 20_000]);
}

#[test]
fn an_assigned_interval_is_clamped_to_local_bounds() {
    for (assigned, kept) in [(Duration::ZERO, 1), (3 * SECOND, 3), (Duration::MAX, 15)] {
        let mut bench = Bench::new(LinkConfig::default());
        bench.coordinator.interval = assigned;
        bench.until_active();
        assert_eq!(bench.link.snapshot().beat_interval, kept * SECOND);
    }
}

#[test]
fn the_first_beats_of_workers_are_spread_over_the_interval() {
    let mut phases = Vec::new();
    for id in 0..100u64 {
        let mut who = identity();
        who.worker = WorkerId(u128::from(id));
        let mut bench = Bench::new(LinkConfig::default());
        bench.link = Link::new(LinkConfig::default(), who, 11, Instant::ZERO);
        bench.until_active();
        let active = bench.now;
        bench.until(|bench| !bench.beats().is_empty());
        phases.push(bench.now.since(active));
    }
    phases.sort_unstable();
    assert!(phases[10] < SECOND && phases[90] > 4 * SECOND && phases[99] <= 5 * SECOND);
    assert!(phases[50].abs_diff(2_500 * MS) < SECOND, "median {:?}", phases[50]);
}

#[test]
fn a_frozen_coordinator_is_noticed_as_one_two_three_of_three_within_the_documented_time() {
    let mut bench = after_a_beat();
    let frozen = bench.ms();
    bench.coordinator.answers_beats = false;
    bench.pass(15 * SECOND);
    let missed: Vec<(u64, String)> =
        bench.missed().into_iter().map(|(at, what)| (at - frozen, what)).collect();
    // The answers are due 1 s after each beat; before the third, silence is proven by a probe.
    assert_eq!(
        missed,
        [
            (6_000, "1/3 heartbeat_unacked".into()),
            (11_000, "2/3 heartbeat_unacked".into()),
            (12_328, "3/3 heartbeat_timeout".into()),
        ]
    );
    assert_eq!(bench.path()[0], "Disconnected: heartbeat_timeout");
}

#[test]
fn a_peer_that_sends_but_never_answers_is_given_up_after_three_beats() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    let start = bench.ms();
    while bench.link.state() == State::Active {
        bench.pass(SECOND);
        if bench.link.state() == State::Active {
            let conn = bench.conn();
            bench.input(LinkInput::Received { conn });
        }
    }
    let missed = bench.missed();
    assert_eq!(missed.len(), 3);
    assert_eq!(missed[2], (start + 16_000, "3/3 heartbeat_unacked".into()));
    assert_eq!(bench.path()[0], "Disconnected: heartbeat_unacked");
}

#[test]
fn with_an_interval_shorter_than_the_answer_deadline_every_beat_still_counts() {
    let heartbeat = Heartbeat::new(50 * MS, 150 * MS).expect("in bounds");
    let mut bench = Bench::new(LinkConfig { heartbeat, ..LinkConfig::default() });
    bench.coordinator.interval = 50 * MS;
    bench.until_active();
    bench.until(|bench| bench.beats().len() == 2);
    bench.forget();
    bench.coordinator.answers_beats = false;
    let start = bench.ms();
    bench.pass(140 * MS);
    let conn = bench.conn();
    bench.input(LinkInput::Received { conn });
    bench.pass(200 * MS);
    let missed: Vec<(u64, String)> =
        bench.missed().into_iter().map(|(at, what)| (at - start, what)).collect();
    assert_eq!(missed[0], (100, "1/3 heartbeat_unacked".into()));
    assert_eq!(missed[1], (150, "2/3 heartbeat_unacked".into()));
    assert_eq!(missed[2], (200, "3/3 heartbeat_unacked".into()));
}

#[test]
fn a_beat_that_was_written_late_is_judged_when_the_next_one_is_due() {
    let heartbeat = Heartbeat::new(50 * MS, 150 * MS).expect("in bounds");
    let mut bench = Bench::new(LinkConfig { heartbeat, ..LinkConfig::default() });
    bench.coordinator.interval = 50 * MS;
    bench.until_active();
    bench.until(|bench| bench.beats().len() == 2);
    bench.coordinator.answers_beats = false;
    let start = bench.ms();
    bench.writable = false;
    bench.pass(70 * MS);
    bench.writable = true;
    // 20 ms late, and so is the end of its own deadline.
    bench.drain();
    bench.pass(60 * MS);
    let conn = bench.conn();
    bench.input(LinkInput::Received { conn });
    bench.pass(40 * MS);
    let missed: Vec<u64> = bench.missed().into_iter().map(|(at, _)| at - start).collect();
    assert_eq!(missed, [100, 150]);
}

#[test]
fn two_misses_and_an_answer_do_not_disconnect_and_the_count_begins_again() {
    let mut bench = after_a_beat();
    for _ in 0..3 {
        bench.coordinator.answers_beats = false;
        bench.until(|bench| bench.link.snapshot().missed == 2);
        let beat = bench.last_beat();
        bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &beat)));
        assert_eq!(bench.link.snapshot().missed, 0);
        assert!(recovered(&bench));
        bench.forget();
    }
    assert_eq!(bench.link.state(), State::Active);
}

#[test]
fn a_late_answer_to_an_older_beat_counts_and_gives_its_own_round_trip() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    bench.until(|bench| bench.link.snapshot().missed == 1);
    let late = bench.last_beat();
    bench.until(|bench| bench.beats().len() == 2);
    bench.pass(500 * MS);
    bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &late)));
    let snapshot = bench.link.snapshot();
    assert_eq!((snapshot.missed, snapshot.rtt), (0, Some(5_500 * MS)));
    assert!(recovered(&bench));
    // The same answer again is life, but no news.
    assert_eq!(
        bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &late))),
        LinkVerdict::Accepted
    );
    // The newer beat is still to be answered.
    bench.pass(5 * SECOND);
    assert_eq!(bench.link.snapshot().missed, 1);
}

#[test]
fn what_is_told_anew_of_the_fleet_counts_from_then_on() {
    let mut bench = Bench::new(LinkConfig::default());
    bench.coordinator.first_window = Some(Duration::ZERO);
    bench.until_active();
    bench.coordinator.retells = (Some(Duration::from_secs(1 << 30)), Some(10 * SECOND));
    bench.pass(5 * SECOND + MS);
    bench.coordinator.retells = (None, None);
    bench.pass(11 * SECOND);
    bench.forget();
    bench.pass(60 * SECOND);
    let beats = bench.beats();
    assert_eq!(beats.len(), 6, "{beats:?}");
    assert!(beats.windows(2).all(|two| two[1] - two[0] == 10_000), "{beats:?}");
    assert_eq!(bench.missed(), []);
    assert_eq!(bench.link.state(), State::Active);
    // Beyond what we allow it is as long as we allow.
    bench.coordinator.retells = (None, Some(Duration::from_secs(1 << 30)));
    bench.pass(60 * SECOND);
    assert_eq!(bench.link.snapshot().beat_interval, 15 * SECOND);
    bench.cut(Reason::TransportReset);
    let wait = bench.link.snapshot().delay.expect("waiting");
    assert!(wait > SECOND && wait <= 600 * SECOND, "{wait:?}");
}

/// The coordinator tells a changed interval with one answer, and believes from then on that it is kept.
#[test]
fn what_is_told_once_counts_also_with_an_answer_to_a_beat_that_was_forgotten() {
    let heartbeat = LinkConfig::default().heartbeat.with_misses(20).expect("in bounds");
    let mut bench = Bench::active(LinkConfig { heartbeat, ..LinkConfig::default() });
    let before = bench.beats().len();
    bench.until(|bench| bench.beats().len() > before);
    bench.coordinator.answers_beats = false;
    bench.until(|bench| bench.beats().len() == before + 2);
    let late = bench.last_beat();
    while bench.beats().len() < before + 15 {
        bench.pass(SECOND);
        let conn = bench.conn();
        bench.input(LinkInput::Received { conn });
    }
    let told = |interval| BeatAnswer { beat_interval: Some(interval), ..agrees(Epoch(1), &late) };
    let missed = bench.link.snapshot().missed;
    bench.frame(CoordinatorFrame::BeatAnswer(told(7 * SECOND)));
    let snapshot = bench.link.snapshot();
    assert_eq!(snapshot.beat_interval, 7 * SECOND);
    assert_eq!(snapshot.missed, missed, "too late to say anything about the path");
    // What comes once more is not told again.
    bench.frame(CoordinatorFrame::BeatAnswer(told(9 * SECOND)));
    assert_eq!(bench.link.snapshot().beat_interval, 7 * SECOND);
}

#[test]
fn an_answer_to_a_beat_that_was_never_sent_is_a_violation() {
    let mut bench = after_a_beat();
    bench.until(|bench| !bench.beats().is_empty());
    let ahead = Beat { seq: bench.last_beat().seq + 1, ..bench.last_beat() };
    let verdict = bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &ahead)));
    assert_eq!(verdict, LinkVerdict::Violation(Violation::OutOfPlace));
    assert_eq!(bench.path()[0], "Disconnected: protocol_error");
}

#[test]
fn a_beat_that_cannot_be_written_is_missed_too_and_says_why() {
    let mut bench = after_a_beat();
    bench.writable = false;
    let start = bench.ms();
    while bench.link.state() == State::Active {
        bench.pass(SECOND);
        if bench.link.state() == State::Active {
            let conn = bench.conn();
            bench.input(LinkInput::Received { conn });
        }
    }
    let missed: Vec<String> = bench.missed().into_iter().map(|(_, what)| what).collect();
    assert_eq!(missed, ["1/3 flow_stalled", "2/3 flow_stalled", "3/3 flow_stalled"]);
    assert!(bench.ms() - start <= 16_000);
    assert_eq!(bench.path()[0], "Disconnected: flow_stalled");
}

#[test]
fn the_answer_deadline_follows_the_round_trips_but_never_exceeds_the_interval() {
    let mut bench = after_a_beat();
    // Round trips of 600 ms: four times that is 2.4 s.
    for _ in 0..3 {
        bench.coordinator.answers_beats = false;
        let before = bench.beats().len();
        bench.until(|bench| bench.beats().len() > before);
        bench.pass(600 * MS);
        let beat = bench.last_beat();
        bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &beat)));
    }
    bench.forget();
    bench.until(|bench| bench.link.snapshot().missed == 1);
    assert_eq!(bench.ms() - bench.beats()[0], 2_400);
}

#[test]
fn a_session_the_coordinator_does_not_know_is_registered_again() {
    let mut bench = after_a_beat();
    bench.coordinator.known = false;
    bench.pass(5 * SECOND);
    assert_eq!(bench.path()[0], "Disconnected: session_unknown");
    bench.coordinator.known = true;
    bench.until_active();
}

#[test]
fn a_restart_faster_than_the_detector_is_noticed_by_the_epoch() {
    let mut bench = after_a_beat();
    bench.coordinator.epoch = Epoch(2);
    bench.pass(5 * SECOND);
    assert_eq!(bench.path()[0], "Disconnected: coordinator_restarted");
}

#[test]
fn three_beats_in_a_row_that_disagree_about_free_slots_are_out_of_step() {
    let mut bench = after_a_beat();
    bench.input(LinkInput::Report { free: 2, paused: false, owes: false });
    bench.coordinator.free = Some(0);
    bench.pass(10 * SECOND);
    bench.coordinator.free = None;
    bench.pass(5 * SECOND);
    assert_eq!(bench.link.state(), State::Active, "two and then none");
    assert!(recovered(&bench));
    bench.forget();
    bench.coordinator.free = Some(0);
    bench.pass(15 * SECOND);
    let missed: Vec<String> = bench.missed().into_iter().map(|(_, what)| what).collect();
    assert_eq!(missed, ["1/3 out_of_step", "2/3 out_of_step", "3/3 out_of_step"]);
    assert_eq!(bench.path()[0], "Disconnected: out_of_step");
}

#[test]
fn free_slots_are_compared_only_when_both_sides_are_quiet_but_flags_always() {
    for (quiet, flags, state) in [
        (false, Flags { active: true, ..Flags::default() }, State::Active),
        (false, Flags { active: true, paused: true, ..Flags::default() }, State::Disconnected),
        (false, Flags::default(), State::Disconnected),
    ] {
        let mut bench = after_a_beat();
        bench.coordinator.answers_beats = false;
        for _ in 0..3 {
            let before = bench.beats().len();
            bench.until(|bench| bench.beats().len() > before);
            let beat = bench.last_beat();
            let differs =
                BeatAnswer { quiet, flags, free: beat.free + 1, ..agrees(Epoch(1), &beat) };
            bench.frame(CoordinatorFrame::BeatAnswer(differs));
        }
        assert_eq!(bench.link.state(), state, "{quiet} {flags:?}");
    }
}

#[test]
fn a_probe_of_the_coordinator_is_answered_with_a_beat_at_once() {
    let mut bench = after_a_beat();
    bench.pass(SECOND);
    let at = bench.ms();
    assert_eq!(bench.frame(CoordinatorFrame::Probe), LinkVerdict::Accepted);
    assert_eq!(bench.beats(), [at]);
}

#[test]
fn a_changed_network_is_probed_by_a_beat_while_connected() {
    let mut bench = after_a_beat();
    let at = bench.ms();
    bench.input(LinkInput::Kick(Kick::Network));
    assert_eq!(bench.beats(), [at]);
    bench.input(LinkInput::Kick(Kick::Operator));
    assert_eq!(bench.beats(), [at], "an operator's kick has nothing to hurry");
}

#[test]
fn after_a_suspend_the_peer_is_probed_at_once_and_not_blamed_for_the_sleep() {
    let mut bench = after_a_beat();
    bench.freeze(Duration::from_secs(4 * 3_600));
    bench.input(LinkInput::Timeout);
    let stalled = bench.actions.iter().find_map(|(_, action)| {
        if let LinkAction::Stalled { late } = action { Some(*late) } else { None }
    });
    assert_eq!(stalled, Some(Duration::from_secs(4 * 3_600) - 5 * SECOND));
    assert_eq!(bench.beats(), [bench.ms()]);
    bench.pass(60 * SECOND);
    assert_eq!(bench.link.state(), State::Active);
    assert_eq!(bench.missed(), []);
}

#[test]
fn after_a_suspend_a_dead_connection_is_found_within_the_short_deadline() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    bench.freeze(100 * SECOND);
    let woken = bench.ms();
    bench.input(LinkInput::Timeout);
    bench.until(|bench| bench.link.state() != State::Active);
    assert_eq!(bench.path()[0], "Disconnected: suspended");
    assert_eq!(bench.ms() - woken, 1_000);
}

#[test]
fn an_answer_to_a_beat_from_before_the_sleep_does_not_satisfy_the_probe() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    bench.until(|bench| !bench.beats().is_empty());
    let old = bench.last_beat();
    bench.freeze(100 * SECOND);
    bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &old)));
    bench.until(|bench| bench.link.state() != State::Active);
    assert_eq!(bench.path()[0], "Disconnected: suspended");
}

#[test]
fn what_was_due_during_a_stall_waits_for_the_probe() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    bench.until(|bench| bench.link.snapshot().missed == 2);
    // The third beat has just left; its answer comes in time, but nobody reads it.
    bench.forget();
    bench.freeze(100 * SECOND);
    bench.coordinator.answers_beats = true;
    bench.input(LinkInput::Timeout);
    assert_eq!((bench.missed(), bench.link.state()), (vec![], State::Active));
    assert!(recovered(&bench), "the probe was answered");
}

#[test]
fn a_stall_while_dialling_or_registering_does_not_end_it() {
    let mut bench = Bench::new(LinkConfig::default());
    bench.reachable = false;
    bench.until(|bench| bench.link.state() == State::Connecting);
    let dialled = |(_, action): &(u64, LinkAction)| {
        if let LinkAction::Dial { conn, .. } = action { Some(*conn) } else { None }
    };
    let conn = bench.actions.iter().find_map(dialled).expect("it dials");
    for happened in [LinkInput::Opened { conn }, LinkInput::Received { conn }] {
        // The driver's timer is served before what waited to be read.
        bench.freeze(100 * SECOND);
        bench.input(LinkInput::Timeout);
        assert_eq!(bench.link.state(), State::Connecting);
        assert_eq!(bench.input(happened), LinkVerdict::Accepted);
    }
    bench.until(|bench| bench.link.state() == State::Disconnected);
    assert_eq!(bench.link.snapshot().reason, Some(Reason::RegisterTimeout));
}

#[test]
fn a_round_trip_that_spans_a_stall_measures_nothing() {
    let mut bench = after_a_beat();
    let rtt = bench.link.snapshot().rtt;
    assert!(rtt.is_some());
    bench.coordinator.answers_beats = false;
    bench.until(|bench| !bench.beats().is_empty());
    let old = bench.last_beat();
    bench.freeze(100 * SECOND);
    bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &old)));
    assert_eq!(bench.link.snapshot().rtt, rtt);
    // The probe that followed does.
    bench.pass(300 * MS);
    let probe = bench.last_beat();
    bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &probe)));
    assert_eq!(bench.link.snapshot().rtt, Some(300 * MS));
}

#[test]
fn a_part_of_a_message_is_a_sign_of_life_like_a_whole_frame() {
    let mut bench = after_a_beat();
    bench.pass(SECOND);
    let conn = bench.conn();
    bench.input(LinkInput::Received { conn });
    assert_eq!(bench.link.snapshot().last_received, Some(bench.now));
}

#[test]
fn where_intervals_are_short_a_short_stall_is_not_held_against_the_peer_either() {
    let heartbeat = Heartbeat::new(50 * MS, 150 * MS).expect("in bounds");
    let mut bench = Bench::new(LinkConfig { heartbeat, ..LinkConfig::default() });
    bench.coordinator.interval = 50 * MS;
    bench.until_active();
    bench.until(|bench| bench.beats().len() == 2);
    for late in [20 * MS, 50 * MS, 51 * MS, 400 * MS] {
        bench.forget();
        bench.freeze(50 * MS + late);
        bench.input(LinkInput::Timeout);
        let stalled = bench.actions.contains(&(bench.ms(), LinkAction::Stalled { late }));
        assert_eq!(stalled, late > 50 * MS, "{late:?}");
        bench.until(|bench| !bench.beats().is_empty());
        bench.until(|bench| bench.beats().len() >= 2);
        assert_eq!((bench.missed(), bench.link.state()), (vec![], State::Active), "{late:?}");
    }
}

#[test]
fn a_stall_is_told_and_probed_once_though_a_deadline_that_does_not_move_is_long_over() {
    let mut bench = after_a_beat();
    bench.input(LinkInput::Report { free: 0, paused: false, owes: true });
    bench.input(LinkInput::Stop { within: SECOND });
    bench.forget();
    bench.freeze(60 * SECOND);
    // Frames come in before the driver gets to its timers; the answer to the probe is one of them.
    let conn = bench.conn();
    bench.input(LinkInput::Received { conn });
    bench.input(LinkInput::Received { conn });
    assert_eq!(bench.beats().len(), 1);
    let stalls = bench.actions.iter().filter(|(_, a)| matches!(a, LinkAction::Stalled { .. }));
    assert_eq!(stalls.count(), 1);
    bench.input(LinkInput::Timeout);
    let hands_back = (bench.ms(), LinkAction::HandBack);
    assert!(bench.actions.contains(&hands_back), "the drain's deadline was a promise");
}

#[test]
fn messages_wait_until_the_probe_after_a_stall_is_answered() {
    let mut bench = after_a_beat();
    let (lane, tag) = (moorline_link::Lane::B, moorline_link::Tag(5));
    bench.coordinator.answers_beats = false;
    bench.freeze(10 * SECOND);
    bench.input(LinkInput::Enqueue { lane, tag, len: 10 });
    assert_eq!(bench.delivered, []);
    let beat = bench.last_beat();
    bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &beat)));
    assert_eq!(bench.delivered, [(lane, tag)]);
}

#[test]
fn a_stall_while_waiting_for_the_next_dial_just_dials() {
    let mut bench = after_a_beat();
    bench.pass(60 * SECOND);
    bench.cut(Reason::StreamLost);
    bench.forget();
    bench.reachable = false;
    bench.freeze(Duration::from_secs(3_600));
    bench.input(LinkInput::Timeout);
    assert_eq!(bench.dials().len(), 1);
}

#[test]
fn nothing_of_the_liveness_of_a_connection_reaches_the_next_one() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    bench.until(|bench| bench.link.snapshot().missed == 2);
    bench.cut(Reason::TransportReset);
    bench.until_active();
    assert_eq!(bench.link.snapshot().missed, 0);
    bench.forget();
    bench.until(|bench| !bench.beats().is_empty());
    assert_eq!(bench.last_beat().seq, 1);
}

#[test]
fn a_beat_and_a_probe_of_a_connection_that_was_lost_judge_nobody() {
    for frozen in [Duration::ZERO, 100 * SECOND] {
        let mut bench = Bench::new(LinkConfig::default());
        bench.coordinator.first_window = Some(Duration::ZERO);
        bench.until_active();
        bench.pass(60 * SECOND);
        bench.coordinator.answers_beats = false;
        let before = bench.beats().len();
        bench.until(|bench| bench.beats().len() > before);
        bench.freeze(frozen);
        let conn = bench.conn();
        bench.input(LinkInput::Received { conn });
        // Lost before the answer was due, and back at once.
        bench.pass(100 * MS);
        bench.cut(Reason::TransportReset);
        bench.coordinator.answers_beats = true;
        bench.until_active();
        bench.forget();
        bench.pass(60 * SECOND);
        assert_eq!(bench.missed(), [], "frozen for {frozen:?}");
        assert_eq!(bench.path(), [""; 0], "frozen for {frozen:?}");
    }
}

#[test]
fn the_last_proven_contact_is_when_the_last_answered_beat_was_sent() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    bench.until(|bench| !bench.beats().is_empty());
    let sent = bench.now;
    bench.pass(900 * MS);
    let beat = bench.last_beat();
    bench.frame(CoordinatorFrame::BeatAnswer(agrees(Epoch(1), &beat)));
    assert_eq!(bench.link.snapshot().last_proven, Some(sent));
    assert_eq!(bench.link.snapshot().last_received, Some(bench.now));
}

#[test]
fn beats_come_before_everything_else_that_is_due() {
    let mut bench = after_a_beat();
    let conn = bench.conn();
    bench.writable = false;
    let lane = moorline_link::Lane::C;
    bench.input(LinkInput::Enqueue { lane, tag: moorline_link::Tag(1), len: 100 });
    bench.pass(5 * SECOND);
    let first = bench.link.poll_transmit(bench.now, conn, lane);
    assert!(matches!(first, Some(LinkTransmit::Frame(WorkerFrame::Beat(_)))), "{first:?}");
}
