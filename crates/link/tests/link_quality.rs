//! Suspicion, pace, degraded or not, and the figures: what a link knows of its path.

mod support;

use std::time::Duration;

use moorline_link::{
    Backoff, BeatAnswer, ConfigError, CoordinatorFrame, Degraded, EnqueueError, First, Flags,
    Heartbeat, Jitter, Lane, LaneLimits, Lanes, LinkAction, LinkConfig, LinkInput, LinkRejection,
    LinkVerdict, Quality, Reason, Reconnect, State, Statistics, Tag, WorkerFrame,
};
use support::{Bench, MS, SECOND};

/// An active link that had a few beats answered, the last one just now.
fn calm() -> Bench {
    let mut bench = Bench::active(LinkConfig::default());
    bench.until(|bench| bench.beats().len() == 6);
    bench.forget();
    bench
}

/// Suspicion, pace and quality as they were told, with their time since `start`.
fn told(bench: &Bench, start: u64) -> Vec<(u64, String)> {
    let text = |action: &LinkAction| match action {
        LinkAction::Suspicion { suspect, silent } => {
            Some(format!("suspect {suspect} after {} ms", silent.as_millis()))
        }
        LinkAction::Interval { interval } => Some(format!("every {} ms", interval.as_millis())),
        LinkAction::Degraded(degraded) => {
            Some(format!("degraded {:?}", degraded.causes().collect::<Vec<_>>()))
        }
        LinkAction::Dial { .. }
        | LinkAction::Close { .. }
        | LinkAction::TakeInventory { .. }
        | LinkAction::Released { .. }
        | LinkAction::Announce(_)
        | LinkAction::BeatMissed { .. }
        | LinkAction::BeatRecovered
        | LinkAction::LeasesExpired
        | LinkAction::HandBack
        | LinkAction::CandidateLost { .. }
        | LinkAction::Stalled { .. } => None,
    };
    let told = |(at, action): &(u64, LinkAction)| Some((at - start, text(action)?));
    bench.actions.iter().filter_map(told).collect()
}

fn last_seq(bench: &Bench) -> u32 {
    let seq = |frame: &WorkerFrame| {
        if let WorkerFrame::Beat(beat) = frame { Some(beat.seq) } else { None }
    };
    bench.frames().iter().rev().find_map(seq).expect("a beat was written")
}

fn answer(bench: &mut Bench) {
    let frame = CoordinatorFrame::BeatAnswer(BeatAnswer {
        seq: last_seq(bench),
        epoch: bench.coordinator.epoch,
        known: true,
        flags: Flags { active: true, ..Flags::default() },
        free: 0,
        quiet: false,
        waiting: false,
        first_window: None,
        beat_interval: None,
    });
    bench.frame(frame);
}

#[test]
fn a_frozen_coordinator_is_suspected_probed_and_given_up_within_twelve_and_a_half_seconds() {
    let mut bench = calm();
    let frozen = bench.ms();
    bench.coordinator.answers_beats = false;
    bench.until(|bench| bench.link.snapshot().suspected);
    assert_eq!(bench.ms() - frozen, 8_863);
    bench.until(|bench| bench.link.state() != State::Active);
    assert!(bench.ms() - frozen <= 12_500, "{}", bench.ms() - frozen);
    assert_eq!(bench.path()[0], "Disconnected: heartbeat_timeout");
    let expected =
        [(6_000, "every 1250 ms".to_owned()), (8_863, "suspect true after 8862 ms".to_owned())];
    assert_eq!(told(&bench, frozen), expected);
    // The regular ones at 5 s and 10 s, and the probe: a peer that does not answer is not pestered.
    let beats: Vec<u64> = bench.beats().iter().map(|at| at - frozen).collect();
    assert_eq!(beats, [5_000, 10_000, 12_015]);
    assert!(!bench.link.snapshot().suspected, "nothing of it reaches the next connection");
}

#[test]
fn a_patient_link_bears_with_four_fifths_of_its_silence_also_after_an_answer_that_was_late() {
    let heartbeat = Heartbeat::new(5 * SECOND, 100 * SECOND).unwrap().with_misses(20).unwrap();
    let mut bench = Bench::active(LinkConfig { heartbeat, ..LinkConfig::default() });
    bench.until(|bench| bench.beats().len() == 6);
    bench.coordinator.answers_beats = false;
    for late in [2, 30] {
        bench.pass(late * SECOND);
        answer(&mut bench);
        bench.forget();
    }
    let silent = bench.ms();
    bench.until(|bench| bench.link.snapshot().suspected);
    // As far from the mean as what came late has made usual.
    assert!(bench.ms() - silent > 20_000, "{}", bench.ms() - silent);
    bench.until(|bench| bench.link.state() != State::Active);
    let lasted = bench.ms() - silent;
    assert!((80_000..=100_000).contains(&lasted), "{lasted}");
}

