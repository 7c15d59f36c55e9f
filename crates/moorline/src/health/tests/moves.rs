//! Metrics that have to move when what they are about does.

use super::*;
use crate::{ProcessGroups, StoreAt, Submit};

/// The series of a page, asked for without holding up the runtime of the test.
async fn page(at: SocketAddr) -> std::collections::BTreeMap<String, f64> {
    ask(move || series(&get(at, "/metrics").1)).await
}

/// Waits until a page says what it has to.
async fn until(
    at: SocketAddr,
    what: &str,
    is_so: impl Fn(&std::collections::BTreeMap<String, f64>) -> bool,
) {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let page = page(at).await;
        if is_so(&page) {
            return;
        }
        assert!(Instant::now() < limit, "{what}: {page:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_a_store_on_disk_grows_with_what_is_handed_in_and_pruning_frees_pages() {
    const SIZE: &str = "moorline_coordinator_store_size_bytes";
    const FREE: &str = "moorline_coordinator_store_free_bytes";
    const WAL: &str = "moorline_coordinator_store_wal_bytes";
    let home = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::builder()
        .store(StoreAt::Sqlite(home.path().join("store.db")))
        .transport(MemoryTransport::new())
        .listen("mem://here")
        .admin("127.0.0.1:0")
        .health("127.0.0.1:0")
        .keep_finished(Duration::from_secs(3_600), 1)
        .start()
        .await
        .unwrap();
    let at = coordinator.health_address().unwrap();
    let before = page(at).await;
    assert!(before[SIZE] > 0.0 && before[FREE] < 100_000.0, "{before:#?}");
    let client = crate::Client::new(coordinator.admin_url().unwrap()).unwrap();
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let submit = Submit::json("nobody", &"x".repeat(100_000)).unwrap();
        tasks.push(client.submit(submit).await.unwrap().id);
    }
    let full = page(at).await;
    assert!(full[SIZE] > before[SIZE] + 2_000_000.0, "{full:#?}");
    assert!(full[WAL] > before[WAL], "{full:#?}");
    for task in tasks {
        client.cancel(task).await.unwrap();
    }
    until(at, "what was pruned is free", |page| page[FREE] > 1_500_000.0).await;
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_handlers_are_counted_when_they_end_by_how_they_did() {
    let transport = MemoryTransport::new();
    let coordinator = coordinator(&transport).await;
    let groups = ProcessGroups::new();
    let worker = worker(&transport)
        .command("good", "true", &groups)
        .and_then(|worker| worker.command("bad", "false", &groups))
        .unwrap()
        .build()
        .unwrap();
    let (at, handle) = (worker.health_address().unwrap(), worker.handle());
    let running = tokio::spawn(worker.run());
    assert!(handle.active().await);
    let exits = |how: &str| format!("moorline_worker_child_exits_total{{outcome=\"{how}\"}}");
    let before = page(at).await;
    for how in ["ok", "error", "signal", "timeout", "cancelled"] {
        assert_eq!(before[&exits(how)], 0.0, "{how} is there before the first one");
    }
    let client = crate::Client::new(coordinator.admin_url().unwrap()).unwrap();
    for handler in ["good", "good", "bad"] {
        let submit = Submit::json(handler, &"x").unwrap().max_retries(0);
        let task = client.submit(submit).await.unwrap();
        client.wait(task.id).await.unwrap();
    }
    let after = page(at).await;
    assert_eq!((after[&exits("ok")], after[&exits("error")]), (2.0, 1.0), "{after:#?}");
    assert_eq!(after[&exits("signal")], 0.0);
    handle.drain().await;
    running.await.unwrap().unwrap();
    coordinator.stop().await;
}
