use moorline_node::{Name, PersistId, Spec, StoreOp, StorePlacement};
use moorline_work::{Attempt, End, Incarnation, TaskKey, WorkerId};

use super::*;

const NOW: WallTime = WallTime(1_700_000_000_000);

fn submit(id: u64) -> Persist {
    let spec = Spec {
        handler: Name::new("h").expect("a name"),
        priority: 0,
        max_retries: 0,
        timeout: None,
    };
    let op = StoreOp::Submit {
        task: TaskId(id.into()),
        spec,
        payload: Bytes::new(),
        placement: StorePlacement::Unclaimed,
    };
    Persist { id: PersistId(id), op }
}

#[test]
fn what_is_committed_now_is_answered_and_read_as_after_a_commit() {
    let (mut now, mut later) = (MemoryStore::new(), MemoryStore::new());
    // The same task twice: the second one is a conflict.
    for batch in [vec![submit(1), submit(2)], vec![submit(1)]] {
        let answers = later.commit(NOW, &batch).expect("it never fails");
        assert_eq!(now.commit_now(NOW, &batch), Some(answers));
    }
    let read = |store: &MemoryStore| store.reader().expect("a reader").task(TaskId(2));
    assert_eq!(read(&now).expect("read"), read(&later).expect("read"));
    assert!(read(&now).expect("read").is_some());
}

#[test]
fn nothing_is_committed_now_while_somebody_reads() {
    let mut store = MemoryStore::new();
    let table = Arc::clone(&store.table);
    let reading = table.lock().expect("not poisoned");
    assert_eq!(store.commit_now(NOW, &[submit(1)]), None);
    drop(reading);
    assert_eq!(store.reader().expect("a reader").task(TaskId(1)).expect("read"), None);
    assert!(store.commit_now(NOW, &[submit(1)]).is_some());
}

#[test]
fn a_result_does_not_keep_the_packet_in_which_it_came() {
    let mut store = MemoryStore::new();
    let packet = Bytes::from(vec![7; 65_536]);
    let key = TaskKey { task: TaskId(1), attempt: Attempt(1) };
    let body = packet.slice(100..117);
    let (worker, incarnation) = (WorkerId(1), Incarnation(1));
    let finish = StoreOp::Finish { key, end: End::Succeeded, body };
    let lease = Persist { id: PersistId(2), op: StoreOp::Lease { key, worker, incarnation } };
    let finish = Persist { id: PersistId(3), op: finish };
    store.commit(NOW, &[submit(1), lease, finish]).expect("it never fails");
    let result = store.reader().expect("a reader").result(TaskId(1)).expect("read");
    assert_eq!(result.as_deref(), Some(&[7; 17][..]));
    assert!(packet.is_unique(), "nobody else has a part of it");
}
