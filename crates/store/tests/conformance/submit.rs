use std::time::Duration;

use bytes::Bytes;
use moorline_node::{Spec, StoreOp, StoreRow};
use moorline_work::{Conflict, End, TaskId, TaskState};

use crate::world::*;

pub(crate) fn a_submitted_task_is_queued_and_its_order_grows(mut world: World) {
    assert_eq!(world.done(submit(9)), [StoreRow::Submitted { order: 1 }]);
    assert_eq!(world.done(submit(3)), [StoreRow::Submitted { order: 2 }]);
    assert_eq!(world.refused(submit(3)), Conflict::Exists { same: true });
    assert_eq!(world.done(submit(5)), [StoreRow::Submitted { order: 3 }], "no place is wasted");
    let task = world.get(9);
    assert_eq!((task.state, task.attempt.0, task.applied), (TaskState::Queued, 0, 0));
    assert_eq!((task.submitted_at, task.finished_at), (START, None));
}

pub(crate) fn submitting_the_same_again_conflicts_and_says_that_it_is_the_same(mut world: World) {
    world.queued(1);
    assert_eq!(world.refused(submit(1)), Conflict::Exists { same: true });
    world.done(lease(1, 1));
    assert_eq!(world.refused(submit(1)), Conflict::Exists { same: true });
}

pub(crate) fn a_task_that_differs_in_anything_is_not_the_same(mut world: World) {
    let full = Spec {
        handler: name("resize"),
        priority: -3,
        max_retries: 4,
        timeout: Some(Duration::new(5, 6)),
    };
    world.done(submit_as(1, full.clone(), b"payload"));
    let differ = [
        submit_as(1, Spec { handler: name("Resize"), ..full.clone() }, b"payload"),
        submit_as(1, Spec { priority: 3, ..full.clone() }, b"payload"),
        submit_as(1, Spec { max_retries: 5, ..full.clone() }, b"payload"),
        submit_as(1, Spec { timeout: Some(Duration::new(5, 7)), ..full.clone() }, b"payload"),
        submit_as(1, Spec { timeout: None, ..full.clone() }, b"payload"),
        submit_as(1, full.clone(), b"payloads"),
        submit_as(1, full.clone(), b""),
    ];
    for op in differ {
        assert_eq!(world.refused(op.clone()), Conflict::Exists { same: false }, "{op:?}");
    }
    assert_eq!(world.refused(submit_as(1, full, b"payload")), Conflict::Exists { same: true });
}

pub(crate) fn a_task_is_the_same_after_it_has_ended(mut world: World) {
    for (task, end) in [(1, End::Succeeded), (2, End::Failed), (3, End::Cancelled), (4, End::Dead)]
    {
        world.leased(task, 1);
        world.done(finish(task, 1, end, "body"));
        assert_eq!(world.refused(submit(task)), Conflict::Exists { same: true });
        let other = submit_as(task, spec(), b"other");
        assert_eq!(world.refused(other), Conflict::Exists { same: false });
    }
}

pub(crate) fn a_task_submitted_with_a_claim_is_not_claimed_again_by_that_epoch(mut world: World) {
    let claim = Some(world.epoch);
    let payload = Bytes::from_static(b"payload");
    world.done(StoreOp::Submit { task: TaskId(1), spec: spec(), payload, claim });
    world.queued(2);
    assert_eq!(world.claim("resize", 10), (vec![2], false, None));
    world.next_life();
    assert_eq!(world.claim("resize", 10), (vec![1, 2], false, None));
}
