use bytes::Bytes;
use moorline_node::{Requeue, StoreRow};
use moorline_work::{End, Status, TaskId, TaskState};

use crate::world::*;

fn result(world: &World, task: u128) -> Option<Bytes> {
    world.reader().result(TaskId(task)).expect("a reading")
}

pub(crate) fn the_current_attempt_succeeds_and_the_result_is_applied_once(mut world: World) {
    world.leased(1, 1);
    assert_eq!(result(&world, 1), None);
    world.pass(40);
    assert_eq!(world.done(succeed(1, 1)), []);
    let task = world.get(1);
    assert_eq!((task.state, task.attempt.0, task.worker), (TaskState::Succeeded, 1, Some(ANN)));
    assert_eq!((task.finished_at, task.error), (Some(world.now), None));
    assert_eq!((task.result_len, task.applied), (Some(6), 1));
    assert_eq!(result(&world, 1), Some(Bytes::from_static(b"result")));

    assert_eq!(world.refused(succeed(1, 1)), stands(TaskState::Succeeded, 1));
    assert_eq!(world.get(1).applied, 1);
    assert_eq!(world.reader().counts().expect("counts").applied_twice, 0);
}

pub(crate) fn a_late_success_of_an_earlier_attempt_ends_the_task(mut world: World) {
    world.leased(1, 3);
    world.done(finish(1, 2, End::Succeeded, "late"));
    let task = world.get(1);
    assert_eq!((task.state, task.attempt.0, task.applied), (TaskState::Succeeded, 3, 1));
    assert_eq!(task.worker, None, "the holder of the last attempt did not end it");
    assert_eq!(result(&world, 1), Some(Bytes::from_static(b"late")));
    for attempt in 0..=4 {
        let conflict = world.refused(succeed(1, attempt));
        assert_eq!(conflict, stands(TaskState::Succeeded, 2), "told who ended it");
    }
    assert_eq!(world.get(1).applied, 1);
}

pub(crate) fn a_success_of_an_attempt_that_was_requeued_ends_the_task(mut world: World) {
    world.leased(1, 1);
    world.done(retry(1, 1, 500, "slow"));
    world.done(succeed(1, 1));
    let task = world.get(1);
    assert_eq!((task.state, task.worker, task.applied), (TaskState::Succeeded, Some(ANN), 1));
    world.pass(1_000);
    assert_eq!(world.claim("resize", 10), (vec![], false, None));
}

pub(crate) fn a_success_of_an_attempt_never_given_out_is_refused(mut world: World) {
    assert_eq!(world.refused(succeed(1, 1)), NOWHERE);
    world.queued(1);
    assert_eq!(world.refused(succeed(1, 0)), stands(TaskState::Queued, 0));
    assert_eq!(world.refused(succeed(1, 1)), stands(TaskState::Queued, 0));
    world.done(lease(1, 1));
    assert_eq!(world.refused(succeed(1, 0)), stands(TaskState::Leased, 1));
    assert_eq!(world.refused(succeed(1, 2)), stands(TaskState::Leased, 1));
    assert_eq!(world.get(1).applied, 0);
}

pub(crate) fn after_a_success_every_other_end_is_refused_and_told_who_ended_it(mut world: World) {
    world.leased(1, 2);
    world.done(succeed(1, 1));
    for end in [End::Succeeded, End::Failed, End::Cancelled, End::Dead] {
        for attempt in [1, 2] {
            let conflict = world.refused(finish(1, attempt, end, "other"));
            assert_eq!(conflict, stands(TaskState::Succeeded, 1));
        }
    }
    assert_eq!(result(&world, 1), Some(Bytes::from_static(b"result")));
}

pub(crate) fn only_the_current_attempt_fails(mut world: World) {
    assert_eq!(world.refused(finish(1, 1, End::Failed, "no")), NOWHERE);
    world.leased(1, 2);
    assert_eq!(world.refused(finish(1, 1, End::Failed, "no")), stands(TaskState::Leased, 2));
    assert_eq!(world.refused(finish(1, 3, End::Failed, "no")), stands(TaskState::Leased, 2));
    world.done(requeue(1, 2, Requeue::Returned));
    assert_eq!(world.refused(finish(1, 2, End::Failed, "no")), stands(TaskState::Queued, 2));
    world.done(lease(1, 3));
    world.done(finish(1, 3, End::Failed, "no such file"));
    let task = world.get(1);
    assert_eq!((task.state, task.error.as_deref()), (TaskState::Failed, Some("no such file")));
    assert_eq!((task.applied, task.lost, task.result_len), (0, 0, None));
    assert_eq!(task.finished_at, Some(world.now));
    assert_eq!(result(&world, 1), None);
    assert_eq!(world.refused(succeed(1, 1)), stands(TaskState::Failed, 3), "it has ended");
}

