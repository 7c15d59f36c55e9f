//! Workers that are told of other places, and sent there.

mod support;

use std::time::Duration;

use moorline_driver::{
    CoordinatorHandle, Drain, Tokio, Transports, WorkerHandle, WorkerOptions, start_coordinator,
    start_worker,
};
use moorline_link::{ConnId, Reason, State, WorkerId};
use moorline_store::MemoryStore;
use moorline_transport::Endpoint;
use support::{Threads, ended, gated, memory, options, soon, submit, until, worker_options};

fn at(name: &str) -> Endpoint {
    format!("mem://{name}").parse().expect("an endpoint")
}

async fn coordinator(transports: &Transports, listen: &[&str]) -> CoordinatorHandle {
    let mut options = options();
    options.listen = listen.iter().map(|name| at(name)).collect();
    let store = Box::new(MemoryStore::new());
    start_coordinator(Tokio, transports.clone(), store, options).await.expect("started")
}

fn worker(transports: &Transports, to: &[&str], threads: Threads) -> WorkerHandle {
    let mut options: WorkerOptions = worker_options(1, &["echo", "slow"], 2);
    options.endpoints = to.iter().map(|name| at(name)).collect();
    start_worker(transports.clone(), options, Box::new(threads)).expect("started")
}

/// Waits until this coordinator has a worker that is active.
async fn has_a_worker(coordinator: &CoordinatorHandle) -> WorkerId {
    soon(async {
        loop {
            let workers = coordinator.workers().await.expect("it runs");
            if let Some(worker) = workers.iter().find(|worker| worker.conn.is_some()) {
                return worker.worker;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// Waits for what no status is published for.
async fn waits_for(what: impl Fn() -> bool) {
    soon(async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Waits until the worker is active on its `number`th connection.
async fn is_on_connection(worker: &WorkerHandle, number: u64) {
    let link = || worker.status().link;
    waits_for(|| link().state == State::Active && link().conn == Some(ConnId(number))).await;
}

#[tokio::test]
async fn a_worker_that_is_sent_to_another_door_never_leaves_active() {
    let transports = memory();
    let coordinator = coordinator(&transports, &["front", "back"]).await;
    let (threads, began, gate) = gated(Threads::echo(), "slow");
    let worker = worker(&transports, &["front"], threads);
    until(&worker, State::Active).await;
    let since = worker.status().link.since;
    let id = has_a_worker(&coordinator).await;
    submit(&coordinator, 1, "slow", b"").await;
    tokio::task::spawn_blocking(move || began.recv()).await.expect("joined").expect("it began");

    assert!(coordinator.redirect(id, &[at("nowhere"), at("back")]).await.expect("it runs"));
    is_on_connection(&worker, 2).await;
    assert_eq!(worker.status().link.since, since, "it was active all the time");
    gate.send(()).expect("it waits");
    assert_eq!(ended(&coordinator, 1).await.applied, 1);
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_sent_where_nobody_is_stays() {
    let transports = memory();
    let coordinator = coordinator(&transports, &["front"]).await;
    let worker = worker(&transports, &["front"], Threads::echo());
    until(&worker, State::Active).await;
    let id = has_a_worker(&coordinator).await;
    let long = [at(&"x".repeat(600))];
    assert!(!coordinator.redirect(id, &long).await.expect("it runs"), "nothing can be sent");
    assert!(coordinator.redirect(id, &[at("nowhere")]).await.expect("it runs"));
    // The dial is counted, and fails.
    waits_for(|| worker.status().statistics.failures() > 0).await;
    is_on_connection(&worker, 1).await;
    submit(&coordinator, 1, "echo", b"still here").await;
    assert_eq!(ended(&coordinator, 1).await.applied, 1);
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_not_there_cannot_be_sent() {
    let transports = memory();
    let coordinator = coordinator(&transports, &["front"]).await;
    assert!(!coordinator.redirect(WorkerId(9), &[at("back")]).await.expect("it runs"));
    coordinator.stop().await;
}

#[tokio::test]
async fn what_a_coordinator_advertises_is_where_its_workers_find_it_when_it_has_moved() {
    let transports = memory();
    let first = coordinator(&transports, &["old"]).await;
    first.advertise(&[at("new")]).expect("it runs");
    let worker = worker(&transports, &["old"], Threads::echo());
    until(&worker, State::Active).await;
    has_a_worker(&first).await;
    first.stop().await;
    let second = coordinator(&transports, &["new"]).await;
    has_a_worker(&second).await;
    submit(&second, 1, "echo", b"over there").await;
    assert_eq!(ended(&second, 1).await.applied, 1);
    worker.shutdown();
    second.stop().await;
}

#[tokio::test]
async fn workers_that_are_sent_away_go_where_they_are_told() {
    let transports = memory();
    let first = coordinator(&transports, &["old"]).await;
    let second = coordinator(&transports, &["new"]).await;
    let worker = worker(&transports, &["old"], Threads::echo());
    until(&worker, State::Active).await;
    has_a_worker(&first).await;
    first.send_instead(&[at("new")]).expect("it runs");
    first.drain(Drain::within(Duration::from_secs(10))).await.expect("it runs");
    has_a_worker(&second).await;
    assert_eq!(worker.status().link.reason, Some(Reason::CoordinatorStopping));
    worker.shutdown();
    second.stop().await;
    first.stop().await;
}
