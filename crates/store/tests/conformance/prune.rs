use moorline_node::{Event, EventKind, Requeue, StoreOp, StoreRow};
use moorline_store::Retention;
use moorline_work::{End, Status, TaskId};

use crate::world::*;

const KEEP_ALL: Retention = Retention {
    age_millis: u64::MAX,
    count: u64::MAX,
    event_age_millis: u64::MAX,
    event_count: u64::MAX,
    forget_millis: u64::MAX,
};

fn prune(world: &mut World, retention: Retention) -> u64 {
    let now = world.now;
    let pruned = world.store.prune(now, &retention).expect("a pruning");
    assert_eq!((pruned.events, pruned.workers), (0, 0));
    pruned.tasks
}

fn left(world: &World) -> Vec<u128> {
    world.all().iter().rev().map(|task| task.task.0).collect()
}

/// Tasks 1 to 4 end in the order 3, 1, 4, 2, each 100 ms after the one before.
fn four_ended(world: &mut World) {
    for task in 1..=4 {
        world.leased(task, 1);
    }
    for (task, end) in [(3, End::Succeeded), (1, End::Failed), (4, End::Dead), (2, End::Cancelled)]
    {
        world.pass(100);
        world.done(finish(task, 1, end, "body"));
    }
}

pub(crate) fn only_tasks_that_ended_long_ago_go(mut world: World) {
    four_ended(&mut world);
    // They ended 300, 200, 100 and 0 ms ago.
    assert_eq!(prune(&mut world, Retention { age_millis: 300, ..KEEP_ALL }), 0);
    assert_eq!(prune(&mut world, Retention { age_millis: 200, ..KEEP_ALL }), 1);
    assert_eq!(left(&world), [1, 2, 4]);
    world.pass(10);
    assert_eq!(prune(&mut world, Retention { age_millis: 100, ..KEEP_ALL }), 2);
    assert_eq!(left(&world), [2]);
    assert_eq!(prune(&mut world, KEEP_ALL), 0);
}

pub(crate) fn the_oldest_of_too_many_go(mut world: World) {
    four_ended(&mut world);
    assert_eq!(prune(&mut world, Retention { count: 4, ..KEEP_ALL }), 0);
    assert_eq!(prune(&mut world, Retention { count: 3, ..KEEP_ALL }), 1);
    assert_eq!(left(&world), [1, 2, 4]);
    assert_eq!(prune(&mut world, Retention { count: 1, ..KEEP_ALL }), 2);
    assert_eq!(left(&world), [2]);
    world.queued(5);
    world.done(cancel(5));
    assert_eq!(prune(&mut world, Retention { count: 1, ..KEEP_ALL }), 1);
    assert_eq!(left(&world), [5]);
    assert_eq!(prune(&mut world, Retention { count: 0, ..KEEP_ALL }), 1);
    assert_eq!(left(&world), []);
}

pub(crate) fn what_is_not_ended_stays_whatever_its_age(mut world: World) {
    world.queued(1);
    world.leased(2, 1);
    world.leased(3, 1);
    world.done(requeue(3, 1, Requeue::Lost));
    world.leased(4, 1);
    world.done(retry(4, 1, 10, "again"));
    world.pass(u64::from(u32::MAX));
    assert_eq!(prune(&mut world, Retention { age_millis: 0, count: 0, ..KEEP_ALL }), 0);
    assert_eq!(left(&world), [1, 2, 3, 4]);
}

pub(crate) fn one_call_deletes_a_bounded_number(mut world: World) {
    let tasks = || 1..=2_300_u128;
    world.batch(tasks().map(submit));
    world.batch(tasks().map(cancel));
    let nothing = Retention { count: 0, ..KEEP_ALL };
    let mut calls = Vec::new();
    loop {
        let gone = prune(&mut world, nothing);
        if gone == 0 {
            break;
        }
        calls.push(gone);
    }
    assert_eq!(calls, [1_000, 1_000, 300]);
    assert_eq!(left(&world), []);
}

