use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;

use super::{BYTES_MAX, DATAGRAMS_MAX, Datagrams, Drawn, HOLD};
use crate::counts::WayCounts;
use crate::dice::Dice;
use crate::faults::{Faults, Share, Way};
use crate::lane::Pass;
use crate::line::Line;
use crate::route::{Id, Kind};

struct Road {
    lane: Datagrams,
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
    fn seeded(seed: u64, faults: Faults) -> Self {
        Self {
            lane: Datagrams::default(),
            line: Line::default(),
            counts: WayCounts::default(),
            faults,
            silent: false,
            era: 0,
            dice: Dice::new(seed, Id { kind: Kind::Udp, number: 1 }, Way::Back),
        }
    }

    fn new(faults: Faults) -> Self {
        Self::seeded(7, faults)
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Datagrams, &mut Pass<'_>) -> T) -> T {
        let (line, counts) = (&mut self.line, &mut self.counts);
        let (faults, dice, silent, era) = (self.faults, self.dice, self.silent, self.era);
        act(&mut self.lane, &mut Pass { faults, dice, line, counts, silent, era })
    }

    fn take(&mut self, now: Duration, bytes: &[u8]) {
        self.with(|lane, pass| lane.take(now, bytes, pass));
    }

    fn changed(&mut self, now: Duration) {
        self.era += 1;
        self.line.clear();
        self.with(|lane, pass| lane.keep_up(now, pass));
    }

    fn until(&mut self, end: Duration) -> Vec<(Duration, Vec<u8>)> {
        let (mut out, mut at) = (Vec::new(), Duration::ZERO);
        while let Some(wake) = self.lane.next_wake().filter(|wake| *wake <= end) {
            at = at.max(wake);
            out.push((at, self.lane.pop(at).unwrap()));
        }
        assert_eq!(self.lane.pop(end), None, "what is due says so");
        out
    }

    /// The first bytes of what comes out, in order.
    fn order(&mut self) -> Vec<u8> {
        self.until(Duration::from_secs(1 << 40)).iter().map(|(_, bytes)| bytes[0]).collect()
    }
}

#[test]
fn without_faults_datagrams_pass_at_once_and_in_order() {
    let mut road = Road::new(Faults::NONE);
    for number in 0..5 {
        road.take(ms(3), &[number]);
    }
    assert_eq!(road.lane.next_wake(), Some(ms(3)));
    assert_eq!(road.lane.pop(ms(2)), None);
    assert_eq!(road.order(), [0, 1, 2, 3, 4]);
    assert_eq!(road.counts.pieces, 5);
}

#[test]
fn latency_and_bandwidth_add_up() {
    let bandwidth = NonZeroU64::new(1_000);
    let mut road = Road::new(Faults { latency: ms(50), bandwidth, ..Faults::NONE });
    road.take(ms(0), &[0; 100]);
    road.take(ms(0), &[1; 100]);
    let times: Vec<_> = road.until(ms(1_000)).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [ms(150), ms(250)]);
}

