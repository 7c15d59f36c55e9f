//! Whole tasks through both nodes, from submitted to settled, in front of the store in memory.
#![allow(clippy::print_stdout, reason = "a benchmark reports")]

#[path = "../../link/benches/kit/mod.rs"]
mod kit;
#[path = "../../node/benches/pair/mod.rs"]
mod pair;

use moorline_store::{MemoryStore, Retention, Store, WallTime};

use kit::{Run, Workload};
use pair::{Commit, Pair};

/// Tasks that have ended and are kept, with their events.
const ENDED: u64 = 10_000;

/// What is finished goes at once, so that a long run meets the same store as a short one.
const KEPT: Retention = Retention {
    age_millis: u64::MAX,
    count: ENDED,
    event_age_millis: u64::MAX,
    event_count: 3 * ENDED,
    forget_millis: u64::MAX,
};

/// Prunes when that is due, as the driver does.
fn memory() -> Commit {
    let mut store = MemoryStore::new();
    store.begin_epoch(WallTime(0)).expect("an epoch");
    Box::new(move |now, batch| {
        let now = WallTime(now.as_nanos() / 1_000_000);
        let done = store.commit_now(now, batch).expect("nobody reads");
        assert!(done.iter().all(|done| done.conflict.is_none()), "each does what it says");
        while store.prune_is_due() {
            store.prune(now, &KEPT).expect("pruned");
        }
        done
    })
}

/// So many tasks at a time, beside those that have ended.
fn tasks(at_once: u64) -> Run {
    let mut pair = Pair::new(memory());
    pair.tasks(ENDED + 2_000, 1_000);
    pair.run(at_once)
}

fn main() {
    let workload =
        |name, round, set_up| Workload { name, counted: true, large: false, round, set_up };
    let workloads = [
        workload("task_1_at_once", 100_000, || tasks(1)),
        workload("task_256_at_once", 204_800, || tasks(256)),
    ];
    kit::main("memory", &workloads);
}
