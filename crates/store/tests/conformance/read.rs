use std::time::Duration;

use bytes::Bytes;
use moorline_node::{Requeue, Spec, StoreOp, StorePlacement, StoreRow};
use moorline_store::{Counts, TaskFilter, TaskRecord};
use moorline_work::{Attempt, End, TaskId, TaskState};

use crate::world::*;

fn ids(tasks: &[TaskRecord]) -> Vec<u128> {
    tasks.iter().map(|task| task.task.0).collect()
}

pub(crate) fn a_task_is_read_with_all_it_has(mut world: World) {
    assert_eq!(world.reader().task(TaskId(7)).expect("a reading"), None);
    world.queued(1);
    let full = Spec { handler: name("größe"), priority: -7, max_retries: 3, timeout: None };
    world.done(submit_as(7, full, b"x"));
    world.done(StoreOp::Worker(worker(ANN, "ann", FIRST_RUN)));
    world.done(lease(7, 1));
    world.done(requeue(7, 1, Requeue::Lost));
    world.done(lease(7, 2));
    world.pass(5);
    world.done(retry(7, 2, 10, "broken"));
    let queued = TaskRecord {
        task: TaskId(7),
        order: 2,
        handler: name("größe"),
        state: TaskState::Queued,
        priority: -7,
        attempt: Attempt(2),
        retries: 1,
        max_retries: 3,
        lost: 1,
        worker: None,
        worker_name: None,
        submitted_at: START,
        finished_at: None,
        ready_at: Some(moorline_store::WallTime(world.now.0 + 10)),
        error: Some("broken".to_owned()),
        cancel_requested: false,
        result_len: None,
        applied: 0,
    };
    assert_eq!(world.get(7), queued);

    world.done(lease(7, 3));
    world.done(cancel(7));
    let leased = TaskRecord {
        state: TaskState::Leased,
        ready_at: None,
        attempt: Attempt(3),
        worker: Some(ANN),
        worker_name: Some(name("ann")),
        cancel_requested: true,
        ..queued
    };
    assert_eq!(world.get(7), leased);

    world.pass(5);
    world.done(finish(7, 3, End::Succeeded, "four"));
    let ended = TaskRecord {
        state: TaskState::Succeeded,
        finished_at: Some(world.now),
        error: None,
        result_len: Some(4),
        applied: 1,
        ..leased
    };
    assert_eq!(world.get(7), ended);
    assert_eq!(world.all()[0], ended, "a list shows the same");

    world.queued(8);
    let bobs = StoreOp::Lease { key: key(8, 1), worker: BOB, incarnation: SECOND_RUN };
    world.done(bobs);
    let task = world.get(8);
    assert_eq!((task.worker, task.worker_name), (Some(BOB), None), "a name nobody remembers");
}

pub(crate) fn tasks_are_listed_latest_first_in_pages(mut world: World) {
    for task in [5, 3, 9, 1, 7] {
        world.queued(task);
    }
    let mut reader = world.reader();
    let mut page = |before, limit| {
        let filter = TaskFilter { limit, before, ..TaskFilter::default() };
        reader.tasks(&filter).expect("a reading")
    };
    let first = page(None, 2);
    assert_eq!(ids(&first), [7, 1]);
    let second = page(Some(first[1].order), 2);
    assert_eq!(ids(&second), [9, 3]);
    let third = page(Some(second[1].order), 2);
    assert_eq!(ids(&third), [5]);
    assert_eq!(page(Some(third[0].order), 2), []);
    assert_eq!(page(None, 0), []);
    assert_eq!(page(Some(u64::MAX), u32::MAX).len(), 5);
}

pub(crate) fn tasks_are_listed_by_state(mut world: World) {
    for task in [1, 2, 3, 4, 5, 6] {
        world.leased(task, 1);
    }
    world.done(requeue(1, 1, Requeue::Returned));
    world.done(succeed(3, 1));
    world.done(succeed(4, 1));
    world.done(finish(5, 1, End::Failed, "no"));
    let mut reader = world.reader();
    let mut of = |state, before, limit| {
        let filter = TaskFilter { state: Some(state), limit, before };
        ids(&reader.tasks(&filter).expect("a reading"))
    };
    assert_eq!(of(TaskState::Queued, None, 9), [1]);
    assert_eq!(of(TaskState::Leased, None, 9), [6, 2]);
    assert_eq!(of(TaskState::Succeeded, None, 9), [4, 3]);
    assert_eq!(of(TaskState::Succeeded, None, 1), [4]);
    assert_eq!(of(TaskState::Succeeded, Some(4), 9), [3]);
    assert_eq!(of(TaskState::Failed, None, 9), [5]);
    assert_eq!(of(TaskState::Dead, None, 9), []);
}

pub(crate) fn a_reader_sees_what_is_committed_and_never_a_part_of_a_batch(mut world: World) {
    let mut reader = world.reader();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let watching = std::thread::spawn(move || {
        let mut most = 0;
        loop {
            let last = stopped.try_recv().is_ok();
            let counts = reader.counts().expect("counts");
            let [queued, leased, succeeded, ..] = counts.by_state;
            assert_eq!((queued, leased), (0, succeeded), "half a batch: {counts:?}");
            assert!(succeeded >= most, "a commit was taken back");
            most = succeeded;
            if last {
                return most;
            }
        }
    });
    for n in 0..50 {
        let (a, b) = (2 * n, 2 * n + 1);
        world.batch([submit(a), submit(b), lease(a, 1), lease(b, 1), succeed(a, 1)]);
    }
    stop.send(()).expect("it watches");
    assert_eq!(watching.join().expect("no half batch"), 50);
}

pub(crate) fn counts_count_every_state(mut world: World) {
    assert_eq!(world.reader().counts().expect("counts"), Counts::default());
    for task in 1..=21 {
        world.leased(task, 1);
    }
    world.done(requeue(1, 1, Requeue::Lost));
    for (tasks, end) in [
        (4..=6, End::Succeeded),
        (7..=10, End::Failed),
        (11..=15, End::Cancelled),
        (16..=21, End::Dead),
    ] {
        for task in tasks {
            world.done(finish(task, 1, end, "x"));
        }
    }
    let counts = world.reader().counts().expect("counts");
    assert_eq!(counts.by_state, [1, 2, 3, 4, 5, 6]);
    assert_eq!((counts.applied_twice, counts.lost_attempts), (0, 7));
}

pub(crate) fn large_and_odd_values_come_back_as_they_were(mut world: World) {
    let payload: Bytes = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let longest = name(&"é".repeat(64));
    let spec = Spec {
        handler: longest.clone(),
        priority: i16::MIN,
        max_retries: u32::MAX,
        timeout: Some(Duration::new(u64::from(u32::MAX), 999_999_999)),
    };
    let task = TaskId(u128::MAX);
    world.done(StoreOp::Submit {
        task,
        spec: spec.clone(),
        payload: payload.clone(),
        placement: StorePlacement::Unclaimed,
    });
    let epoch = world.epoch;
    let rows = world.done(StoreOp::Claim { handler: longest, limit: 1, epoch });
    assert!(matches!(&rows[..], [StoreRow::Task { spec: read, .. }] if *read == spec), "{rows:?}");
    assert_eq!(world.done(lease(u128::MAX, 1)), [StoreRow::Payload(payload.clone())]);
    let key = key(u128::MAX, 1);
    world.done(StoreOp::Finish { key, end: End::Succeeded, body: payload.clone() });
    assert_eq!(world.reader().result(task).expect("a reading"), Some(payload.clone()));
    assert_eq!(world.get(u128::MAX).result_len, Some(payload.len() as u64));
}
