//! Free slots are compared at a quiet cut only: nothing passed between a beat and its answer.

mod support;

use moorline_link::{
    BeatAnswer, CoordinatorFrame, Lane, LinkConfig, LinkInput, MessageHead, Seq, State, Tag,
    WorkerFrame,
};
use support::{Bench, SECOND};

/// Three beats, each answered with one free slot too many; before each answer something `happens`.
fn three_answers(happens: impl Fn(&mut Bench, u64)) -> Bench {
    let mut bench = Bench::active(LinkConfig::default());
    bench.input(LinkInput::Report { free: 2, paused: false, owes: false });
    bench.coordinator.free = None;
    bench.coordinator.answers_beats = false;
    for round in 0..3 {
        let before = bench.beats().len();
        bench.until(|bench| bench.beats().len() > before);
        let beat = bench.frames().into_iter().rev().find_map(|frame| match frame {
            WorkerFrame::Beat(beat) => Some(beat),
            WorkerFrame::Hello(_)
            | WorkerFrame::InventoryItem { .. }
            | WorkerFrame::InventoryEnd { .. }
            | WorkerFrame::Active
            | WorkerFrame::Ack(_)
            | WorkerFrame::Message(_)
            | WorkerFrame::Statistics(_)
            | WorkerFrame::Goodbye { .. } => None,
        });
        let beat = beat.expect("a beat was written");
        assert!(beat.quiet);
        happens(&mut bench, round);
        let answer = BeatAnswer {
            seq: beat.seq,
            epoch: bench.coordinator.epoch,
            known: true,
            flags: beat.flags,
            free: beat.free + 1,
            quiet: true,
            waiting: false,
            first_window: None,
            beat_interval: None,
        };
        bench.frame(CoordinatorFrame::BeatAnswer(answer));
        bench.drain();
    }
    bench
}

#[test]
fn answers_that_differ_with_nothing_in_between_are_out_of_step() {
    let bench = three_answers(|_, _| {});
    assert_eq!(bench.path(), ["Disconnected: out_of_step"]);
}

#[test]
fn a_result_that_overtakes_its_beat_on_the_other_lane_makes_no_difference() {
    let bench = three_answers(|bench, round| {
        // Written after the beat, and processed by the coordinator before it.
        bench.input(LinkInput::Enqueue { lane: Lane::B, tag: Tag(round), len: 40 });
        bench.drain();
    });
    assert_eq!(bench.link.state(), State::Active);
    assert!(bench.missed().is_empty(), "{:?}", bench.missed());
}

/// Whether the next beat says that nothing is under way.
fn says_quiet(bench: &mut Bench) -> bool {
    bench.forget();
    bench.until(|bench| !bench.beats().is_empty());
    bench.frames().iter().any(|frame| matches!(frame, WorkerFrame::Beat(beat) if beat.quiet))
}

#[test]
fn a_beat_says_that_nothing_is_under_way_if_nothing_is_unacknowledged_and_none_is_owed() {
    for lane in Lane::ALL {
        let mut bench = Bench::active(LinkConfig::default());
        assert!(says_quiet(&mut bench));
        bench.listening = false;
        bench.input(LinkInput::Enqueue { lane, tag: Tag(1), len: 10 });
        assert!(!says_quiet(&mut bench), "it is not acknowledged");

        let mut bench = Bench::active(LinkConfig::default());
        bench.until(|bench| !bench.beats().is_empty());
        bench.writable = false;
        bench.pass(5 * SECOND);
        bench.coordinator.strict = false;
        bench.frame(CoordinatorFrame::Message(MessageHead { lane, seq: Seq(1), len: 10 }));
        bench.writable = true;
        assert!(!says_quiet(&mut bench), "the acknowledgement comes after the beat");
        bench.input(LinkInput::Release { lane, messages: 1, bytes: 10 });
        assert!(says_quiet(&mut bench));
    }
}
