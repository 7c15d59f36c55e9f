use std::time::Duration;

use bytes::Bytes;
use moorline_node::{Requeue, Spec, StoreOp, StoreRow};
use moorline_work::{End, Status, TaskState};

use crate::world::*;

pub(crate) fn a_lease_needs_a_queued_task_and_the_next_attempt_and_answers_the_payload(
    mut world: World,
) {
    assert_eq!(world.refused(lease(1, 1)), NOWHERE);
    world.queued(1);
    for attempt in [0, 2, u32::MAX] {
        assert_eq!(world.refused(lease(1, attempt)), stands(TaskState::Queued, 0), "{attempt}");
    }
    let payload = StoreRow::Payload(Bytes::from_static(b"payload"));
    assert_eq!(world.done(lease(1, 1)), std::slice::from_ref(&payload));
    let task = world.get(1);
    assert_eq!((task.state, task.attempt.0, task.worker), (TaskState::Leased, 1, Some(ANN)));

    world.done(requeue(1, 1, Requeue::Returned));
    assert_eq!(world.refused(lease(1, 1)), stands(TaskState::Queued, 1), "attempts never go back");
    assert_eq!(world.done(lease(1, 2)), [payload], "the payload is kept for further attempts");

    world.done(submit_as(2, spec(), b""));
    assert_eq!(world.done(lease(2, 1)), [StoreRow::Payload(Bytes::new())]);
}

pub(crate) fn a_lease_that_comes_too_late_says_how_the_task_stands(mut world: World) {
    world.leased(1, 1);
    assert_eq!(world.refused(lease(1, 2)), stands(TaskState::Leased, 1));
    assert_eq!(world.refused(lease(1, 1)), stands(TaskState::Leased, 1));
}

pub(crate) fn a_commit_tells_how_long_those_had_waited_that_it_gave_out_first(mut world: World) {
    world.queued(1);
    world.pass(250);
    world.queued(2);
    world.pass(1_000);
    assert_eq!(world.store.waits(), [Duration::ZERO; 0]);
    world.batch([lease(1, 1), lease(2, 1), lease(3, 1)]);
    let waits = [1_250, 1_000].map(Duration::from_millis);
    assert_eq!(world.store.waits(), waits, "the third does not exist");
    world.done(requeue(1, 1, Requeue::Lost));
    world.pass(9_000);
    world.done(lease(1, 2));
    assert_eq!(world.store.waits(), [Duration::ZERO; 0], "it was not in the queue all the time");
}

pub(crate) fn a_task_leased_with_its_submission_has_waited_for_nothing(mut world: World) {
    world.queued(1);
    world.pass(40);
    world.batch([submit_leased(2), lease(1, 1), submit_leased(1)]);
    assert_eq!(world.store.waits(), [0, 40].map(Duration::from_millis), "the third is taken");
    world.done(submit(3));
    assert_eq!(world.store.waits(), [Duration::ZERO; 0]);
}

pub(crate) fn the_oldest_queued_task_is_the_one_that_was_submitted_first(mut world: World) {
    let oldest = |world: &World| world.reader().counts().expect("counts").oldest_queued;
    assert_eq!(oldest(&world), None);
    let first = world.now;
    world.queued(9);
    world.pass(500);
    let second = world.now;
    world.queued(1);
    assert_eq!(oldest(&world), Some(first));
    world.done(lease(9, 1));
    assert_eq!(oldest(&world), Some(second), "who is leased is not queued");
    world.done(requeue(9, 1, Requeue::Returned));
    assert_eq!(oldest(&world), Some(first), "back in its place");
    world.done(cancel(9));
    world.done(cancel(1));
    assert_eq!(oldest(&world), None);
}