pub(crate) fn only_the_current_attempt_is_dead_and_it_counts_as_lost(mut world: World) {
    world.leased(1, 2);
    assert_eq!(world.refused(finish(1, 1, End::Dead, "")), stands(TaskState::Leased, 2));
    world.done(finish(1, 2, End::Dead, ""));
    let task = world.get(1);
    assert_eq!((task.state, task.lost, task.worker), (TaskState::Dead, 1, Some(ANN)));
    world.leased(2, 1);
    world.done(requeue(2, 1, Requeue::Returned));
    assert_eq!(world.refused(finish(2, 1, End::Dead, "")), stands(TaskState::Queued, 1));
}

pub(crate) fn a_cancel_is_confirmed_by_the_current_attempt_or_while_none_is_current(
    mut world: World,
) {
    assert_eq!(world.refused(finish(1, 0, End::Cancelled, "")), NOWHERE);
    world.queued(1);
    assert_eq!(world.refused(finish(1, 1, End::Cancelled, "")), stands(TaskState::Queued, 0));
    world.done(finish(1, 0, End::Cancelled, ""));
    assert_eq!(world.done(lookup(1)), [StoreRow::Status(known(TaskState::Cancelled, 0))]);

    world.leased(2, 2);
    assert_eq!(world.refused(finish(2, 1, End::Cancelled, "")), stands(TaskState::Leased, 2));
    world.done(finish(2, 2, End::Cancelled, ""));
    assert_eq!(world.get(2).state, TaskState::Cancelled);

    world.leased(3, 2);
    world.done(requeue(3, 2, Requeue::Returned));
    world.done(finish(3, 1, End::Cancelled, ""));
    assert_eq!(world.done(lookup(3)), [StoreRow::Status(known(TaskState::Cancelled, 1))]);
}

pub(crate) fn an_empty_result_is_a_result(mut world: World) {
    world.leased(1, 1);
    world.done(finish(1, 1, End::Succeeded, ""));
    assert_eq!(world.get(1).result_len, Some(0));
    assert_eq!(result(&world, 1), Some(Bytes::new()));
    assert_eq!(result(&world, 2), None);
}

pub(crate) fn a_cancel_ends_a_queued_task_and_marks_a_leased_one(mut world: World) {
    let before = |status| [StoreRow::Status(status)];
    assert_eq!(world.done(cancel(1)), before(Status::Unknown));

    world.queued(1);
    assert_eq!(world.done(cancel(1)), before(known(TaskState::Queued, 0)));
    let task = world.get(1);
    assert_eq!((task.state, task.finished_at), (TaskState::Cancelled, Some(START)));
    assert!(task.cancel_requested);
    assert_eq!(world.done(cancel(1)), before(known(TaskState::Cancelled, 0)), "again");

    world.leased(2, 1);
    assert_eq!(world.done(cancel(2)), before(known(TaskState::Leased, 1)));
    let task = world.get(2);
    assert_eq!((task.state, task.finished_at), (TaskState::Leased, None));
    assert!(task.cancel_requested);

    world.leased(3, 1);
    world.done(succeed(3, 1));
    assert_eq!(world.done(cancel(3)), before(known(TaskState::Succeeded, 1)));
    assert!(!world.get(3).cancel_requested, "nothing changes a task that has ended");
}

pub(crate) fn a_mark_survives_the_return_to_the_queue(mut world: World) {
    world.leased(1, 1);
    world.done(cancel(1));
    world.done(requeue(1, 1, Requeue::Lost));
    assert!(world.get(1).cancel_requested);
    world.done(finish(1, 1, End::Cancelled, ""));
    assert_eq!(world.get(1).state, TaskState::Cancelled);
}

pub(crate) fn a_success_wins_over_a_cancel_that_is_not_confirmed(mut world: World) {
    world.leased(1, 1);
    world.done(cancel(1));
    world.done(succeed(1, 1));
    assert_eq!(world.get(1).state, TaskState::Succeeded);
    assert_eq!(world.refused(finish(1, 1, End::Cancelled, "")), stands(TaskState::Succeeded, 1));
}

pub(crate) fn the_last_error_stays_until_a_success(mut world: World) {
    let error = |world: &World, task| world.get(task).error;
    world.leased(1, 1);
    world.done(retry(1, 1, 0, "first"));
    world.done(lease(1, 2));
    world.done(requeue(1, 2, Requeue::Lost));
    assert_eq!(error(&world, 1).as_deref(), Some("first"), "a loss has no words");
    world.done(lease(1, 3));
    world.done(retry(1, 3, 0, ""));
    assert_eq!(error(&world, 1), None, "a failure without words replaces the last words");
    world.done(lease(1, 4));
    world.done(retry(1, 4, 0, "second"));
    world.done(lease(1, 5));
    world.done(succeed(1, 5));
    assert_eq!(error(&world, 1), None);

    world.leased(2, 1);
    world.done(retry(2, 1, 0, "first"));
    world.done(lease(2, 2));
    world.done(finish(2, 2, End::Dead, ""));
    assert_eq!(error(&world, 2).as_deref(), Some("first"));

    world.leased(3, 1);
    let not_text = Bytes::from_static(b"\xffbroken\0");
    world.done(moorline_node::StoreOp::Finish { key: key(3, 1), end: End::Failed, body: not_text });
    assert_eq!(error(&world, 3).as_deref(), Some("\u{fffd}broken\0"));
}
