use std::time::Duration;

use bytes::Bytes;
use moorline_node::{Name, Spec};
use moorline_work::{Attempt, Incarnation, TaskKey, WorkerId};

use super::*;

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn key(task: u128) -> TaskKey {
    TaskKey { task: TaskId(task), attempt: Attempt(1) }
}

fn lease(task: u128) -> StoreOp {
    StoreOp::Lease { key: key(task), worker: WorkerId(1), incarnation: Incarnation(1) }
}

fn requeue(task: u128, cause: Requeue) -> StoreOp {
    StoreOp::Requeue { key: key(task), cause, error: Bytes::new() }
}

fn finish(task: u128, end: End) -> StoreOp {
    StoreOp::Finish { key: key(task), end, body: Bytes::new() }
}

#[test]
fn work_is_lost_from_the_lease_to_the_loss_and_by_nothing_that_was_of_use() {
    let (mut clock, tally) = (LeaseClock::default(), CoordinatorTally::default());
    let mut durable = |now, op: StoreOp| clock.turn(at(now), Turn::of(&op), &[], &tally);
    let retry = Requeue::Retry { delay: Duration::from_secs(9) };
    for task in 1..=6 {
        durable(10, lease(task));
    }
    durable(13, requeue(1, Requeue::Lost));
    durable(14, finish(2, End::Dead));
    durable(20, requeue(3, retry));
    durable(50, requeue(4, Requeue::Returned));
    durable(60, finish(5, End::Succeeded));
    durable(70, finish(6, End::Failed));
    let lost: Vec<_> = tally.work_lost.iter().collect();
    assert_eq!(lost, [("worker_lost", 7_000_000_000), ("retried", 10_000_000_000)]);
    let ends: Vec<_> = tally.finished.iter().collect();
    assert_eq!(ends, [("succeeded", 1), ("failed", 1), ("cancelled", 0), ("dead", 1)]);
    assert!(clock.0.is_empty(), "it holds as many as there are leases");
}

#[test]
fn a_lease_that_comes_with_the_submission_is_counted_like_any_other() {
    let (mut clock, tally) = (LeaseClock::default(), CoordinatorTally::default());
    let mut durable = |now, op: StoreOp| clock.turn(at(now), Turn::of(&op), &[], &tally);
    let spec = Spec {
        handler: Name::new("h").expect("a name"),
        priority: 0,
        max_retries: 0,
        timeout: None,
    };
    let (worker, incarnation) = (WorkerId(1), Incarnation(1));
    let placements = [StorePlacement::Leased { worker, incarnation }, StorePlacement::Unclaimed];
    for (task, placement) in (1..).map(TaskId).zip(placements) {
        let (spec, payload) = (spec.clone(), Bytes::new());
        durable(10, StoreOp::Submit { task, spec, payload, placement });
    }
    durable(13, requeue(1, Requeue::Lost));
    durable(14, requeue(2, Requeue::Lost));
    assert_eq!(tally.work_lost.total(), 3_000_000_000);
}

#[test]
fn a_task_that_is_leased_again_is_counted_from_then_on() {
    let (mut clock, tally) = (LeaseClock::default(), CoordinatorTally::default());
    let mut durable = |now, op: StoreOp| clock.turn(at(now), Turn::of(&op), &[], &tally);
    durable(0, lease(1));
    durable(5, requeue(1, Requeue::Lost));
    durable(100, lease(1));
    durable(101, requeue(1, Requeue::Lost));
    assert_eq!(tally.work_lost.total(), 6_000_000_000);
}
