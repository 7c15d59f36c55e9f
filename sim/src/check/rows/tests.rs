//! The rows of a searched world answer as the memory store does.

use bytes::Bytes;
use moorline_node::{Name, Persist, PersistId, Requeue, Spec, StoreOp, StorePlacement, StoreRow};
use moorline_store::{MemoryStore, Store, WallTime};
use moorline_work::{Attempt, End, Incarnation, TaskId, TaskKey, WorkerId};

use super::Rows;
use crate::decide::{Decide, Draws, Site};

const NOW: WallTime = WallTime(1_700_000_000_000);

fn drawn(draws: &Draws, k: u64, epoch: moorline_link::Epoch) -> StoreOp {
    let draw = |what: u64, bound| draws.draw(Site::Commit, what, k, bound);
    let task = TaskId(u128::from(1 + draw(0, 3)));
    let attempt = Attempt(u32::try_from(draw(1, 4)).expect("small"));
    let key = TaskKey { task, attempt };
    let (worker, incarnation) = (WorkerId(u128::from(draw(2, 2))), Incarnation(draw(3, 2)));
    let handler = Name::new("work").expect("a name");
    match draw(4, 12) {
        0 | 1 => StoreOp::Submit {
            task,
            spec: Spec { handler, priority: 0, max_retries: 0, timeout: None },
            payload: Bytes::from_static(b"in"),
            placement: match draw(5, 3) {
                0 => StorePlacement::Unclaimed,
                1 => StorePlacement::Claimed { epoch },
                _ => StorePlacement::Leased { worker, incarnation },
            },
        },
        2 => {
            StoreOp::Claim { handler, limit: 1 + u32::try_from(draw(5, 3)).expect("small"), epoch }
        }
        3 => StoreOp::Unclaim { task },
        4 | 5 => StoreOp::Lease { key, worker, incarnation },
        6 => StoreOp::Adopt {
            key: TaskKey { task, attempt: attempt.next() },
            from: attempt,
            worker,
            incarnation,
        },
        7 => {
            let cause = if draw(5, 2) == 0 { Requeue::Returned } else { Requeue::Lost };
            StoreOp::Requeue { key, cause, error: Bytes::new() }
        }
        8 => {
            let ends = [End::Succeeded, End::Failed, End::Cancelled, End::Dead];
            let end = ends[usize::try_from(draw(5, 4)).expect("small")];
            StoreOp::Finish { key, end, body: Bytes::from_static(b"out") }
        }
        9 => StoreOp::Cancel { task },
        10 => StoreOp::Retry { task, last: attempt },
        _ => [StoreOp::Leases, StoreOp::Lookup { task }]
            [usize::try_from(draw(5, 2)).expect("small")]
        .clone(),
    }
}

/// The order of submission counts by what was submitted in between, which the memory store numbers on.
fn without_order(mut rows: Vec<StoreRow>) -> Vec<StoreRow> {
    for row in &mut rows {
        if let StoreRow::Submitted { order }
        | StoreRow::Task { order, .. }
        | StoreRow::Lease { order, .. } = row
        {
            *order = 0;
        }
    }
    rows
}

#[test]
fn the_rows_of_a_searched_world_answer_as_the_memory_store_does() {
    let mut changed = 0;
    for seed in 0..400 {
        let draws = Draws::new(seed);
        let (mut rows, mut store) = (Rows::default(), MemoryStore::new());
        let mut epochs = (rows.begin(), store.begin_epoch(NOW).expect("it begins"));
        for k in 0..60 {
            if k % 25 == 24 {
                store = store.reopen();
                epochs = (rows.begin(), store.begin_epoch(NOW).expect("it begins"));
            }
            let ours = rows.apply(&drawn(&draws, k, epochs.0));
            let persist = Persist { id: PersistId(k + 1), op: drawn(&draws, k, epochs.1) };
            let theirs =
                store.commit(NOW, std::slice::from_ref(&persist)).expect("it commits").remove(0);
            assert_eq!(
                (without_order(ours.rows), ours.conflict),
                (without_order(theirs.rows), theirs.conflict),
                "seed {seed}, operation {k}: {persist:?}"
            );
            changed += u32::from(ours.conflict.is_none());
        }
    }
    assert!(changed > 5_000, "most of them must not be refused: {changed}");
}
