//! A link that is run late again and again: forgiven, but not for ever.

mod support;

use moorline_link::{LinkAction, LinkConfig, LinkInput, State};
use support::{Bench, MS};

/// An active link that just had a beat answered, so that the next one is 5 s away.
fn after_a_beat() -> Bench {
    let mut bench = Bench::active(LinkConfig::default());
    bench.until(|bench| !bench.beats().is_empty());
    bench.forget();
    bench
}

#[test]
fn a_link_that_is_always_run_late_still_finds_a_dead_peer() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    let start = bench.ms();
    let mut stalls = 0;
    while bench.link.state() == State::Active {
        let deadline = bench.link.next_wake().deadline().expect("it waits for something");
        bench.now = deadline + 1_500 * MS;
        bench.forget();
        bench.input(LinkInput::Timeout);
        let told = |(_, a): &(u64, LinkAction)| matches!(a, LinkAction::Stalled { .. });
        stalls += bench.actions.iter().filter(|action| told(action)).count();
        assert!(bench.ms() - start < 60_000, "never: {:?}", bench.link.snapshot());
    }
    assert_eq!(bench.path()[0], "Disconnected: suspended");
    // A beat, three probes that nobody waited for in time, and the end.
    assert_eq!((stalls, bench.ms() - start), (3, 5_000 + 1_500 + 3 * 2_500));
}

#[test]
fn a_peer_that_is_heard_between_stalls_is_forgiven_as_often_as_it_takes() {
    let mut bench = after_a_beat();
    for _ in 0..50 {
        let deadline = bench.link.next_wake().deadline().expect("it waits for something");
        bench.now = deadline + 1_500 * MS;
        bench.input(LinkInput::Timeout);
    }
    assert_eq!((bench.missed(), bench.link.state()), (vec![], State::Active));
}

#[test]
fn a_frame_that_waited_to_be_read_is_heard_before_the_peer_is_judged() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    let late = |bench: &mut Bench| {
        let deadline = bench.link.next_wake().deadline().expect("it waits for something");
        bench.now = deadline + 1_500 * MS;
    };
    for _ in 0..3 {
        late(&mut bench);
        bench.input(LinkInput::Timeout);
    }
    late(&mut bench);
    bench.coordinator.answers_beats = true;
    let conn = bench.conn();
    bench.input(LinkInput::Received { conn });
    bench.input(LinkInput::Timeout);
    assert_eq!(bench.link.state(), State::Active);
}
