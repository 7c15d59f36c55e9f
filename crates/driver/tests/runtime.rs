//! The loops need a clock, a sleep and a spawn, and nothing else of a runtime.

mod support;

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::BoxFuture;
use moorline_driver::{ReadError, Runtime, Tokio, start_coordinator, worker};
use moorline_link::{Instant, State};
use moorline_store::{MemoryStore, WallTime};
use moorline_work::{TaskId, TaskState};
use support::{Threads, memory, options, spec, worker_options};

/// A thread for everything: a runtime in thirty lines, and no tokio in it.
#[derive(Clone)]
struct Plain {
    /// Every sleep ends after half of its time: the clock has to be asked.
    hasty: bool,
}

impl Runtime for Plain {
    fn now(&self) -> Instant {
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        let since = START.get_or_init(std::time::Instant::now).elapsed();
        Instant::from_nanos(u64::try_from(since.as_nanos()).expect("a short test"))
    }

    fn wall(&self) -> WallTime {
        WallTime(1_700_000_000_000)
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        let left = at.since(self.now());
        let left = if self.hasty { left / 2 } else { left };
        if left.is_zero() {
            return std::future::ready(()).boxed();
        }
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(left);
            let _ = end.send(());
        });
        ended.map(|_| ()).boxed()
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        std::thread::spawn(move || block_on(future));
    }
}

fn tasks_run_on(runtime: &Plain) {
    let transports = memory();
    let store = Box::new(MemoryStore::new());
    let coordinator =
        block_on(start_coordinator(runtime.clone(), transports.clone(), store, options()))
            .expect("started");
    let threads = Threads::echo();
    let options = worker_options(1, &["echo"], 2);
    let (handle, run) =
        worker(runtime.clone(), transports, options, Box::new(threads)).expect("a worker");
    runtime.spawn(run);
    block_on(async {
        for id in 1..=20 {
            coordinator
                .submit(TaskId(id), spec("echo"), Bytes::from_static(b"x"))
                .await
                .expect("it runs");
            coordinator.ended(TaskId(id)).await.expect("it ends");
            let record =
                coordinator.read(move |reader| reader.task(TaskId(id))).await.expect("read");
            assert_eq!(record.expect("there").state, TaskState::Succeeded);
        }
        handle.drain(Duration::from_secs(5));
        assert_eq!(handle.ended().await.state, State::Shutdown);
        coordinator.stop().await;
    });
}

#[test]
fn another_runtime_needs_only_an_adapter() {
    tasks_run_on(&Plain { hasty: false });
}

#[test]
fn timers_that_end_early_are_not_believed() {
    tasks_run_on(&Plain { hasty: true });
}

#[test]
fn whoever_waits_for_a_loop_is_told_when_its_runtime_is_no_more() {
    let transports = memory();
    let first = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let first = first.expect("a runtime");
    let store = Box::new(MemoryStore::new());
    let coordinator = first
        .block_on(start_coordinator(Tokio, transports.clone(), store, options()))
        .expect("started");
    let options = worker_options(1, &["echo"], 1);
    let (handle, run) =
        worker(Tokio, transports, options, Box::new(Threads::echo())).expect("a worker");
    first.spawn(run);
    let waiting = TaskId(1);
    first.block_on(coordinator.submit(waiting, spec("nobody"), Bytes::new())).expect("it runs");
    drop(first);
    block_on(async {
        coordinator.stopped().await;
        coordinator.stop().await;
        assert!(matches!(coordinator.ended(waiting).await, Err(ReadError::Stopped(_))));
        let ending = handle.ended().await;
        assert_eq!((ending.state, ending.reason), (State::Failed, None));
        assert!(ending.hint.is_some_and(|hint| !hint.is_empty()));
    });
}
