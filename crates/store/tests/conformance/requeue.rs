use std::time::Duration;

use moorline_node::{Requeue, StoreRow};
use moorline_store::WallTime;
use moorline_work::TaskState;

use crate::world::*;

pub(crate) fn a_returned_task_counts_for_nothing_and_stays_claimed(mut world: World) {
    world.leased(1, 1);
    assert_eq!(world.done(requeue(1, 1, Requeue::Returned)), []);
    let task = world.get(1);
    assert_eq!((task.state, task.attempt.0), (TaskState::Queued, 1));
    assert_eq!((task.retries, task.lost, task.worker), (0, 0, None));
    assert_eq!(world.claim("resize", 10), (vec![], false, None));
    world.done(unclaim(1));
    assert_eq!(world.claim("resize", 10), (vec![1], false, None));
}

pub(crate) fn a_lost_task_counts_as_lost_and_stays_claimed(mut world: World) {
    world.leased(1, 1);
    assert_eq!(world.done(requeue(1, 1, Requeue::Lost)), []);
    world.done(lease(1, 2));
    assert_eq!(world.done(requeue(1, 2, Requeue::Lost)), []);
    let task = world.get(1);
    assert_eq!((task.retries, task.lost, task.error), (0, 2, None));
    assert_eq!(world.claim("resize", 10), (vec![], false, None));
    assert_eq!(world.reader().counts().expect("counts").lost_attempts, 2);
}

pub(crate) fn a_retry_counts_waits_and_is_not_claimed(mut world: World) {
    world.leased(1, 1);
    let delay = Duration::from_millis(250);
    assert_eq!(world.done(retry(1, 1, 250, "disk full")), [StoreRow::ReadyIn { delay }]);
    let task = world.get(1);
    assert_eq!((task.retries, task.lost), (1, 0));
    assert_eq!(task.error.as_deref(), Some("disk full"));
    assert_eq!(world.claim("resize", 10), (vec![], false, Some(250)));
    world.pass(250);
    assert_eq!(world.claim("resize", 10), (vec![1], false, None));
}

pub(crate) fn a_retry_without_a_delay_is_ready_at_once(mut world: World) {
    world.leased(1, 1);
    let delay = Duration::ZERO;
    assert_eq!(world.done(retry(1, 1, 0, "")), [StoreRow::ReadyIn { delay }]);
    assert_eq!(world.claim("resize", 10), (vec![1], false, None));
}

pub(crate) fn only_the_current_attempt_returns_a_task(mut world: World) {
    assert_eq!(world.refused(requeue(1, 0, Requeue::Returned)), NOWHERE);
    world.queued(1);
    assert_eq!(world.refused(requeue(1, 0, Requeue::Returned)), stands(TaskState::Queued, 0));
    world.done(lease(1, 1));
    for attempt in [0, 2] {
        for cause in
            [Requeue::Returned, Requeue::Lost, Requeue::Retry { delay: Duration::from_secs(1) }]
        {
            let conflict = world.refused(requeue(1, attempt, cause));
            assert_eq!(conflict, stands(TaskState::Leased, 1));
        }
    }
    world.done(requeue(1, 1, Requeue::Returned));
    assert_eq!(world.refused(requeue(1, 1, Requeue::Returned)), stands(TaskState::Queued, 1));
}

pub(crate) fn a_lease_of_an_earlier_life_returned_by_this_one_is_claimed_by_this_one(
    mut world: World,
) {
    world.leased(1, 1);
    world.next_life();
    world.done(requeue(1, 1, Requeue::Lost));
    assert_eq!(world.claim("resize", 10), (vec![], false, None));
    world.next_life();
    assert_eq!(world.claim("resize", 10), (vec![1], false, None));
}

pub(crate) fn a_retry_waits_no_longer_when_the_clock_was_set_back_between_two_lives(
    mut world: World,
) {
    world.leased(1, 1);
    world.done(retry(1, 1, 500, ""));
    world.pass(200);
    world.queued(2);
    world.now = WallTime(world.now.0 - 3_600_000);
    world.next_life();
    assert_eq!(world.claim("resize", 10), (vec![2], false, Some(300)), "what was left of it");
    world.done(cancel(2));
    world.pass(300);
    assert_eq!(world.claim("resize", 10), (vec![1], false, None));
    // One that would have been ready before the clock began has waited long enough.
    world.done(lease(1, 2));
    world.done(retry(1, 2, 500, ""));
    world.now = WallTime(0);
    world.next_life();
    world.pass(500);
    assert_eq!(world.claim("resize", 10), (vec![1], false, None));
    // Nor is anything earlier because the clock went on.
    world.done(lease(1, 3));
    world.done(retry(1, 3, 500, ""));
    world.pass(100);
    world.next_life();
    assert_eq!(world.claim("resize", 10), (vec![], false, Some(400)));
}