#[test]
fn with_jitter_datagrams_overtake_each_other() {
    let mut road = Road::new(Faults { jitter: ms(100), ..Faults::NONE });
    for number in 0..100 {
        road.take(ms(0), &[number]);
    }
    let order = road.order();
    assert!(!order.is_sorted());
    let mut all = order;
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[test]
fn what_is_lost_is_gone_and_the_same_each_time() {
    let loss = Share::from_ppm(250_000).unwrap();
    let run = |seed, start| {
        let mut road = Road::seeded(seed, Faults { loss, ..Faults::NONE });
        for number in 0..200 {
            road.take(ms(start + u64::from(number)), &[number]);
        }
        let order = road.order();
        assert_eq!(order.len() as u64 + road.counts.lost, 200);
        order
    };
    assert!((120..180).contains(&run(7, 0).len()));
    assert_eq!(run(7, 0), run(7, 12_345), "time decides nothing");
    assert_ne!(run(7, 0), run(8, 0));
}

#[test]
fn one_that_is_held_back_comes_right_after_the_next_one() {
    let mut road = Road::new(Faults { reorder: Share::ALL, latency: ms(10), ..Faults::NONE });
    for number in 0..6 {
        road.take(ms(0), &[number]);
    }
    // One at a time is held back: the first, for all that came before it left.
    assert_eq!(road.order(), [1, 0, 2, 3, 4, 5]);
    assert_eq!(road.counts.reordered, 1);
    road.take(ms(1_000), &[6]);
    assert_eq!(road.lane.next_wake(), Some(ms(1_010) + HOLD), "nobody comes after it");
    road.take(ms(1_050), &[7]);
    assert_eq!(road.order(), [7, 6]);
}

#[test]
fn one_that_is_held_back_does_not_come_with_one_before_it() {
    let mut road = Road::new(Faults { latency: ms(10), ..Faults::NONE });
    road.take(ms(0), &[0]);
    road.take(ms(1), &[1]);
    road.faults.reorder = Share::ALL;
    road.take(ms(2), &[2]);
    road.faults.reorder = Share::NONE;
    road.take(ms(4), &[3]);
    let out = road.until(Duration::from_secs(1 << 40));
    let out: Vec<_> = out.into_iter().map(|(at, bytes)| (at, bytes[0])).collect();
    assert_eq!(out, [(ms(10), 0), (ms(11), 1), (ms(14), 3), (ms(14), 2)]);
}

#[test]
fn one_that_is_held_back_does_not_come_with_its_own_copy() {
    let mut road = Road::new(Faults { reorder: Share::ALL, duplicate: Share::ALL, ..Faults::NONE });
    road.take(ms(0), &[0]);
    assert_eq!(road.until(ms(50)), [(ms(0), vec![0])], "the copy alone");
    road.faults = Faults::NONE;
    road.take(ms(60), &[1]);
    assert_eq!(road.order(), [1, 0]);
}

#[test]
fn one_that_is_held_back_is_never_early() {
    let mut road = Road::new(Faults { latency: ms(40), reorder: Share::ALL, ..Faults::NONE });
    road.take(ms(0), &[0]);
    // What comes next is quicker: it passes first in any case.
    road.faults = Faults::NONE;
    road.take(ms(1), &[1]);
    road.take(ms(2), &[2]);
    let out = road.until(Duration::from_secs(1 << 40));
    let out: Vec<_> = out.into_iter().map(|(at, bytes)| (at, bytes[0])).collect();
    assert_eq!(out, [(ms(1), 1), (ms(2), 2), (ms(40), 0)]);
}

#[test]
fn whoever_looks_late_sees_the_same_order() {
    let slow = Faults { latency: ms(500), ..Faults::NONE };
    let taken = || {
        let mut road = Road::new(slow);
        road.take(ms(0), &[0]);
        road.faults = Faults { latency: ms(100), reorder: Share::ALL, ..Faults::NONE };
        road.take(ms(0), &[1]);
        road
    };
    // Nothing after it: it comes 100 ms late, and that is before the slow one.
    assert_eq!(taken().order(), [1, 0]);
    let mut late = taken();
    let popped: Vec<_> = std::iter::from_fn(|| late.lane.pop(ms(1_000))).flatten().collect();
    assert_eq!(popped, [1, 0]);
}

#[test]
fn one_that_passes_twice_is_counted() {
    let mut road = Road::new(Faults { duplicate: Share::ALL, ..Faults::NONE });
    road.take(ms(0), &[1]);
    road.take(ms(0), &[2]);
    assert_eq!(road.order(), [1, 1, 2, 2]);
    assert_eq!(road.counts.duplicated, 2);
}

#[test]
fn a_corrupted_datagram_differs_in_one_bit_and_an_empty_one_in_none() {
    let mut road = Road::new(Faults { corrupt: Share::ALL, ..Faults::NONE });
    road.take(ms(0), &[0; 100]);
    road.take(ms(0), &[]);
    let out = road.until(ms(0));
    assert_eq!(out[0].1.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    assert_eq!((out[1].1.len(), road.counts.corrupted), (0, 1));
}

#[test]
fn a_silence_swallows_what_waits_and_what_comes_and_ends() {
    let mut road = Road::new(Faults { latency: ms(50), reorder: Share::ALL, ..Faults::NONE });
    road.take(ms(0), b"abc");
    road.take(ms(0), b"de");
    road.silent = true;
    road.changed(ms(10));
    road.take(ms(20), b"f");
    assert_eq!((road.counts.swallowed, road.lane.next_wake()), (6, None));
    road.silent = false;
    road.faults = Faults::NONE;
    road.changed(ms(30));
    road.take(ms(40), b"g");
    assert_eq!(road.until(ms(40)), [(ms(40), b"g".to_vec())]);
}

#[test]
fn a_change_times_what_waits_anew() {
    let mut road = Road::new(Faults { latency: Duration::from_secs(3_600), ..Faults::NONE });
    road.take(ms(0), &[1]);
    road.faults = Faults::NONE;
    road.changed(ms(100));
    assert_eq!(road.until(ms(100)), [(ms(100), vec![1])]);
}

#[test]
fn too_many_and_too_much_are_dropped_and_counted() {
    let slow = Faults { latency: ms(1), duplicate: Share::ALL, ..Faults::NONE };
    let mut many = Road::new(slow);
    for _ in 0..DATAGRAMS_MAX {
        many.take(ms(0), &[0]);
    }
    assert_eq!(many.counts.overflowed, DATAGRAMS_MAX as u64 / 2);
    assert_eq!(many.order().len(), DATAGRAMS_MAX);
    let mut much = Road::new(Faults { latency: ms(1), ..Faults::NONE });
    for _ in 0..20 {
        much.take(ms(0), &[0; 60_000]);
    }
    let fit = BYTES_MAX / 60_000;
    assert_eq!(much.counts.overflowed, 20 - fit as u64);
    assert_eq!(much.order().len(), fit);
    much.take(ms(10), &[0; 60_000]);
    assert_eq!(much.order().len(), 1, "there is room again");
}

proptest! {
    #[test]
    fn what_is_drawn_for_a_datagram_shows_when_there_is_room_for_it(
        seed: u64,
        shares in proptest::array::uniform4(0..=1_000_000_u32),
        gaps in proptest::collection::vec(0..300_u64, 1..50),
    ) {
        let [loss, corrupt, reorder, duplicate] = shares.map(|ppm| Share::from_ppm(ppm).unwrap());
        let faults = Faults { loss, corrupt, reorder, duplicate, ..Faults::NONE };
        // Whatever the times, and so whatever is under way: all but who is held back is the same.
        let run = |gaps: &[u64]| {
            let (mut road, mut now, mut out) = (Road::seeded(seed, faults), Duration::ZERO, Vec::new());
            for (number, gap) in gaps.iter().enumerate() {
                now += ms(*gap);
                out.extend(road.until(now));
                road.take(now, &[number as u8, 0, 0, 0]);
            }
            out.extend(road.until(Duration::from_secs(1 << 40)));
            let mut out: Vec<_> = out.into_iter().map(|(_, bytes)| bytes).collect();
            out.sort_unstable();
            let WayCounts { lost, corrupted, duplicated, .. } = road.counts;
            (out, [lost, corrupted, duplicated], road.counts.reordered)
        };
        let (spread, counts, _) = run(&gaps);
        let (burst, same, held) = run(&vec![0; gaps.len()]);
        prop_assert_eq!((spread, counts), (burst, same));
        // Far apart, nothing is held back when the next one comes: each is what was drawn for it.
        let (_, _, apart) = run(&vec![1_000; gaps.len()]);
        let drawn = |number| {
            let mut road = Road::seeded(seed, faults);
            road.with(|_, pass| Drawn::of(number, pass))
        };
        let hit = |drawn: &Drawn| !drawn.lost && drawn.reordered;
        let all = (0..gaps.len() as u64).map(drawn).filter(hit).count() as u64;
        prop_assert_eq!(apart, all);
        prop_assert!(held <= all);
    }

    #[test]
    fn every_datagram_is_accounted_for(
        seed: u64,
        shares in proptest::array::uniform4(0..=1_000_000_u32),
        latency in 0..50_u64,
        jitter in 0..50_u64,
        gaps in proptest::collection::vec(0..20_u64, 1..100),
        silences in proptest::collection::vec(any::<bool>(), 1..5),
    ) {
        let [loss, corrupt, reorder, duplicate] = shares.map(|ppm| Share::from_ppm(ppm).unwrap());
        let faults = Faults { latency: ms(latency), jitter: ms(jitter), loss, corrupt, reorder, duplicate, bandwidth: None };
        let mut road = Road::seeded(seed, faults);
        let (mut now, mut out) = (Duration::ZERO, 0);
        for (number, gap) in gaps.iter().enumerate() {
            now += ms(*gap);
            while road.lane.pop(now).is_some() {
                out += 1;
            }
            if number % 20 == 19 {
                road.silent = silences[number / 20 % silences.len()];
                road.changed(now);
            }
            // One byte each, so that what is swallowed counts them.
            road.take(now, &[0]);
        }
        out += road.until(Duration::from_secs(1 << 40)).len() as u64;
        let counts = road.counts;
        prop_assert_eq!(counts.pieces, gaps.len() as u64);
        prop_assert_eq!(out + counts.lost + counts.overflowed + counts.swallowed, counts.pieces + counts.duplicated);
        prop_assert_eq!(road.lane.waiting, 0);
    }
}
