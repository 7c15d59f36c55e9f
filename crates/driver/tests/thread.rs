//! A coordinator with a thread and a runtime to itself.

mod support;

use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::task::noop_waker_ref;
use moorline_driver::{StartError, start_coordinator_thread};
use moorline_node::ClientReply;
use moorline_store::MemoryStore;
use moorline_transport::ListenError;
use moorline_work::{Reply, TaskId};
use support::{PATIENCE, Threads, memory, options, soon, spec, worker};

/// Without a runtime of the caller's: what would block it holds nothing up.
#[test]
fn it_serves_whatever_the_caller_does_with_its_own_runtime() {
    let transports = memory();
    let store = Box::new(MemoryStore::new());
    let coordinator =
        block_on(start_coordinator_thread(transports.clone(), store, options())).expect("started");
    let worker = worker(&transports, 1, &Threads::echo(), 1);
    let task = TaskId(7);
    let reply = block_on(coordinator.submit(task, spec("echo"), "hello".into()));
    assert_eq!(reply, Ok(ClientReply::Work(Reply::Submitted { again: false })));
    block_on(coordinator.ended(task)).expect("it ends");
    let result = block_on(coordinator.read(move |reader| reader.result(task))).expect("readable");
    assert_eq!(result.as_deref(), Some(&b"hello"[..]));
    worker.shutdown();
    block_on(worker.ended());
    block_on(coordinator.stop());
    assert!(block_on(coordinator.workers()).is_err(), "it has stopped");
}

#[tokio::test]
async fn what_is_given_up_before_it_has_started_stops_and_leaves_its_address() {
    let transports = memory();
    let start =
        || start_coordinator_thread(transports.clone(), Box::new(MemoryStore::new()), options());
    let (transport, at) = (transports.get("mem").expect("it is there"), options().listen.remove(0));
    // Before it listens, and when it has started and nobody has looked.
    for has_started in [false, true] {
        let mut given_up = Box::pin(start());
        let mut cx = std::task::Context::from_waker(noop_waker_ref());
        // Its thread runs now.
        let _ = given_up.as_mut().poll(&mut cx);
        let until = Instant::now() + PATIENCE;
        while has_started && transport.dial(&at).await.is_err() {
            assert!(Instant::now() < until, "it never listens");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(given_up);
        let next = loop {
            match start().await {
                Ok(coordinator) => break coordinator,
                Err(StartError::Listen(ListenError::InUse { .. })) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(Instant::now() < until, "the address stays in use");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        soon(next.stop()).await;
    }
}

#[tokio::test]
async fn an_address_in_use_is_the_error_of_its_start() {
    let transports = memory();
    let start =
        || start_coordinator_thread(transports.clone(), Box::new(MemoryStore::new()), options());
    let first = start().await.expect("started");
    let error = start().await.map(|_| ()).expect_err("the name is taken");
    assert!(matches!(error, StartError::Listen(ListenError::InUse { .. })), "{error}");
    soon(first.stop()).await;
    soon(start().await.expect("the name is free").stop()).await;
}