#[test]
fn an_answer_to_the_probe_keeps_the_connection_and_so_does_any_other_sign_of_life() {
    for answered in [true, false] {
        let mut bench = calm();
        let frozen = bench.ms();
        bench.coordinator.answers_beats = false;
        bench.pass(12_200 * MS);
        bench.coordinator.answers_beats = true;
        if answered {
            answer(&mut bench);
        } else {
            let conn = bench.conn();
            bench.input(LinkInput::Received { conn });
        }
        let cleared = (12_200, "suspect false after 12200 ms".to_owned());
        assert!(told(&bench, frozen).contains(&cleared), "{:?}", told(&bench, frozen));
        bench.pass(60 * SECOND);
        assert_eq!((bench.link.state(), bench.path()), (State::Active, vec![]));
    }
}

#[test]
fn suspicion_alone_never_disconnects_and_frames_of_any_kind_prevent_it() {
    let mut bench = calm();
    bench.coordinator.answers_beats = false;
    // Two beats of three may go unanswered; what else arrives shows that the peer lives.
    for _ in 0..14 {
        bench.pass(SECOND);
        let conn = bench.conn();
        bench.input(LinkInput::Received { conn });
    }
    let start = 0;
    assert!(!told(&bench, start).iter().any(|(_, what)| what.starts_with("suspect")));
    assert_eq!(bench.link.state(), State::Active);
}

#[test]
fn in_calm_weather_nobody_is_ever_suspected_and_nothing_is_told() {
    let mut bench = calm();
    bench.coordinator.answers_beats = false;
    let mut draw = 7_u64;
    // Ten days in which every round trip takes between nothing and 900 ms, now and then 1.5 s.
    for _ in 0..10 * 24 * 720 {
        let before = bench.beats().len();
        bench.until(|bench| bench.beats().len() > before);
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bench.pass(Duration::from_millis((draw >> 33) % 900));
        answer(&mut bench);
        bench.written.clear();
    }
    assert_eq!((told(&bench, 0), bench.missed(), bench.path()), (vec![], vec![], vec![]));
}

#[test]
fn beats_come_faster_while_the_path_is_in_doubt_and_as_assigned_after_three_answers() {
    let mut bench = calm();
    let start = bench.ms();
    bench.coordinator.answers_beats = false;
    bench.pass(6_500 * MS);
    assert_eq!(bench.link.snapshot().interval, Some(1_250 * MS));
    assert_eq!(bench.link.snapshot().beat_interval, 5 * SECOND, "what was assigned stays");
    bench.coordinator.answers_beats = true;
    answer(&mut bench);
    bench.pass(20 * SECOND);
    let beats: Vec<u64> = bench.beats().iter().map(|at| at - start).collect();
    // Two between the regular ones, which keep their time.
    assert_eq!(beats, [5_000, 7_750, 9_000, 10_000, 15_000, 20_000, 25_000]);
    assert_eq!(
        told(&bench, start),
        [(6_000, "every 1250 ms".to_owned()), (9_000, "every 5000 ms".to_owned())]
    );
    assert_eq!(bench.link.snapshot().interval, Some(5 * SECOND));
}

#[test]
fn an_extra_beat_that_is_not_answered_counts_for_nothing() {
    let mut bench = calm();
    let start = bench.ms();
    bench.coordinator.answers_beats = false;
    bench.pass(6_500 * MS);
    answer(&mut bench);
    bench.pass(11 * SECOND);
    let missed: Vec<u64> = bench.missed().iter().map(|(at, _)| at - start).collect();
    // The answer that took 1.5 s gives the next ones a whole interval.
    assert_eq!(missed, [6_000, 15_000], "not the extra one of 7.75 s, neither at 10 s nor at all");
    assert!(bench.beats().contains(&(start + 7_750)));
    assert_eq!(bench.link.snapshot().missed, 1);
}

fn immediate() -> LinkConfig {
    let backoff = Backoff::new(SECOND, 60 * SECOND, 2_000, Jitter::None, First::Immediate);
    let reconnect = Reconnect::new(backoff.expect("in bounds"));
    LinkConfig { reconnect, ..LinkConfig::default() }
}

