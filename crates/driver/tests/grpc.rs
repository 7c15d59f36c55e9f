//! The loops over real sockets, where a last word has to get out before its runtime ends.

mod support;

use std::time::Duration;

use bytes::Bytes;
use moorline_driver::{
    CoordinatorHandle, Tokio, Transports, WorkerHandle, start_coordinator, start_worker,
};
use moorline_grpc::GrpcTransport;
use moorline_link::{Presence, Reason, State};
use moorline_store::MemoryStore;
use moorline_work::{TaskId, TaskState};
use support::{Threads, ended, options, result, soon, spec, submit, until, worker_options};

async fn pair() -> (CoordinatorHandle, WorkerHandle) {
    let transports = Transports::new().with(GrpcTransport::new());
    let mut options = options();
    options.listen = vec!["grpc://127.0.0.1:0".parse().expect("an endpoint")];
    let store = Box::new(MemoryStore::new());
    let coordinator =
        start_coordinator(Tokio, transports.clone(), store, options).await.expect("started");
    let mut options = worker_options(1, &["echo"], 8);
    options.endpoints = coordinator.endpoints().to_vec();
    let worker = start_worker(transports, options, Box::new(Threads::echo())).expect("started");
    until(&worker, State::Active).await;
    (coordinator, worker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_run_over_grpc() {
    let (coordinator, _worker) = pair().await;
    let large: Bytes = vec![7; 3 << 20].into();
    coordinator.submit(TaskId(1_000), spec("echo"), large.clone()).await.expect("it runs");
    let tasks = (1..=100).map(|id| {
        let coordinator = coordinator.clone();
        tokio::spawn(async move {
            submit(&coordinator, id, "echo", b"small").await;
            assert_eq!(ended(&coordinator, id).await.state, TaskState::Succeeded);
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        soon(task).await.expect("no panic");
    }
    assert_eq!(ended(&coordinator, 1_000).await.applied, 1);
    assert!(result(&coordinator, 1_000).await == Some(large), "three megabytes, unchanged");
    soon(coordinator.stop()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_arrives_before_the_worker_has_ended() {
    for _ in 0..10 {
        let (coordinator, worker) = pair().await;
        worker.drain(Duration::from_secs(5));
        assert_eq!(soon(worker.ended()).await.state, State::Shutdown);
        soon(async {
            loop {
                let view = coordinator.workers().await.expect("it runs");
                let presence = view[0].presence;
                if presence == Presence::Departed {
                    return;
                }
                let still_there = matches!(presence, Presence::Active | Presence::Draining);
                assert!(still_there, "its goodbye was lost: {view:?}");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        soon(coordinator.stop()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_stops_tells_its_workers() {
    let (coordinator, worker) = pair().await;
    soon(coordinator.stop()).await;
    soon(async {
        loop {
            let status = worker.status();
            if status.link.state != State::Active {
                return;
            }
            worker.changed(status.version).await;
        }
    })
    .await;
    // Later attempts have reasons of their own: it is the loss that was explained.
    let reason = worker.status().link.reason;
    assert!(
        matches!(reason, Some(Reason::CoordinatorStopping | Reason::ConnectRefused)),
        "{reason:?}"
    );
    worker.shutdown();
    soon(worker.ended()).await;
}
