use std::time::Duration;

use moorline_node::{Requeue, Spec, StoreOp, StoreRow};
use moorline_work::{Attempt, TaskId, TaskState};

use crate::world::*;

pub(crate) fn a_claim_goes_by_priority_and_then_by_order(mut world: World) {
    let priorities = [(1, 0), (2, 5), (3, i16::MIN), (4, i16::MAX), (5, 5), (6, -1), (7, 0)];
    for (task, priority) in priorities {
        world.done(submit_as(task, Spec { priority, ..spec() }, b""));
    }
    assert_eq!(world.claim("resize", 10), (vec![4, 2, 5, 1, 7, 6, 3], false, None));
}

pub(crate) fn a_claim_takes_at_most_its_limit_and_says_whether_there_is_more(mut world: World) {
    for task in 1..=5 {
        world.queued(task);
    }
    assert_eq!(world.claim("resize", 0), (vec![], true, None));
    assert_eq!(world.claim("resize", 2), (vec![1, 2], true, None));
    assert_eq!(world.claim("resize", 3), (vec![3, 4, 5], false, None));
    assert_eq!(world.claim("resize", 3), (vec![], false, None));
    assert_eq!(world.claim("resize", u32::MAX), (vec![], false, None));
}

pub(crate) fn what_one_epoch_claimed_it_does_not_claim_again(mut world: World) {
    world.queued(1);
    assert_eq!(world.claim("resize", 10).0, [1]);
    assert_eq!(world.claim("resize", 10).0, []);
    assert_eq!(world.get(1).state, TaskState::Queued, "a claimed task is still queued");
}

pub(crate) fn a_claim_of_a_dead_epoch_is_void(mut world: World) {
    world.queued(1);
    world.queued(2);
    assert_eq!(world.claim("resize", 1).0, [1]);
    world.next_life();
    assert_eq!(world.claim("resize", 10).0, [1, 2]);
    assert_eq!(world.claim("resize", 10).0, []);
}

pub(crate) fn a_claim_takes_only_ready_tasks_of_its_handler(mut world: World) {
    world.queued(1);
    world.done(submit_as(2, Spec { handler: name("resizer"), ..spec() }, b""));
    world.done(submit_as(3, Spec { handler: name("RESIZE"), ..spec() }, b""));
    world.leased(4, 1);
    world.leased(5, 1);
    world.done(retry(5, 1, 100, "later"));
    world.leased(6, 1);
    world.done(succeed(6, 1));
    world.queued(7);
    world.done(cancel(7));
    assert_eq!(world.claim("resize", 10), (vec![1], false, Some(100)));
    assert_eq!(world.claim("resizer", 10), (vec![2], false, None));
    assert_eq!(world.claim("RESIZE", 10), (vec![3], false, None));
    assert_eq!(world.claim("nothing", 10), (vec![], false, None));
}

pub(crate) fn a_claim_says_when_the_next_waiting_task_of_its_handler_is_ready(mut world: World) {
    for (task, delay) in [(1, 500), (2, 200), (3, 900)] {
        world.leased(task, 1);
        world.done(retry(task, 1, delay, "later"));
    }
    assert_eq!(world.claim("resize", 10), (vec![], false, Some(200)));
    world.pass(199);
    assert_eq!(world.claim("resize", 10), (vec![], false, Some(1)));
    world.pass(1);
    assert_eq!(world.claim("resize", 10), (vec![2], false, Some(300)));
    world.pass(1_000);
    assert_eq!(world.claim("resize", 1), (vec![1], true, None));
    assert_eq!(world.claim("resize", 1), (vec![3], false, None));
}

pub(crate) fn a_claim_answers_the_task_with_its_history(mut world: World) {
    let spec = Spec {
        handler: name("resize"),
        priority: 7,
        max_retries: 9,
        timeout: Some(Duration::from_nanos(1)),
    };
    world.done(submit_as(1, spec.clone(), b""));
    world.done(lease(1, 1));
    world.done(retry(1, 1, 0, "again"));
    world.done(lease(1, 2));
    world.done(requeue(1, 2, Requeue::Lost));
    world.next_life();
    let epoch = world.epoch;
    let rows = world.done(StoreOp::Claim { handler: name("resize"), limit: 1, epoch });
    let expected = StoreRow::Task {
        task: TaskId(1),
        order: 1,
        spec,
        attempt: Attempt(2),
        retries: 1,
        lost: 1,
        payload_bytes: 0,
    };
    assert_eq!(rows, [expected]);
}

pub(crate) fn an_unclaimed_task_is_claimed_again(mut world: World) {
    world.queued(1);
    world.queued(2);
    assert_eq!(world.claim("resize", 10).0, [1, 2]);
    assert_eq!(world.done(unclaim(1)), []);
    assert_eq!(world.claim("resize", 10).0, [1]);
}

pub(crate) fn only_a_queued_task_is_unclaimed(mut world: World) {
    assert_eq!(world.refused(unclaim(1)), NOWHERE);
    world.leased(1, 1);
    assert_eq!(world.refused(unclaim(1)), stands(TaskState::Leased, 1));
    world.done(succeed(1, 1));
    assert_eq!(world.refused(unclaim(1)), stands(TaskState::Succeeded, 1));
}
