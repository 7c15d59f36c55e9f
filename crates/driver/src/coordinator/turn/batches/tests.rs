use bytes::Bytes;
use moorline_node::{Name, Spec, StorePlacement};
use moorline_work::TaskId;

use super::*;

fn submit(id: u64, len: usize) -> Persist {
    let spec = Spec {
        handler: Name::new("h").expect("a name"),
        priority: 0,
        max_retries: 0,
        timeout: None,
    };
    let payload = Bytes::from(vec![0; len]);
    let op = StoreOp::Submit {
        task: TaskId(id.into()),
        spec,
        payload,
        placement: StorePlacement::Unclaimed,
    };
    Persist { id: PersistId(id), op }
}

fn ids(batch: Option<Vec<Persist>>) -> Vec<u64> {
    batch.into_iter().flatten().map(|operation| operation.id.0).collect()
}

#[test]
fn what_gathers_while_a_batch_is_committed_is_the_next_batch() {
    let mut batches = Batches::default();
    assert!(batches.next_batch().is_none(), "there is nothing");
    batches.push(submit(1, 10));
    assert_eq!(ids(batches.next_batch()), [1]);
    batches.push(submit(2, 10));
    batches.push(submit(3, 10));
    assert!(batches.next_batch().is_none(), "one is under way");
    assert_eq!(batches.under_way.take().map(|(id, _)| id.0), Some(1));
    assert_eq!(ids(batches.next_batch()), [2, 3]);
    assert_eq!(batches.waiting_bytes, 0);
}

#[test]
fn a_batch_is_bounded_in_operations_and_in_bytes() {
    let mut batches = Batches::default();
    for id in 1..=BATCH as u64 + 1 {
        batches.push(submit(id, 0));
    }
    assert_eq!(ids(batches.next_batch()).len(), BATCH);
    batches.under_way = None;
    assert_eq!(ids(batches.next_batch()), [BATCH as u64 + 1]);

    let mut batches = Batches::default();
    for id in 1..=3 {
        batches.push(submit(id, BATCH_BYTES / 2));
    }
    assert_eq!(ids(batches.next_batch()), [1, 2]);
    assert_eq!(batches.waiting_bytes, BATCH_BYTES / 2);
}

#[test]
fn clients_wait_when_too_many_bytes_wait_for_the_store() {
    let mut batches = Batches::default();
    let mut id = 0;
    while !batches.is_full() {
        id += 1;
        batches.push(submit(id, 16 << 20));
        // What is under way counts too: it is in memory until it is committed.
        let _ = batches.next_batch();
    }
    assert_eq!(id, (WAITING_BYTES / (16 << 20)) as u64);
}
