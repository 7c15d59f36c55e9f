use moorline_node::{Name, PersistId, Spec, StoreOp, StorePlacement};

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
