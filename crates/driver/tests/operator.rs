//! What an operator does to workers and to the coordinator, over real loops.

mod support;

use std::time::Duration;

use moorline_driver::{CoordinatorHandle, Drain};
use moorline_link::{Presence, State, WorkerId};
use moorline_store::MemoryStore;
use moorline_work::TaskState;
use support::{Threads, coordinator, ended, memory, soon, submit, until, worker};

const ONE: WorkerId = WorkerId(1);

/// Waits until the coordinator sees its only worker so.
async fn sees(coordinator: &CoordinatorHandle, presence: Presence) {
    soon(async {
        loop {
            let workers = coordinator.workers().await.expect("it runs");
            if workers.iter().any(|view| view.presence == presence) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_drained_coordinator_sends_its_workers_away_lets_nobody_in_and_stops() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let first = worker(&transports, 1, &Threads::echo(), 1);
    until(&first, State::Active).await;
    assert!(!coordinator.is_draining());
    let drain =
        Drain::new(Duration::from_millis(20), Duration::from_millis(50), Duration::from_secs(60));
    assert_eq!(coordinator.drain(drain).await.expect("it runs"), 1);
    assert!(coordinator.is_draining(), "not ready from now on");
    // Its worker goes although nothing is wrong with it, and that is the end of it.
    soon(coordinator.stopped()).await;
    assert_ne!(first.status().link.state, State::Failed, "it will come back by itself");
}

#[tokio::test]
async fn a_drain_that_takes_too_long_ends_all_the_same() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let first = worker(&transports, 1, &Threads::echo(), 1);
    until(&first, State::Active).await;
    let hour = Duration::from_secs(3_600);
    let drain = Drain::new(hour, hour, Duration::from_millis(50));
    coordinator.drain(drain).await.expect("it runs");
    soon(coordinator.stopped()).await;
}

#[tokio::test]
async fn a_worker_is_drained_resumed_reconnected_and_forgotten_when_it_is_gone() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let first = worker(&transports, 1, &Threads::echo(), 1);
    until(&first, State::Active).await;
    sees(&coordinator, Presence::Active).await;
    coordinator.cordon(ONE, true).await.expect("it runs");
    sees(&coordinator, Presence::Draining).await;
    let before = first.status().link;
    coordinator.reconnect(ONE).await.expect("it runs");
    soon(async {
        while first.status().link.conn == before.conn || first.status().link.state != State::Active
        {
            first.changed(first.status().version).await;
        }
    })
    .await;
    assert_eq!(first.status().link.session, before.session, "with its session");
    sees(&coordinator, Presence::Draining).await;
    submit(&coordinator, 1, "echo", b"x").await;
    coordinator.cordon(ONE, false).await.expect("it runs");
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
    assert!(!coordinator.forget(ONE).await.expect("it runs"), "it is here");
    first.shutdown();
    soon(first.ended()).await;
    sees(&coordinator, Presence::Departed).await;
    assert!(coordinator.forget(ONE).await.expect("it runs"));
    assert_eq!(coordinator.workers().await.expect("it runs"), []);
}

#[tokio::test]
async fn a_drain_in_a_hurry_takes_no_more_time_than_its_workers_need() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let workers = [1, 2].map(|id| worker(&transports, id, &Threads::echo(), 1));
    for worker in &workers {
        until(worker, State::Active).await;
    }
    let hour = Duration::from_secs(3_600);
    let connected = soon(coordinator.drain(Drain::within(hour))).await.expect("it runs");
    assert_eq!(connected, 2);
    soon(coordinator.stopped()).await;

    // Without workers there is nothing to wait for.
    let transports = memory();
    let lonely = support::coordinator(&transports, MemoryStore::new()).await;
    assert_eq!(soon(lonely.drain(Drain::within(hour))).await, Ok(0));
    soon(lonely.stopped()).await;
}
