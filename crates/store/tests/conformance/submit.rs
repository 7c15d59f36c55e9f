use std::time::Duration;

use bytes::Bytes;
use moorline_node::{Requeue, Spec, StoreOp, StorePlacement, StoreRow};
use moorline_store::TaskRecord;
use moorline_work::{Conflict, End, TaskState};

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
    let epoch = world.epoch;
    world.done(placed(1, spec(), b"payload", StorePlacement::Claimed { epoch }));
    world.queued(2);
    assert_eq!(world.claim("resize", 10), (vec![2], false, None));
    world.next_life();
    assert_eq!(world.claim("resize", 10), (vec![1, 2], false, None));
}

pub(crate) fn a_task_submitted_with_a_lease_is_leased_as_one_that_was_queued_before(
    mut world: World,
) {
    world.done(StoreOp::Worker(worker(ANN, "ann", FIRST_RUN)));
    assert_eq!(world.done(submit_leased(1)), [StoreRow::Submitted { order: 1 }]);
    world.queued(2);
    world.done(lease(2, 1));
    let [second, first] = &world.all()[..] else { panic!("two tasks") };
    assert_eq!((first.state, first.attempt.0, first.worker), (TaskState::Leased, 1, Some(ANN)));
    let same = TaskRecord { task: first.task, order: first.order, ..second.clone() };
    assert_eq!(*first, same);
    let counts = world.reader().counts().expect("counts");
    assert_eq!(counts.by_state, [0, 2, 0, 0, 0, 0]);
    assert_eq!(counts.oldest_queued, None);

    // A new life reads both; nobody can claim them.
    world.next_life();
    let leases = world.done(StoreOp::Leases);
    let lease_of = |task: u128, order| StoreRow::Lease {
        key: key(task, 1),
        order,
        spec: spec(),
        retries: 0,
        lost: 0,
        worker: ANN,
        incarnation: FIRST_RUN,
        cancel_requested: false,
        payload_bytes: 7,
    };
    assert_eq!(leases, [lease_of(1, 1), lease_of(2, 2)]);
    assert_eq!(world.claim("resize", 9), (vec![], false, None));
    assert_eq!(world.done(lookup(1)), [StoreRow::Status(known(TaskState::Leased, 1))]);
    assert_eq!(world.refused(lease(1, 1)), stands(TaskState::Leased, 1));
    assert_eq!(world.refused(lease(1, 2)), stands(TaskState::Leased, 1));
}

pub(crate) fn a_task_submitted_with_a_lease_goes_every_way_a_leased_one_goes(mut world: World) {
    for task in 1..=6 {
        world.done(submit_leased(task));
    }
    world.done(succeed(1, 1));
    assert_eq!((world.get(1).state, world.get(1).applied), (TaskState::Succeeded, 1));
    assert_eq!(world.get(1).worker, Some(ANN));
    world.done(requeue(2, 1, Requeue::Lost));
    assert_eq!((world.get(2).state, world.get(2).lost), (TaskState::Queued, 1));
    let payload = StoreRow::Payload(Bytes::from_static(b"payload"));
    assert_eq!(world.done(lease(2, 2)), [payload], "it is kept for further attempts");
    world.done(adopt(3, 1, 2));
    assert_eq!(world.get(3).worker, Some(BOB));
    world.done(cancel(4));
    assert!(world.get(4).cancel_requested);
    world.done(finish(4, 1, End::Cancelled, ""));
    world.done(finish(5, 1, End::Failed, "no"));
    assert_eq!(world.get(5).error.as_deref(), Some("no"));
    world.done(again(5, 1));
    assert_eq!(world.claim("resize", 9), (vec![5], false, None));
    // Returned, it is in its place in the order again.
    world.done(requeue(6, 1, Requeue::Returned));
    world.queued(7);
    world.next_life();
    assert_eq!(world.claim("resize", 9), (vec![5, 6, 7], false, None));
}

pub(crate) fn a_lease_that_is_submitted_under_an_id_that_is_taken_leases_nothing(mut world: World) {
    world.queued(1);
    assert_eq!(world.refused(submit_leased(1)), Conflict::Exists { same: true });
    let (worker, incarnation) = (BOB, SECOND_RUN);
    let other = placed(1, spec(), b"other", StorePlacement::Leased { worker, incarnation });
    assert_eq!(world.refused(other.clone()), Conflict::Exists { same: false });
    world.done(lease(1, 1));
    assert_eq!(world.refused(other), Conflict::Exists { same: false });
    assert_eq!(world.get(1).worker, Some(ANN));
    world.done(succeed(1, 1));
    assert_eq!(world.refused(submit_leased(1)), Conflict::Exists { same: true });
    assert_eq!(world.store.waits(), [Duration::ZERO; 0], "nothing was given out");
    assert_eq!(world.done(submit(2)), [StoreRow::Submitted { order: 2 }], "no place is wasted");
}
