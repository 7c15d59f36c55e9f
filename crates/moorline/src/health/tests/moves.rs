//! Metrics that have to move when what they are about does.

use std::num::NonZeroU32;

use tokio::sync::Notify;

use super::faulty::{Faults, Faulty};
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

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_shows_on_both_sides_with_what_had_to_be_sent_again() {
    const BODY: usize = 50_000;
    let transport = MemoryTransport::new();
    let coordinator = coordinator(&transport).await;
    let faults = Arc::new(Faults::default());
    let go = Arc::new(Notify::new());
    let waits = {
        let go = Arc::clone(&go);
        move |_ctx: TaskCtx, (): ()| {
            let go = Arc::clone(&go);
            async move {
                go.notified().await;
                Ok::<_, BoxError>("r".repeat(BODY))
            }
        }
    };
    let worker = worker_over(Faulty { inner: transport, faults: Arc::clone(&faults) })
        .slots(2)
        .task("wait", waits)
        .build()
        .unwrap();
    let (of_worker, of_coordinator) =
        (worker.health_address().unwrap(), coordinator.health_address().unwrap());
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    assert!(handle.active().await);
    let client = crate::Client::new(coordinator.admin_url().unwrap()).unwrap();
    let first = client.submit(Submit::json("wait", &()).unwrap()).await.unwrap();
    let used = "moorline_worker_task_slots{state=\"used\"}";
    until(of_worker, "the first runs", |page| page[used] == 1.0).await;

    const WORKER_RESENT: &str = "moorline_worker_messages_resent_total";
    const RESENT: &str = "moorline_coordinator_messages_resent_total";
    const OUTAGES: &str = "moorline_coordinator_worker_outage_seconds_count";
    const DISCONNECTS: &str = "moorline_worker_disconnects_total{reason=\"forced\"}";
    const DURATION: &str = "moorline_worker_disconnect_duration_seconds_count";
    const DOWN: &str = "moorline_worker_time_disconnected_seconds_total";
    let (up, down) = (page(of_worker).await, page(of_coordinator).await);
    assert_eq!((up[WORKER_RESENT], up[DURATION], up.get(DISCONNECTS)), (0.0, 0.0, None));
    assert_eq!((down[RESENT], down[OUTAGES]), (0.0, 0.0));

    // The result of the first task and the assignment of the second are lost on their way.
    faults.swallows.store(true, Ordering::SeqCst);
    go.notify_one();
    let second = Submit::json("echo", &"p".repeat(BODY)).unwrap();
    let second = client.submit(second).await.unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    while faults.swallowed.iter().any(|swallowed| swallowed.load(Ordering::SeqCst) == 0) {
        assert!(Instant::now() < limit, "{:?}", faults.swallowed);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    faults.refuses.store(true, Ordering::SeqCst);
    let again = handle.clone();
    let reconnecting = tokio::spawn(async move { again.reconnect().await });
    until(of_worker, "it is down", |page| page["moorline_worker_connected"] == 0.0).await;
    faults.swallows.store(false, Ordering::SeqCst);
    let lost = "moorline_coordinator_workers{state=\"active\"}";
    until(of_coordinator, "its coordinator knows", |page| page[lost] == 0.0).await;
    faults.refuses.store(false, Ordering::SeqCst);
    assert!(handle.active().await && reconnecting.await.unwrap());
    for task in [first.id, second.id] {
        client.wait(task).await.unwrap();
    }
    let (up, down) = (page(of_worker).await, page(of_coordinator).await);
    assert!(up[WORKER_RESENT] >= 1.0 && down[RESENT] >= 1.0, "{up:#?} {down:#?}");
    assert_eq!((up[DURATION], up[DISCONNECTS], down[OUTAGES]), (1.0, 1.0, 1.0));
    assert!(up[DOWN] > 0.0);
    handle.drain().await;
    running.await.unwrap().unwrap();
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_off_because_too_many_come_at_once_is_counted_and_its_ticket_is() {
    let transport = MemoryTransport::new();
    let coordinator = Coordinator::builder()
        .transport(transport.clone())
        .listen("mem://here")
        .health("127.0.0.1:0")
        .registration_rate(NonZeroU32::new(4).unwrap())
        .max_handshakes(NonZeroU32::new(1_000).unwrap())
        .start()
        .await
        .unwrap();
    let at = coordinator.health_address().unwrap();
    let page_before = page(at).await;
    let given = "moorline_coordinator_admission_tickets_total{outcome=\"given\"}";
    let used = "moorline_coordinator_admission_tickets_total{outcome=\"used\"}";
    let rate = "moorline_coordinator_admission_rejections_total{reason=\"rate\"}";
    assert_eq!((page_before[given], page_before[used], page_before.get(rate)), (0.0, 0.0, None));
    let mut workers = Vec::new();
    // As many as come in at once, and some.
    for n in 0..68 {
        let worker = Worker::builder("mem://here")
            .transport(transport.clone())
            .name(format!("w{n}"))
            .reconnect(Reconnect::forever().first(moorline_link::First::Immediate))
            .build()
            .unwrap();
        let handle = worker.handle();
        workers.push((handle, tokio::spawn(worker.run())));
    }
    for (handle, _) in &workers {
        assert!(handle.active().await);
    }
    let after = page(at).await;
    assert!(after[rate] >= 1.0, "{after:#?}");
    assert!(after[given] >= after[rate] && after[used] >= 1.0, "{after:#?}");
    assert!(after[used] <= after[given], "{after:#?}");
    workers.iter().for_each(|(handle, _)| handle.shutdown());
    for (_, running) in workers {
        running.await.unwrap().unwrap();
    }
    coordinator.stop().await;
}