/// Down for this long, then active again.
fn outage(bench: &mut Bench, time: Duration) {
    bench.reachable = false;
    bench.cut(Reason::StreamLost);
    bench.pass(time);
    bench.reachable = true;
    // A dial that has just begun would be taken for the one that is asked for.
    bench.pass(200 * MS);
    bench.input(LinkInput::Reconnect);
    bench.until_active();
}

#[test]
fn a_link_that_was_down_for_much_of_the_recent_past_is_degraded_until_it_was_up_for_longer() {
    let mut bench = Bench::active(immediate());
    let start = bench.ms();
    bench.pass(300 * SECOND);
    outage(&mut bench, 100 * SECOND);
    assert_eq!(bench.link.snapshot().degraded, Degraded::NOT, "100 s of 400 s are a quarter");
    outage(&mut bench, 60 * SECOND);
    let stability = Degraded { stability: true, ..Degraded::NOT };
    assert_eq!(bench.link.snapshot().degraded, stability, "160 s of 460 s are more than 30 %");
    bench.pass(800 * SECOND);
    let told = told(&bench, start);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1].1, "degraded []");
    // Good again at 80 %: 120 s of 600 s, of which the first 40 s of the outages have left the window.
    assert!((940_000..=946_000).contains(&told[1].0), "{told:?}");
}

#[test]
fn a_single_short_loss_right_after_the_start_does_not_degrade_a_link() {
    let mut bench = Bench::active(immediate());
    bench.pass(SECOND);
    outage(&mut bench, 10 * SECOND);
    bench.pass(60 * SECOND);
    assert_eq!(told(&bench, 0), []);
}

#[test]
fn slow_answers_degrade_a_link_and_it_is_good_again_at_half_the_limit() {
    let mut bench = calm();
    bench.coordinator.answers_beats = false;
    let mut seen = Vec::new();
    for rtt in [1_300, 700, 300] {
        for _ in 0..40 {
            let before = bench.beats().len();
            bench.until(|bench| bench.beats().len() > before);
            bench.pass(rtt * MS);
            answer(&mut bench);
        }
        seen.push(bench.link.snapshot().degraded.round_trip);
    }
    assert_eq!(seen, [true, true, false], "700 ms is below the limit, and above half of it");
    let degraded: Vec<_> =
        told(&bench, 0).into_iter().filter(|(_, what)| what.starts_with('d')).collect();
    assert_eq!(degraded.len(), 2, "{degraded:?}");
}

#[test]
fn a_full_outbox_degrades_a_link_until_it_is_half_empty() {
    let limits = LaneLimits { outbox_messages: 8, ..LaneLimits::default() };
    let lanes = Lanes::new(limits, limits).expect("open");
    let mut bench = Bench::active(LinkConfig { lanes, ..LinkConfig::default() });
    bench.until(|bench| !bench.beats().is_empty());
    bench.forget();
    bench.writable = false;
    let enqueue = |bench: &mut Bench, count: u64| {
        for n in 0..count {
            let input = LinkInput::Enqueue { lane: Lane::B, tag: Tag(n), len: 10 };
            assert_eq!(bench.input(input), LinkVerdict::Accepted);
        }
    };
    enqueue(&mut bench, 6);
    bench.pass(5 * SECOND);
    let queue = Degraded { queue: true, ..Degraded::NOT };
    assert_eq!(bench.link.snapshot().degraded, queue);
    enqueue(&mut bench, 2);
    let full = bench.input(LinkInput::Enqueue { lane: Lane::B, tag: Tag(9), len: 10 });
    let rejected = LinkRejection::Enqueue(EnqueueError::Full { messages: 8, bytes: 80 });
    assert_eq!(full, LinkVerdict::Rejected(rejected));
    bench.writable = true;
    bench.drain();
    bench.pass(5 * SECOND);
    assert_eq!(bench.link.snapshot().degraded, Degraded::NOT);
}

#[test]
fn the_figures_are_told_with_the_second_and_every_sixth_beat_after_it() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.until(|bench| bench.beats().len() == 15);
    let (mut beats, mut with) = (0, Vec::new());
    let mut last = Statistics::default();
    for frame in bench.frames() {
        match frame {
            WorkerFrame::Beat(_) => beats += 1,
            WorkerFrame::Statistics(statistics) => {
                with.push(beats);
                last = statistics;
            }
            WorkerFrame::Hello(_)
            | WorkerFrame::InventoryItem { .. }
            | WorkerFrame::InventoryEnd { .. }
            | WorkerFrame::Active
            | WorkerFrame::Ack(_)
            | WorkerFrame::Message(_)
            | WorkerFrame::Goodbye { .. } => {}
        }
    }
    assert_eq!(with, [2, 8, 14]);
    let session = bench.coordinator.session.as_ref().expect("registered");
    assert_eq!(session.statistics, Some(last));
    assert_eq!((last.dials, last.successes, last.failures, last.outages), (1, 1, 0, 0));
    assert_eq!((last.recent_stability_ppm, last.rtt_mean_micros), (1_000_000, 1));
    assert!(last.connected_micros > 60_000_000 && last.disconnected_micros < 1_000_000, "{last:?}");
}

