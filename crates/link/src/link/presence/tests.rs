use core::time::Duration;

use super::{Asked, Beats, is_after};
use crate::{Beat, Flags, Instant};

fn beat(seq: u32) -> Beat {
    Beat { seq, flags: Flags::default(), free: 0, quiet: true, rtt_micros: 0 }
}

fn beats() -> Beats {
    let second = Duration::from_secs(1);
    Beats::new(5 * second, second, 15 * second, Instant::ZERO)
}

#[test]
fn the_numbers_of_beats_go_around_and_are_still_matched() {
    let mut beats = beats();
    beats.last = u32::MAX - 2;
    let mut written = Vec::new();
    for i in 0..5 {
        let seq = beats.next_seq();
        beats.written(Instant::from_nanos(i), beat(seq));
        written.push(seq);
    }
    // Zero means none, so it is not a number.
    assert_eq!(written, [u32::MAX - 1, u32::MAX, 1, 2, 3]);
    assert!(written.iter().all(|seq| beats.was_written(*seq)));
    assert!(!beats.was_written(4) && !beats.was_written(0));
    assert!(is_after(1, u32::MAX) && !is_after(u32::MAX, 1));
    assert!(Asked::Written(u32::MAX).answered_by(2) && !Asked::Written(2).answered_by(u32::MAX));
    let at = beats.take(u32::MAX).map(|sent| sent.at);
    assert_eq!(at, Some(Instant::from_nanos(1)));
    assert!(beats.take(u32::MAX).is_none(), "an answer counts once");
}

#[test]
fn of_more_beats_under_way_than_are_kept_the_oldest_are_forgotten() {
    let mut beats = beats();
    for seq in 1..=9 {
        beats.written(Instant::from_nanos(u64::from(seq)), beat(seq));
    }
    assert!(beats.was_written(1) && beats.take(1).is_none());
    assert!(beats.take(2).is_some() && beats.take(9).is_some());
}
