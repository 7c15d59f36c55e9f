use std::cell::RefCell;
use std::rc::Rc;

use super::{Recording, Trace, What};
use crate::plan::Who;

fn three() -> Recording {
    let recording = Rc::new(RefCell::new(Recording::keeping(3)));
    let mut trace = Trace::new(Some(Rc::clone(&recording)));
    let mut cause = 0;
    for at in 1..=5 {
        let happened = What::Wakes.by(Who::Worker(1)).on(7).about(2).value(at);
        cause = trace.note(at, cause, happened, || format!("word {at}"));
    }
    drop(trace);
    Rc::try_unwrap(recording).unwrap().into_inner()
}

#[test]
fn a_recording_keeps_the_last_records_under_their_numbers() {
    let recording = three();
    assert_eq!((recording.last(), recording.get(2), recording.words(2)), (5, None, None));
    let third = recording.get(3).unwrap();
    assert_eq!((third.at, third.cause, third.conn, third.task, third.value), (3, 2, 8, 3, 3));
    assert_eq!(third.who(), Some(Who::Worker(1)));
    assert_eq!(recording.words(5), Some("word 5"));
    assert_eq!(recording.get(6), None);
    assert_eq!(recording.lines(1), ["      0.000000 s  word 5"]);
}

#[test]
fn causes_are_walked_back_to_the_oldest_that_is_kept() {
    let recording = three();
    let numbers: Vec<u32> = recording.causes(5).map(|(number, _)| number).collect();
    assert_eq!(numbers, [5, 4, 3]);
    let all: Vec<u64> = recording.iter().map(|(_, record)| record.at).collect();
    assert_eq!(all, [3, 4, 5]);
}

#[test]
fn the_hash_tells_everything_that_is_noted_apart() {
    let hash = |happened, now| {
        let mut trace = Trace::new(None);
        trace.note(now, 0, happened, || unreachable!("nobody asks for words"));
        trace.hash()
    };
    let one = What::Wakes.by(Who::Coordinator);
    let all = [
        hash(one, 1),
        hash(one, 2),
        hash(What::Wakes.by(Who::Worker(0)), 1),
        hash(What::Wakes.to_nobody(), 1),
        hash(What::Dials.by(Who::Coordinator), 1),
        hash(one.on(0), 1),
        hash(one.about(0), 1),
        hash(one.value(1), 1),
    ];
    for (place, hash) in all.iter().enumerate() {
        assert!(!all[place + 1..].contains(hash), "{place}");
    }
}
