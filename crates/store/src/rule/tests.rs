use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{Done, Name, Persist, PersistId, Spec, StoreOp, StorePlacement};
use moorline_work::{Incarnation, TaskId, WorkerId};

use super::{
    Finished, Owed, PRUNE_BYTES, PRUNE_EVENTS, PRUNE_TASKS, delay_millis, next_epoch, ready_at,
};
use crate::{Retention, WallTime};

const KEEP_ALL: Retention = Retention {
    age_millis: u64::MAX,
    count: u64::MAX,
    event_age_millis: u64::MAX,
    event_count: u64::MAX,
    forget_millis: u64::MAX,
};

fn finished(count: u64, bytes: u64) -> impl Iterator<Item = Finished> {
    (1..=count).map(move |place| Finished { place, at: place * 10, bytes })
}

fn prunable(
    now: WallTime,
    retention: &Retention,
    count: u64,
    oldest: impl Iterator<Item = Finished>,
) -> Vec<u64> {
    let Ok(places) = super::prunable(now, retention, count, oldest.map(Ok::<_, Infallible>));
    places
}

#[test]
fn an_epoch_follows_the_clock_and_never_goes_back() {
    let first = next_epoch(Epoch(0), WallTime(1_700_000_000_000));
    assert_eq!(first, Epoch(1_700_000_000_000_000_000));
    assert_eq!(next_epoch(first, WallTime(1_700_000_000_000)), Epoch(first.0 + 1));
    assert_eq!(next_epoch(first, WallTime(5)), Epoch(first.0 + 1));
    assert_eq!(next_epoch(Epoch(0), WallTime(0)), Epoch(1));
    assert!(next_epoch(Epoch(0), WallTime(u64::MAX)).0 <= i64::MAX.unsigned_abs());
}

#[test]
fn a_delay_is_never_shortened() {
    assert_eq!(delay_millis(Duration::ZERO), 0);
    assert_eq!(delay_millis(Duration::from_nanos(1)), 1);
    assert_eq!(delay_millis(Duration::from_millis(7)), 7);
    assert_eq!(delay_millis(Duration::new(1, 1)), 1_001);
    assert_eq!(ready_at(WallTime(5), Duration::MAX), i64::MAX.unsigned_abs());
}

#[test]
fn retention_takes_the_old_and_the_surplus_and_nothing_else() {
    let age = Retention { age_millis: 25, ..KEEP_ALL };
    // Ended at 10, 20, 30, 40; at 50 those of 10 and 20 are older than 25.
    assert_eq!(prunable(WallTime(50), &age, 4, finished(4, 0)), [1, 2]);
    assert_eq!(prunable(WallTime(45), &age, 4, finished(4, 0)), [1], "exactly the age is kept");
    let count = Retention { count: 1, ..KEEP_ALL };
    assert_eq!(prunable(WallTime(50), &count, 4, finished(4, 0)), [1, 2, 3]);
    assert_eq!(prunable(WallTime(50), &KEEP_ALL, 4, finished(4, 0)), [0_u64; 0]);
}

#[test]
fn no_task_behind_the_first_that_stays_is_read() {
    let read = (0..).map(|n| if n < 3 { Ok(n) } else { Err("read too far") });
    let tasks = read.map(|task| task.map(|n| Finished { place: n, at: n, bytes: 0 }));
    let count = Retention { count: 8, ..KEEP_ALL };
    assert_eq!(super::prunable(WallTime(50), &count, 10, tasks), Ok(vec![0, 1]));
}

#[test]
fn one_call_prunes_a_bounded_number_and_a_bounded_size() {
    let none = Retention { count: 0, ..KEEP_ALL };
    assert_eq!(prunable(WallTime(0), &none, 5_000, finished(5_000, 0)).len(), PRUNE_TASKS);
    let huge = PRUNE_BYTES;
    assert_eq!(prunable(WallTime(0), &none, 5_000, finished(5_000, huge)), [1]);
    assert_eq!(prunable(WallTime(0), &none, 5_000, finished(5_000, huge / 2)), [1, 2]);
}

#[test]
fn a_submission_that_leases_owes_the_pruning_of_two_events() {
    let owed = |placement| {
        let spec = Spec {
            handler: Name::new("h").expect("a name"),
            priority: 0,
            max_retries: 0,
            timeout: None,
        };
        let op = StoreOp::Submit { task: TaskId(1), spec, payload: Bytes::new(), placement };
        let mut owed = Owed::default();
        for _ in 0..PRUNE_EVENTS / 4 {
            let batch = [Persist { id: PersistId(1), op: op.clone() }];
            owed.add(&batch, &[Done::default()]);
        }
        owed.is_due()
    };
    let (worker, incarnation) = (WorkerId(1), Incarnation(1));
    assert!(owed(StorePlacement::Leased { worker, incarnation }));
    assert!(!owed(StorePlacement::Unclaimed));
    assert!(!owed(StorePlacement::Claimed { epoch: Epoch(1) }));
}
