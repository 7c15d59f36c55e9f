use moorline_node::{Done, Requeue, StoreOp, StoreRow};
use moorline_store::WallTime;
use moorline_work::{Conflict, TaskState};

use crate::world::*;

fn conflict(conflict: Conflict) -> Done {
    Done { rows: Vec::new(), conflict: Some(conflict) }
}

pub(crate) fn a_conflict_leaves_the_rest_of_its_batch_alone(mut world: World) {
    world.leased(1, 1);
    let answers = world.batch([
        submit(2),
        succeed(9, 1),
        lease(1, 2),
        submit(1),
        lease(2, 1),
        requeue(1, 1, Requeue::Lost),
    ]);
    assert_eq!(answers[0].rows, [StoreRow::Submitted { order: 2 }]);
    assert_eq!(answers[1], conflict(NOWHERE));
    assert_eq!(answers[2], conflict(stands(TaskState::Leased, 1)));
    assert_eq!(answers[3], conflict(Conflict::Exists { same: true }));
    assert_eq!(answers[4].conflict, None);
    assert_eq!(answers[5], Done::default());
    assert_eq!(world.get(1).state, TaskState::Queued);
    assert_eq!(world.get(2).state, TaskState::Leased);
}

pub(crate) fn an_operation_sees_what_came_before_it_in_its_batch(mut world: World) {
    let epoch = world.epoch;
    let answers = world.batch([
        submit(1),
        StoreOp::Claim { handler: name("resize"), limit: 9, epoch },
        StoreOp::Claim { handler: name("resize"), limit: 9, epoch },
        lease(1, 1),
        succeed(1, 1),
        succeed(1, 1),
        lookup(1),
    ]);
    assert_eq!(answers[1].rows.len(), 1);
    assert_eq!(answers[2].rows, []);
    assert_eq!(answers[4], Done::default());
    assert_eq!(answers[5], conflict(stands(TaskState::Succeeded, 1)));
    assert_eq!(answers[6].rows, [StoreRow::Status(known(TaskState::Succeeded, 1))]);
    assert_eq!(world.get(1).applied, 1);
}

pub(crate) fn the_same_batch_again_changes_nothing(mut world: World) {
    let batch = || [submit(1), lease(1, 1), succeed(1, 1), submit(2), lease(2, 1)];
    world.batch(batch());
    let before = world.all();
    let again = world.batch(batch());
    assert!(again.iter().all(|done| done.conflict.is_some()), "{again:?}");
    assert_eq!(world.all(), before);
}

pub(crate) fn an_empty_batch_is_answered_by_nothing(mut world: World) {
    assert_eq!(world.batch([]), []);
}

pub(crate) fn epochs_are_never_used_twice(mut world: World) {
    let mut last = world.epoch;
    for millis in [0, 5, 0, -10_000, 1, 0] {
        world.now = WallTime(world.now.0.saturating_add_signed(millis));
        world.next_life();
        assert!(world.epoch > last, "{:?} after {last:?}", world.epoch);
        last = world.epoch;
    }
}
