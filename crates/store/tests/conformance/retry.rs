//! An ended task is queued again for a client.

use moorline_node::{Requeue, StoreRow};
use moorline_store::{Retention, WallTime};
use moorline_work::{Attempt, End, TaskId, TaskState};

use crate::world::*;

const WITHOUT_A_RESULT: [End; 3] = [End::Failed, End::Cancelled, End::Dead];

pub(crate) fn whatever_ended_without_a_result_is_queued_again_with_its_payload(mut world: World) {
    for (task, end) in (1..).zip(WITHOUT_A_RESULT) {
        world.leased(task, 1);
        world.done(finish(task, 1, end, "why"));
        let lost = u32::from(end == End::Dead);
        let row = StoreRow::Task {
            task: TaskId(task),
            order: world.get(task).order,
            spec: spec(),
            attempt: Attempt(1),
            retries: 0,
            lost,
            payload_bytes: 7,
        };
        assert_eq!(world.done(again(task, 1)), [row]);
        let queued = world.get(task);
        assert_eq!((queued.state, queued.finished_at), (TaskState::Queued, None), "{end:?}");
        assert_eq!((queued.attempt, queued.lost, queued.worker), (Attempt(1), lost, None));
        assert_eq!(world.claim("resize", 10), (vec![task], false, None), "by nobody so far");
        let payload = StoreRow::Payload("payload".into());
        assert_eq!(world.done(lease(task, 2)), [payload], "{end:?}");
        world.done(finish(task, 2, End::Succeeded, "at last"));
    }
    let counts = world.reader().counts().expect("counts");
    assert_eq!((counts.by_state, counts.applied_twice), ([0, 0, 3, 0, 0, 0], 0));
}

pub(crate) fn a_task_cancelled_before_its_first_attempt_is_queued_again(mut world: World) {
    world.queued(1);
    world.done(cancel(1));
    assert!(world.get(1).cancel_requested);
    world.done(again(1, 0));
    let queued = world.get(1);
    assert_eq!((queued.state, queued.cancel_requested), (TaskState::Queued, false));
    world.done(lease(1, 1));
}

pub(crate) fn a_success_is_never_retried(mut world: World) {
    world.leased(1, 1);
    world.done(finish(1, 1, End::Succeeded, "done"));
    assert_eq!(world.refused(again(1, 1)), stands(TaskState::Succeeded, 1));
}

pub(crate) fn what_has_not_ended_is_not_retried_and_asking_twice_is_asking_once(mut world: World) {
    assert_eq!(world.refused(again(1, 0)), NOWHERE);
    world.queued(1);
    assert_eq!(world.refused(again(1, 0)), stands(TaskState::Queued, 0));
    world.done(lease(1, 1));
    assert_eq!(world.refused(again(1, 1)), stands(TaskState::Leased, 1));
    world.done(finish(1, 1, End::Failed, "no"));
    world.done(again(1, 1));
    assert_eq!(world.refused(again(1, 1)), stands(TaskState::Queued, 1));
    // The same request once more, after the attempt that it brought has failed, too.
    world.done(lease(1, 2));
    world.done(finish(1, 2, End::Failed, "no"));
    assert_eq!(world.refused(again(1, 1)), stands(TaskState::Failed, 2));
    world.done(again(1, 2));
}

pub(crate) fn a_late_success_of_an_attempt_before_the_retry_counts_once(mut world: World) {
    world.leased(1, 1);
    world.done(finish(1, 1, End::Dead, ""));
    assert_eq!(world.refused(finish(1, 1, End::Succeeded, "late")), stands(TaskState::Dead, 1));
    world.done(again(1, 1));
    world.done(finish(1, 1, End::Succeeded, "late"));
    assert_eq!(
        world.refused(finish(1, 1, End::Succeeded, "late")),
        stands(TaskState::Succeeded, 1)
    );
    assert_eq!(world.refused(again(1, 1)), stands(TaskState::Succeeded, 1));
    assert_eq!(world.get(1).applied, 1);
}

pub(crate) fn a_retried_task_is_adopted_by_the_worker_that_still_runs_it(mut world: World) {
    world.leased(1, 1);
    world.done(finish(1, 1, End::Dead, ""));
    world.done(again(1, 1));
    world.done(adopt(1, 1, 2));
    world.done(requeue(1, 2, Requeue::Returned));
    assert_eq!(world.get(1).attempt, Attempt(2));
}

pub(crate) fn a_retried_task_is_pruned_after_its_new_end_only(mut world: World) {
    world.leased(1, 1);
    world.done(finish(1, 1, End::Failed, "no"));
    world.done(again(1, 1));
    let nothing = Retention { age_millis: 0, count: 0, ..Retention::default() };
    let later = |world: &World| WallTime(world.now.0 + 1_000);
    assert_eq!(world.store.prune(later(&world), &nothing).expect("a pruning").tasks, 0);
    world.done(lease(1, 2));
    world.done(finish(1, 2, End::Failed, "no"));
    assert_eq!(world.store.prune(later(&world), &nothing).expect("a pruning").tasks, 1);
}
