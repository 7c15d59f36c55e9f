use futures::executor::block_on;

use super::*;

#[test]
fn all_who_wait_for_tasks_are_told_and_no_others() {
    let waiters = Waiters::default();
    let (first, second) = (waiters.wait_for(TaskId(1)), waiters.wait_for(TaskId(1)));
    let (other, third) = (waiters.wait_for(TaskId(2)), waiters.wait_for(TaskId(3)));
    waiters.ended([]);
    waiters.ended([TaskId(1), TaskId(3), TaskId(4)]);
    assert_eq!(block_on(first), Ok(()));
    assert_eq!(block_on(second), Ok(()));
    assert_eq!(block_on(third), Ok(()));
    assert!(other.now_or_never().is_none());
}

#[test]
fn one_who_stops_waiting_leaves_nothing_behind() {
    let waiters = Waiters::default();
    let kept = waiters.wait_for(TaskId(1));
    drop(waiters.wait_for(TaskId(1)));
    drop(waiters.wait_for(TaskId(2)));
    assert_eq!(waiters.lock().by_task.len(), 1);
    assert_eq!(waiters.lock().by_task[&TaskId(1)].len(), 1);
    drop(kept);
    assert!(waiters.lock().by_task.is_empty());
}

#[test]
fn a_closed_table_tells_everybody_that_it_cannot_tell() {
    let waiters = Waiters::default();
    let before = waiters.wait_for(TaskId(1));
    waiters.close();
    assert_eq!(block_on(before), Err(Canceled));
    assert_eq!(block_on(waiters.wait_for(TaskId(1))), Err(Canceled));
}

#[test]
fn a_task_that_was_stored_is_known_not_to_have_ended_until_it_has() {
    let waiters = Waiters::default();
    assert!(!waiters.wait_for(TaskId(1)).is_unended, "nobody knows");
    waiters.stored(TaskId(1));
    let waiter = waiters.wait_for(TaskId(1));
    assert!(waiter.is_unended);
    waiters.ended([TaskId(1)]);
    assert_eq!(block_on(waiter), Ok(()));
    assert!(!waiters.wait_for(TaskId(1)).is_unended);
    assert!(waiters.lock().unended.is_empty());
}

#[test]
fn no_more_tasks_are_remembered_than_there_is_room_for() {
    let waiters = Waiters::default();
    for task in 0..=UNENDED_MAX as u128 {
        waiters.stored(TaskId(task));
    }
    assert_eq!(waiters.lock().unended.len(), UNENDED_MAX);
    assert!(!waiters.wait_for(TaskId(UNENDED_MAX as u128)).is_unended, "the store is asked");
}
