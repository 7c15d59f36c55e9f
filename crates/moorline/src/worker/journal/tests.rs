use moorline_store::StoreError;

use super::{FILE, LEAST, STANDARD};
use crate::{Code, Error, Worker, WorkerBuilder};

fn builder() -> WorkerBuilder {
    Worker::builder("mem://here").name("gpu-1").transport(moorline_memory::MemoryTransport::new())
}

#[tokio::test]
async fn a_data_directory_has_a_journal_which_ends_with_its_worker() {
    let home = tempfile::tempdir().unwrap();
    let worker = builder().data_dir(home.path()).build().unwrap();
    assert!(home.path().join(FILE).exists());
    let file = home.path().join(FILE);
    let second = moorline_store::SqliteJournal::open(&file, STANDARD);
    assert!(matches!(second, Err(StoreError::Locked { .. })), "{second:?}");
    drop(worker);
    drop(moorline_store::SqliteJournal::open(&file, STANDARD).unwrap());
    drop(builder().data_dir(home.path()).build().unwrap());
}

#[tokio::test]
async fn a_damaged_journal_refuses_the_start_and_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let text = "no database, but long enough to have a header\n".repeat(40);
    std::fs::write(home.path().join(FILE), &text).unwrap();
    for _ in 0..2 {
        let error = builder().data_dir(home.path()).build().unwrap_err();
        assert!(matches!(error, Error::Journal(StoreError::Damaged { .. })), "{error}");
        assert_eq!(error.code(), Code::STORE_DAMAGED);
        assert!(error.to_string().contains("journal.db"), "{error}");
        assert!(error.hint().contains("move a worker's journal away"), "{}", error.hint());
        assert_eq!(std::fs::read_to_string(home.path().join(FILE)).unwrap(), text);
    }
    let identity = std::fs::read(home.path().join("identity")).unwrap();
    std::fs::rename(home.path().join(FILE), home.path().join("damaged.db")).unwrap();
    drop(builder().data_dir(home.path()).build().unwrap());
    assert_eq!(std::fs::read(home.path().join("identity")).unwrap(), identity, "it is who it was");
}

#[tokio::test]
async fn a_bound_takes_the_largest_result() {
    let refused = builder().journal_max(LEAST - 1).build().unwrap_err();
    assert_eq!(refused.code(), Code::SETTING);
    assert!(refused.to_string().contains("journal_max"), "{refused}");
    drop(builder().journal_max(LEAST).build().unwrap());
    const { assert!(LEAST > moorline_node::BODY_MAX as u64 + moorline_node::KeptResult::COST) }
}