#[test]
fn the_figures_are_not_told_to_a_coordinator_that_did_not_agree_to_them() {
    let mut bench = Bench::new(LinkConfig::default());
    bench.coordinator.features = 0;
    bench.until_active();
    bench.until(|bench| bench.beats().len() == 15);
    assert!(!bench.frames().iter().any(|frame| matches!(frame, WorkerFrame::Statistics(_))));
}

#[test]
fn a_reset_of_the_statistics_changes_nothing_that_the_link_decides_by() {
    let mut bench = calm();
    // A slow path: its answers may take four times 600 ms.
    for _ in 0..3 {
        bench.coordinator.answers_beats = false;
        let before = bench.beats().len();
        bench.until(|bench| bench.beats().len() > before);
        bench.pass(600 * MS);
        answer(&mut bench);
    }
    let mut reset = bench.link.clone();
    reset.handle(bench.now, LinkInput::ResetStatistics);
    assert_eq!(reset.snapshot(), bench.link.snapshot());
    assert_eq!(reset.next_wake(), bench.link.next_wake());
    assert_eq!(reset.statistics().dials(), 0);
    let mut kept = bench.link.clone();
    // Both are given up at the same time, for the same reason.
    for _ in 0..200 {
        while kept.poll_action().is_some() {}
        while reset.poll_action().is_some() {}
        assert_eq!(reset.next_wake(), kept.next_wake());
        let Some(deadline) = kept.next_wake().deadline() else { break };
        kept.handle(deadline, LinkInput::Timeout);
        reset.handle(deadline, LinkInput::Timeout);
        assert_eq!(
            (kept.state(), kept.snapshot().reason),
            (reset.state(), reset.snapshot().reason)
        );
    }
}

#[test]
fn a_link_is_degraded_by_any_of_its_causes_and_by_nothing_else() {
    assert!(!Degraded::NOT.is_degraded());
    assert_eq!(Degraded::NOT.causes().count(), 0);
    let each = [
        (Degraded { stability: true, ..Degraded::NOT }, "stability"),
        (Degraded { round_trip: true, ..Degraded::NOT }, "round_trip"),
        (Degraded { queue: true, ..Degraded::NOT }, "queue"),
    ];
    for (degraded, cause) in each {
        assert!(degraded.is_degraded());
        assert_eq!(degraded.causes().collect::<Vec<_>>(), [cause]);
    }
    let all = Degraded { stability: true, round_trip: true, queue: true };
    assert!(all.is_degraded());
    assert_eq!(all.causes().collect::<Vec<_>>(), each.map(|(_, cause)| cause));
}

#[test]
fn the_limits_of_a_good_link_are_those_that_were_set() {
    let quality = Quality::new(800_000, 500 * MS).expect("in bounds");
    assert_eq!((quality.stability_ppm(), quality.round_trip()), (800_000, 500 * MS));
    assert!(Quality::new(1_000_000, MS).is_ok());
    let ppm = 1_000_001;
    assert_eq!(Quality::new(ppm, MS), Err(ConfigError::StabilityOutside { ppm }));
}

#[test]
fn what_is_just_at_a_limit_is_good() {
    // An outbox at five eighths; a round trip of half a second; never down.
    let limits = LaneLimits { outbox_messages: 8, ..LaneLimits::default() };
    let lanes = Lanes::new(limits, limits).expect("open");
    let quality = Quality::new(1_000_000, 500 * MS).expect("in bounds");
    let mut bench = Bench::active(LinkConfig { lanes, quality, ..LinkConfig::default() });
    bench.coordinator.answers_beats = false;
    for _ in 0..10 {
        let before = bench.beats().len();
        bench.until(|bench| bench.beats().len() > before);
        bench.pass(500 * MS);
        answer(&mut bench);
    }
    bench.listening = false;
    for n in 0..5 {
        bench.input(LinkInput::Enqueue { lane: Lane::C, tag: Tag(n), len: 10 });
    }
    let before = bench.beats().len();
    bench.until(|bench| bench.beats().len() > before);
    assert_eq!(bench.link.held()[0].0, 5);
    assert_eq!(bench.link.snapshot().degraded, Degraded::NOT);
}
