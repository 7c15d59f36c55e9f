use moorline_node::{KnownWorker, StoreOp, StoreRow};
use moorline_work::{Incarnation, WorkerId};

use crate::world::*;

fn workers(world: &mut World) -> Vec<KnownWorker> {
    let rows = world.done(StoreOp::Workers);
    let read = |row| {
        let StoreRow::Worker(worker) = row else { panic!("not a worker: {row:?}") };
        worker
    };
    rows.into_iter().map(read).collect()
}

pub(crate) fn a_worker_is_remembered_and_its_latest_process_replaces_the_last(mut world: World) {
    assert_eq!(workers(&mut world), []);
    let bob = worker(BOB, "bob", FIRST_RUN);
    let ann = worker(ANN, "ann", FIRST_RUN);
    assert_eq!(world.done(StoreOp::Worker(bob.clone())), []);
    world.done(StoreOp::Worker(ann.clone()));
    assert_eq!(workers(&mut world), [ann.clone(), bob.clone()]);

    let renamed = KnownWorker { departed: true, cordoned: true, ..worker(ANN, "anna", SECOND_RUN) };
    world.done(StoreOp::Worker(renamed.clone()));
    assert_eq!(workers(&mut world), [renamed, bob.clone()]);
    world.done(StoreOp::Worker(ann.clone()));
    world.next_life();
    assert_eq!(workers(&mut world), [ann.clone(), bob.clone()], "over lives of the coordinator");
    world.done(StoreOp::Forget { worker: ANN });
    world.done(StoreOp::Forget { worker: ANN });
    assert_eq!(workers(&mut world), [bob], "until it is forgotten");
}

pub(crate) fn workers_of_any_identity_are_told_apart(mut world: World) {
    let ids = [0, 1, u64::MAX.into(), u128::MAX >> 1, u128::MAX - 1, u128::MAX];
    for id in ids {
        let bits = Incarnation(id as u64);
        world.done(StoreOp::Worker(worker(WorkerId(id), "same name", bits)));
    }
    let read: Vec<(u128, u64)> =
        workers(&mut world).iter().map(|known| (known.worker.0, known.incarnation.0)).collect();
    assert_eq!(read, ids.map(|id| (id, id as u64)));
}