pub(crate) fn leases_are_read_with_all_that_a_new_life_needs(mut world: World) {
    assert_eq!(world.done(StoreOp::Leases), []);
    let spec_of_2 = Spec {
        handler: name("shrink"),
        priority: 3,
        max_retries: 2,
        timeout: Some(Duration::from_secs(9)),
    };
    world.queued(5);
    world.done(submit_as(2, spec_of_2.clone(), b"x"));
    world.done(lease(2, 1));
    world.done(retry(2, 1, 50, "again"));
    world.done(lease(2, 2));
    world.done(requeue(2, 2, Requeue::Lost));
    world.done(lease(2, 3));
    world.done(cancel(2));
    world.leased(1, 1);
    world.done(adopt(1, 1, 2));
    world.leased(3, 1);
    world.done(succeed(3, 1));
    world.next_life();
    let expected = [
        StoreRow::Lease {
            key: key(2, 3),
            order: 2,
            spec: spec_of_2,
            retries: 1,
            lost: 1,
            worker: ANN,
            incarnation: FIRST_RUN,
            cancel_requested: true,
            payload_bytes: 1,
        },
        StoreRow::Lease {
            key: key(1, 2),
            order: 3,
            spec: spec(),
            retries: 0,
            lost: 0,
            worker: BOB,
            incarnation: SECOND_RUN,
            cancel_requested: false,
            payload_bytes: 7,
        },
    ];
    assert_eq!(world.done(StoreOp::Leases), expected);
}

pub(crate) fn a_queued_or_leased_task_is_adopted_only_from_its_last_attempt(mut world: World) {
    assert_eq!(world.refused(adopt(1, 1, 2)), NOWHERE);
    world.leased(1, 2);
    assert_eq!(world.refused(adopt(1, 1, 3)), stands(TaskState::Leased, 2));
    assert_eq!(world.refused(adopt(1, 3, 4)), stands(TaskState::Leased, 2));
    assert_eq!(world.refused(adopt(1, 2, 2)), stands(TaskState::Leased, 2), "never twice");
    assert_eq!(world.refused(adopt(1, 2, 1)), stands(TaskState::Leased, 2), "never back");
    let made = |attempt| StoreRow::Lease {
        key: key(1, attempt),
        order: 1,
        spec: spec(),
        retries: 0,
        lost: 0,
        worker: BOB,
        incarnation: SECOND_RUN,
        cancel_requested: false,
        payload_bytes: 7,
    };
    assert_eq!(world.done(adopt(1, 2, 3)), [made(3)]);
    world.done(requeue(1, 3, Requeue::Returned));
    assert_eq!(world.refused(adopt(1, 2, 4)), stands(TaskState::Queued, 3));
    assert_eq!(world.done(adopt(1, 3, 4)), [made(4)]);
    let task = world.get(1);
    assert_eq!((task.state, task.attempt.0, task.worker), (TaskState::Leased, 4, Some(BOB)));
}

pub(crate) fn an_adopted_attempt_fences_the_old_one(mut world: World) {
    world.leased(1, 1);
    world.done(adopt(1, 1, 2));
    let now = stands(TaskState::Leased, 2);
    assert_eq!(world.refused(requeue(1, 1, Requeue::Lost)), now);
    assert_eq!(world.refused(finish(1, 1, End::Failed, "no")), now);
    assert_eq!(world.refused(finish(1, 1, End::Cancelled, "")), now);
    assert_eq!(world.refused(finish(1, 1, End::Dead, "")), now);
}

pub(crate) fn a_task_that_has_ended_is_neither_leased_nor_adopted(mut world: World) {
    for (task, end) in [(1, End::Succeeded), (2, End::Failed), (3, End::Cancelled), (4, End::Dead)]
    {
        world.leased(task, 1);
        world.done(finish(task, 1, end, ""));
        let state = world.get(task).state;
        assert!(state.is_final());
        assert_eq!(world.refused(lease(task, 2)), stands(state, 1));
        assert_eq!(world.refused(adopt(task, 1, 2)), stands(state, 1));
        assert_eq!(world.refused(requeue(task, 1, Requeue::Returned)), stands(state, 1));
    }
    assert_eq!(world.done(StoreOp::Leases), []);
    assert_eq!(world.claim("resize", 10).0, []);
}

pub(crate) fn a_lookup_says_where_a_task_stands(mut world: World) {
    let expect = |world: &mut World, status| {
        assert_eq!(world.done(lookup(1)), [StoreRow::Status(status)]);
    };
    expect(&mut world, Status::Unknown);
    world.queued(1);
    expect(&mut world, known(TaskState::Queued, 0));
    world.done(lease(1, 1));
    expect(&mut world, known(TaskState::Leased, 1));
    world.done(requeue(1, 1, Requeue::Returned));
    expect(&mut world, known(TaskState::Queued, 1));
    world.done(lease(1, 2));
    world.done(finish(1, 1, End::Succeeded, ""));
    expect(&mut world, known(TaskState::Succeeded, 1));
}