/// Rounds in which as many tasks end, however many, with pruning whenever it is due and at no time else.
pub(crate) fn what_is_beyond_the_retention_does_not_grow_whatever_the_rate(mut world: World) {
    const KEPT: u64 = 100;
    let few = Retention { count: KEPT, event_count: KEPT, ..KEEP_ALL };
    let mut task = 0;
    // What was within the retention first is beyond it all at once.
    for (round, at_once) in [2_500, 2_500].into_iter().chain([40; 40]).chain([2_100; 8]).enumerate()
    {
        let tasks = task + 1..=task + at_once;
        task += at_once;
        world.batch(tasks.clone().map(submit));
        world.batch(tasks.map(cancel));
        let mut calls = 0;
        while world.store.prune_is_due() {
            let (now, retention) = (world.now, if round < 2 { KEEP_ALL } else { few });
            world.store.prune(now, &retention).expect("a pruning");
            calls += 1;
            assert!(calls <= 5, "two calls for each thousand that came, and no more");
        }
        let size = world.reader().size().expect("a size");
        // What the first two rounds left, and what is not worth a call yet.
        let most = KEPT + 5_000 + 500;
        assert!(size.tasks <= most, "{} tasks after round {round}", size.tasks);
        assert!(size.events <= 2 * most + 4_096, "{} events after round {round}", size.events);
    }
    let size = world.reader().size().expect("a size");
    assert!(size.tasks <= KEPT + 500, "all that was beyond is gone: {size:?}");
    assert!(size.events <= KEPT + 4_096, "all that was beyond is gone: {size:?}");
}

pub(crate) fn pruning_is_due_again_only_when_as_much_came_as_a_call_deletes(mut world: World) {
    let prune = |world: &mut World| {
        let now = world.now;
        world.store.prune(now, &KEEP_ALL).expect("a pruning")
    };
    world.batch((1..=499).map(submit));
    world.batch((1..=499).map(cancel));
    assert!(!world.store.prune_is_due());
    world.queued(500);
    world.done(cancel(500));
    assert!(world.store.prune_is_due());
    assert!(prune(&mut world).is_nothing());
    assert!(!world.store.prune_is_due(), "nothing is beyond the retention");
    world.batch((1..=499).map(submit));
    assert!(!world.store.prune_is_due(), "what was refused left nothing");
    world.leased(501, 1);
    let body = vec![7; 8 << 20].into();
    world.done(StoreOp::Finish { key: key(501, 1), end: End::Succeeded, body });
    assert!(world.store.prune_is_due(), "a large result");
    prune(&mut world);
    let notes = (0..4_096)
        .map(|_| StoreOp::Event { at_millis: None, event: Event::new(EventKind::ClockJump) });
    world.batch(notes);
    assert!(world.store.prune_is_due(), "many events");
}

pub(crate) fn a_pruned_task_is_unknown_and_its_id_free_again(mut world: World) {
    world.leased(1, 1);
    world.done(succeed(1, 1));
    assert_eq!(prune(&mut world, Retention { count: 0, ..KEEP_ALL }), 1);
    assert_eq!(world.done(lookup(1)), [StoreRow::Status(Status::Unknown)]);
    assert_eq!(world.reader().result(TaskId(1)).expect("a reading"), None);
    assert_eq!(world.refused(succeed(1, 1)), NOWHERE);
    let rows = world.done(submit(1));
    assert_eq!(rows, [StoreRow::Submitted { order: 2 }], "a place is never used twice");
}

pub(crate) fn the_ledger_goes_with_its_task(mut world: World) {
    world.leased(1, 1);
    world.done(succeed(1, 1));
    prune(&mut world, Retention { count: 0, ..KEEP_ALL });
    world.leased(1, 1);
    assert_eq!(world.get(1).applied, 0);
    world.done(succeed(1, 1));
    assert_eq!(world.get(1).applied, 1);
    assert_eq!(world.reader().counts().expect("counts").applied_twice, 0);
}
