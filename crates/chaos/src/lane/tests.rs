use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;

use super::{BYTES_MAX, LOSSES_MAX, Lane, PIECES_MAX, Pass, SEGMENT};
use crate::counts::WayCounts;
use crate::dice::Dice;
use crate::faults::{Faults, Share, Way};
use crate::line::Line;
use crate::route::{Id, Kind};

/// A lane with everything around it; time is a number.
struct Road {
    lane: Lane,
    line: Line,
    counts: WayCounts,
    faults: Faults,
    silent: bool,
    era: u64,
    dice: Dice,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Road {
    fn new(faults: Faults) -> Self {
        Self::seeded(7, faults)
    }

    fn seeded(seed: u64, faults: Faults) -> Self {
        Self {
            lane: Lane::default(),
            line: Line::default(),
            counts: WayCounts::default(),
            faults,
            silent: false,
            era: 0,
            dice: Dice::new(seed, Id { kind: Kind::Tcp, number: 1 }, Way::ToTarget),
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Lane, &mut Pass<'_>) -> T) -> T {
        let (line, counts) = (&mut self.line, &mut self.counts);
        let (faults, dice, silent, era) = (self.faults, self.dice, self.silent, self.era);
        act(&mut self.lane, &mut Pass { faults, dice, line, counts, silent, era })
    }

    fn take(&mut self, now: Duration, bytes: &[u8]) {
        self.with(|lane, pass| lane.take(now, bytes, pass));
    }

    fn end(&mut self, now: Duration) {
        self.with(|lane, pass| lane.end(now, pass));
    }

    fn set(&mut self, now: Duration, faults: Faults) {
        self.faults = faults;
        self.changed(now);
    }

    fn changed(&mut self, now: Duration) {
        self.era += 1;
        self.line.clear();
        self.with(|lane, pass| lane.keep_up(now, pass));
    }

    /// Everything that is due by then, with the times at which it became due.
    fn until(&mut self, end: Duration) -> Vec<(Duration, Vec<u8>)> {
        let mut out = Vec::new();
        while let Some(at) = self.lane.next_wake().filter(|at| *at <= end) {
            let Some(bytes) = self.lane.due(at).map(<[u8]>::to_vec) else { break };
            self.lane.passed(bytes.len(), &mut self.counts);
            out.push((at, bytes));
        }
        out
    }
}

const NEVER: Duration = Duration::from_secs(1 << 40);

#[test]
fn without_faults_bytes_and_their_end_pass_at_once() {
    let mut road = Road::new(Faults::NONE);
    road.take(ms(5), b"hello");
    assert_eq!(road.lane.next_wake(), Some(ms(5)));
    assert!(road.lane.due(ms(4)).is_none());
    road.end(ms(6));
    assert!(road.lane.room() == 0, "it has ended");
    assert!(!road.lane.end_is_due(ms(9)), "bytes are before it");
    assert_eq!(road.until(ms(9)), [(ms(5), b"hello".to_vec())]);
    assert!(!road.lane.end_is_due(ms(5)));
    assert!(road.lane.end_is_due(ms(6)));
    road.lane.close();
    assert!(road.lane.is_over() && !road.lane.end_is_due(ms(9)));
    assert_eq!(road.lane.next_wake(), None);
    let counts = WayCounts { bytes: 5, pieces: 1, ..WayCounts::default() };
    assert_eq!(road.counts, counts);
}

#[test]
fn what_is_written_in_parts_goes_on_where_it_was() {
    let mut road = Road::new(Faults::NONE);
    road.take(ms(0), b"hello");
    road.lane.passed(2, &mut road.counts);
    assert_eq!(road.lane.due(ms(0)), Some(&b"llo"[..]));
    road.lane.passed(3, &mut road.counts);
    assert_eq!(road.lane.due(ms(0)), None);
    assert_eq!(road.counts.bytes, 5);
}

#[test]
fn latency_delays_bytes_and_their_end_and_holds_up_nothing_else() {
    let mut road = Road::new(Faults { latency: ms(50), ..Faults::NONE });
    road.take(ms(0), b"a");
    road.take(ms(10), b"b");
    road.end(ms(20));
    assert_eq!(road.until(NEVER), [(ms(50), b"a".to_vec()), (ms(60), b"b".to_vec())]);
    assert_eq!(road.lane.next_wake(), Some(ms(70)));
    assert!(!road.lane.end_is_due(ms(69)) && road.lane.end_is_due(ms(70)));
}

#[test]
fn a_bandwidth_lets_bytes_through_as_fast_as_it_says() {
    let faults = Faults { bandwidth: NonZeroU64::new(10_000), ..Faults::NONE };
    let mut road = Road::new(faults);
    road.take(ms(0), &vec![1; 5_000]);
    let out = road.until(NEVER);
    let mut passed = 0;
    for (at, bytes) in &out {
        passed += bytes.len() as u64;
        assert_eq!(*at, Duration::from_micros(100 * passed), "after {passed} bytes");
    }
    assert_eq!(passed, 5_000);
}

#[test]
fn lanes_share_the_line_of_their_way() {
    let faults = Faults { bandwidth: NonZeroU64::new(1_000), ..Faults::NONE };
    let mut road = Road::new(faults);
    let mut other = Lane::default();
    road.with(|_, pass| other.take(ms(0), &[0; 500], pass));
    road.take(ms(0), &[0; 500]);
    assert_eq!(other.next_wake(), Some(ms(500)));
    assert_eq!(road.lane.next_wake(), Some(ms(1_000)));
}

#[test]
fn a_lost_piece_stands_still_and_what_is_behind_it_waits() {
    let loss = Share::from_ppm(300_000).unwrap();
    let faults = Faults { latency: ms(10), loss, ..Faults::NONE };
    let mut road = Road::new(faults);
    for number in 0..100 {
        road.take(ms(number), &[0]);
    }
    let out = road.until(NEVER);
    assert_eq!(out.len(), 100, "a stream lacks nothing");
    assert!((20..90).contains(&road.counts.stalls), "{}", road.counts.stalls);
    let mut last = Duration::ZERO;
    for (number, (at, _)) in out.iter().enumerate() {
        // 220 ms, twice as long each time: 220, 660, 1,540 ...
        let alone = ms(number as u64 + 10);
        let powers = (0..=LOSSES_MAX).map(|n| alone + ms(220 * ((1 << n) - 1)));
        assert!(*at == last || powers.into_iter().any(|due| due == *at), "{number} at {at:?}");
        last = last.max(*at);
    }
}

#[test]
fn what_is_always_lost_comes_late_and_within_a_minute() {
    let mut road = Road::new(Faults { loss: Share::ALL, ..Faults::NONE });
    road.take(ms(0), &[0]);
    assert_eq!(road.until(NEVER)[0].0, ms(200 * 255));
    assert_eq!(road.counts.stalls, LOSSES_MAX);
}

#[test]
fn a_change_times_what_waits_anew() {
    let mut road = Road::new(Faults { latency: Duration::from_secs(3_600), ..Faults::NONE });
    road.take(ms(0), b"a");
    road.take(ms(1), b"b");
    road.end(ms(2));
    road.set(ms(100), Faults::NONE);
    assert_eq!(road.until(ms(100)).len(), 2, "healed, it passes at once");
    assert!(road.lane.end_is_due(ms(100)));

    let mut road = Road::new(Faults::NONE);
    road.take(ms(0), b"a");
    road.set(ms(100), Faults { latency: ms(50), ..Faults::NONE });
    assert_eq!(road.lane.next_wake(), Some(ms(150)));
}

#[test]
fn a_silent_lane_swallows_everything_for_good() {
    let mut road = Road::new(Faults { latency: ms(50), ..Faults::NONE });
    road.take(ms(0), b"abc");
    road.silent = true;
    road.changed(ms(10));
    assert!(road.lane.is_silent());
    assert_eq!((road.counts.swallowed, road.lane.next_wake()), (3, None));
    road.take(ms(20), &[0; 2_000]);
    assert_eq!(road.counts.swallowed, 2_003);
    // Healed, it stays so.
    road.silent = false;
    road.changed(ms(30));
    road.take(ms(40), b"d");
    assert_eq!((road.counts.swallowed, road.lane.next_wake()), (2_004, None));
    assert!(road.lane.room() >= BYTES_MAX, "nothing of it waits");
    road.end(ms(50));
    assert!(road.lane.is_over() && !road.lane.end_is_due(NEVER), "its end is swallowed too");
    assert_eq!(road.counts.bytes, 0);
}

#[test]
fn an_end_that_is_under_way_is_swallowed_by_a_silence() {
    let mut road = Road::new(Faults { latency: ms(50), ..Faults::NONE });
    road.end(ms(0));
    road.silent = true;
    road.changed(ms(10));
    assert!(road.lane.is_over() && !road.lane.end_is_due(NEVER));
}

#[test]
fn a_full_lane_wants_no_more_until_something_has_passed() {
    let mut large = Road::new(Faults { latency: ms(1), ..Faults::NONE });
    while large.lane.room() > 0 {
        large.take(ms(0), &[0; SEGMENT]);
    }
    assert!((BYTES_MAX - SEGMENT..=BYTES_MAX).contains(&large.lane.waiting));
    large.lane.passed(SEGMENT, &mut large.counts);
    assert_eq!(large.lane.room(), SEGMENT);
    let mut small = Road::new(Faults { latency: ms(1), ..Faults::NONE });
    while small.lane.room() > 0 {
        small.take(ms(0), &[0]);
    }
    assert_eq!(small.lane.pieces.len(), PIECES_MAX);
    small.lane.passed(1, &mut small.counts);
    assert_eq!(small.lane.room(), SEGMENT, "one more piece");
}

prop_compose! {
    fn faults()(
        latency in 0..200_u64,
        jitter in 0..200_u64,
        loss in 0..300_000_u32,
        bandwidth in proptest::option::of(1..1_000_000_u64),
    ) -> Faults {
        Faults {
            latency: ms(latency),
            jitter: ms(jitter),
            loss: Share::from_ppm(loss).unwrap(),
            bandwidth: bandwidth.and_then(NonZeroU64::new),
            ..Faults::NONE
        }
    }
}

/// What a source brings: after so long, so many bytes; or another setting.
#[derive(Clone, Debug)]
enum Input {
    Bytes(u64, usize),
    Set(u64, Faults),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let input = prop_oneof![
        4 => (0..100_u64, 0..4_000_usize).prop_map(|(after, len)| Input::Bytes(after, len)),
        1 => (0..100_u64, faults()).prop_map(|(after, faults)| Input::Set(after, faults)),
    ];
    proptest::collection::vec(input, 1..30)
}

/// Plays inputs; all that came out, and what went in.
fn played(
    seed: u64,
    first: Faults,
    inputs: &[Input],
    from: Duration,
) -> (Vec<(Duration, Vec<u8>)>, Vec<u8>) {
    let (mut now, mut road) = (from, Road::seeded(seed, first));
    let (mut out, mut sent) = (Vec::new(), Vec::new());
    for input in inputs {
        match input {
            Input::Bytes(after, len) => {
                now += ms(*after);
                out.extend(road.until(now));
                let bytes: Vec<u8> = (sent.len()..sent.len() + len).map(|at| at as u8).collect();
                road.take(now, &bytes);
                sent.extend(bytes);
            }
            Input::Set(after, faults) => {
                now += ms(*after);
                out.extend(road.until(now));
                road.set(now, *faults);
            }
        }
    }
    out.extend(road.until(NEVER));
    assert_eq!(road.lane.waiting, 0);
    (out, sent)
}

proptest! {
    #[test]
    fn every_byte_comes_out_once_and_in_order(seed: u64, first in faults(), inputs in inputs()) {
        let (out, sent) = played(seed, first, &inputs, Duration::ZERO);
        let got: Vec<u8> = out.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        prop_assert_eq!(got, sent);
        prop_assert!(out.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn never_more_waits_than_its_bound(reads in proptest::collection::vec((1..40_000_usize, 0..3_000_usize), 1..200)) {
        let mut road = Road::new(Faults::NONE);
        for (brought, written) in reads {
            let read = brought.min(road.lane.room());
            road.take(ms(0), &vec![0; read]);
            prop_assert!(road.lane.waiting <= BYTES_MAX && road.lane.pieces.len() <= PIECES_MAX);
            let due = road.lane.due(ms(0)).map_or(0, <[u8]>::len);
            road.lane.passed(written.min(due), &mut road.counts);
        }
    }

    #[test]
    fn a_shift_in_time_shifts_what_comes_out(seed: u64, first in faults(), inputs in inputs(), by in 0..1_000_000_u64) {
        let (here, _) = played(seed, first, &inputs, Duration::ZERO);
        let (there, _) = played(seed, first, &inputs, ms(by));
        let shifted: Vec<_> = here.into_iter().map(|(at, bytes)| (at + ms(by), bytes)).collect();
        prop_assert_eq!(shifted, there);
    }

    #[test]
    fn never_more_passes_than_the_bandwidth_allows(rate in 1..100_000_u64, lens in proptest::collection::vec(1..5_000_usize, 1..20)) {
        let mut road = Road::new(Faults { bandwidth: NonZeroU64::new(rate), ..Faults::NONE });
        for len in &lens {
            road.take(ms(0), &vec![0; *len]);
        }
        let mut passed = 0_u128;
        for (at, bytes) in road.until(NEVER) {
            passed += bytes.len() as u128;
            prop_assert!(passed * 1_000_000_000 <= at.as_nanos() * u128::from(rate));
        }
        prop_assert_eq!(passed, lens.iter().sum::<usize>() as u128);
    }

    #[test]
    fn each_corrupted_piece_differs_in_one_bit(seed: u64, ppm in 0..=1_000_000_u32, lens in proptest::collection::vec(1..3_000_usize, 1..20)) {
        let corrupt = Share::from_ppm(ppm).unwrap();
        let mut road = Road::seeded(seed, Faults { corrupt, ..Faults::NONE });
        for len in &lens {
            road.take(ms(0), &vec![0; *len]);
        }
        let flipped: u32 = road.until(NEVER).iter().flat_map(|(_, bytes)| bytes.clone()).map(u8::count_ones).sum();
        prop_assert_eq!(u64::from(flipped), road.counts.corrupted);
        if ppm == 1_000_000 {
            prop_assert_eq!(road.counts.corrupted, road.counts.pieces);
        }
    }
}
