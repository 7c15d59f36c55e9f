//! Tasks through a coordinator and its workers, end to end.

mod support;

use std::time::Duration;

use bytes::Bytes;
use moorline_driver::{
    Completion, Executor, Job, ReadError, Stopped, Tokio, start_coordinator, start_worker,
};
use moorline_link::{Backoff, First, Jitter, State, WorkerId};
use moorline_node::{ClientReply, Spec};
use moorline_store::{MemoryStore, Reader, SqliteStore, TaskFilter};
use moorline_work::{AbortReason, Outcome, Reply, RunId, TaskId, TaskState};
use support::{
    Threads, coordinator, ended, gated, memory, receive, result, soon, spec, submit, worker,
    worker_options,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_run_end_to_end_on_several_workers() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let echo = Threads::echo();
    let workers: Vec<_> = (1..=4).map(|id| worker(&transports, id, &echo, 4)).collect();
    let tasks = (1..=200).map(|id| {
        let coordinator = coordinator.clone();
        tokio::spawn(async move {
            submit(&coordinator, id, "echo", b"over and back").await;
            let record = ended(&coordinator, id).await;
            assert_eq!((record.state, record.applied), (TaskState::Succeeded, 1), "{record:?}");
            assert_eq!(result(&coordinator, id).await.as_deref(), Some(&b"over and back"[..]));
        })
    });
    for task in tasks {
        task.await.expect("no panic");
    }
    let seen = coordinator.workers().await.expect("it runs");
    assert_eq!(seen.len(), 4);
    let peers = coordinator.peers().await.expect("it runs");
    for worker in &seen {
        let peer = &peers[&worker.conn.expect("connected")];
        assert_eq!(peer.transport, "mem");
    }
    drop(workers);
    coordinator.stop().await;
}

#[tokio::test]
async fn a_task_that_is_submitted_again_runs_once() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let _worker = worker(&transports, 1, &Threads::echo(), 1);
    submit(&coordinator, 1, "echo", b"one").await;
    let again = coordinator.submit(TaskId(1), spec("echo"), Bytes::from_static(b"one")).await;
    assert_eq!(again, Ok(ClientReply::Work(Reply::Submitted { again: true })));
    let other = coordinator.submit(TaskId(1), spec("echo"), Bytes::from_static(b"other")).await;
    assert_eq!(other, Ok(ClientReply::Work(Reply::IdTaken)));
    assert_eq!(ended(&coordinator, 1).await.attempt.0, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_a_megabyte_travels_in_parts() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let _worker = worker(&transports, 1, &Threads::echo(), 1);
    let body: Bytes =
        (0..1_u32 << 20).map(|n| (n % 251).to_le_bytes()[0]).collect::<Vec<_>>().into();
    let reply = coordinator.submit(TaskId(1), spec("echo"), body.clone()).await;
    assert_eq!(reply, Ok(ClientReply::Work(Reply::Submitted { again: false })));
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
    assert!(result(&coordinator, 1).await == Some(body), "the result is what was sent");
}

#[tokio::test]
async fn whoever_waits_for_a_task_is_told() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let unknown = coordinator.ended(TaskId(404)).await;
    assert!(matches!(unknown, Err(ReadError::NoSuchTask)), "{unknown:?}");

    submit(&coordinator, 1, "echo", b"x").await;
    let waiting = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.ended(TaskId(1)).await }
    });
    let _worker = worker(&transports, 1, &Threads::echo(), 1);
    assert!(soon(waiting).await.expect("no panic").is_ok());
    assert!(soon(coordinator.ended(TaskId(1))).await.is_ok(), "at once, now that it has");

    submit(&coordinator, 2, "nobody-has-this", b"x").await;
    let left_waiting = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.ended(TaskId(2)).await }
    });
    tokio::task::yield_now().await;
    soon(coordinator.stop()).await;
    let told = soon(left_waiting).await.expect("no panic");
    assert!(matches!(told, Err(ReadError::Stopped(Stopped))), "{told:?}");
    assert_eq!(coordinator.workers().await, Err(Stopped));
    assert_eq!(coordinator.cancel(TaskId(2)).await, Err(Stopped));
}

#[tokio::test]
async fn a_cancelled_task_stops_its_handler() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let (threads, began, open) = gated(Threads::default(), "wait");
    let _worker = worker(&transports, 1, &threads, 1);
    submit(&coordinator, 1, "wait", b"x").await;
    let (job, _began) = receive(began).await;
    let reply = soon(coordinator.cancel(TaskId(1))).await;
    assert_eq!(reply, Ok(ClientReply::Work(Reply::CancelRequested)));
    soon(async {
        while threads.aborted() != [(job.run, AbortReason::Cancelled)] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    open.send(()).expect("it waits");
    // It was too late to stop, so its success counts: nothing is lost.
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
}

/// Loses each job in another way.
struct Careless;

impl Executor for Careless {
    fn start(&mut self, job: Job, done: Completion) {
        match job.handler.as_str() {
            "drop" => drop(done),
            "panic" => panic!("a mistake in the executor"),
            _ => {
                std::thread::spawn(move || {
                    let _done = done;
                    panic!("a mistake in a handler");
                });
            }
        }
    }

    fn abort(&mut self, _run: RunId, _reason: AbortReason) {}
}

#[tokio::test]
async fn a_handler_that_is_lost_fails_its_task_and_nothing_else() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let handlers = ["drop", "panic", "panic-inside"];
    let options = worker_options(1, &handlers, 1);
    let worker = start_worker(transports.clone(), options, Box::new(Careless)).expect("started");
    for (id, handler) in (1..).zip(handlers) {
        submit(&coordinator, id, handler, b"x").await;
        let record = ended(&coordinator, id).await;
        assert_eq!(record.state, TaskState::Failed, "{handler}");
        assert_eq!(record.error.as_deref(), Some("handler was dropped"), "{handler}");
    }
    assert_eq!(worker.status().link.state, State::Active);
    assert_eq!(worker.status().link.attempts, 1, "one dial was enough");
}

/// Runs handlers on a runtime that ends under them the first time.
struct Abandoning {
    first: Option<tokio::runtime::Runtime>,
}

impl Executor for Abandoning {
    fn start(&mut self, job: Job, done: Completion) {
        match self.first.take() {
            Some(runtime) => {
                runtime.spawn(async move {
                    std::future::pending::<()>().await;
                    done.complete(Outcome::Succeeded, job.payload);
                });
                runtime.shutdown_background();
            }
            None => done.complete(Outcome::Succeeded, job.payload),
        }
    }

    fn abort(&mut self, _run: RunId, _reason: AbortReason) {}
}

#[tokio::test]
async fn a_handler_that_is_dropped_unfinished_is_a_failed_attempt_and_tried_again() {
    let transports = memory();
    let mut options = support::options();
    let (initial, max) = (Duration::from_millis(10), Duration::from_millis(10));
    options.retry =
        Backoff::new(initial, max, 1_000, Jitter::None, First::Backoff).expect("a policy");
    let store = Box::new(MemoryStore::new());
    let coordinator =
        start_coordinator(Tokio, transports.clone(), store, options).await.expect("started");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let executor = Abandoning { first: Some(runtime.expect("a runtime")) };
    let options = worker_options(1, &["echo"], 1);
    let worker = start_worker(transports, options, Box::new(executor)).expect("started");
    let retried = Spec { max_retries: 1, ..spec("echo") };
    let reply = soon(coordinator.submit(TaskId(1), retried, Bytes::from_static(b"kept"))).await;
    assert!(reply.is_ok());
    let record = ended(&coordinator, 1).await;
    assert_eq!((record.state, record.attempt.0, record.retries), (TaskState::Succeeded, 2, 1));
    assert_eq!(record.lost, 0, "it was not lost");
    assert_eq!(worker.status().running, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_outlives_its_coordinator() {
    let transports = memory();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("moorline.db");
    let first = coordinator(&transports, SqliteStore::open(&file).expect("opened")).await;
    let (threads, began, open) = gated(Threads::echo(), "wait");
    let worker = worker(&transports, 1, &threads, 2);
    submit(&first, 1, "wait", b"kept").await;
    submit(&first, 2, "echo", b"done before").await;
    let (_job, began) = receive(began).await;
    ended(&first, 2).await;
    soon(first.stop()).await;

    // Nobody is there: the worker works on, and what ends is kept.
    open.send(()).expect("it waits");
    soon(async {
        while worker.status().kept_results != 1 {
            worker.changed(worker.status().version).await;
        }
    })
    .await;

    let second = coordinator(&transports, SqliteStore::open(&file).expect("opened again")).await;
    assert!(second.epoch() > first.epoch());
    let record = ended(&second, 1).await;
    assert_eq!((record.state, record.applied, record.attempt.0), (TaskState::Succeeded, 1, 1));
    assert_eq!(result(&second, 1).await.as_deref(), Some(&b"kept"[..]));
    assert_eq!(result(&second, 2).await.as_deref(), Some(&b"done before"[..]));
    assert!(began.try_recv().is_err(), "it ran once");
    submit(&second, 3, "echo", b"after").await;
    assert_eq!(ended(&second, 3).await.state, TaskState::Succeeded);
    let listed = second.read(|reader| reader.tasks(&TaskFilter::default())).await.expect("read");
    assert_eq!(listed.len(), 3);
    soon(second.stop()).await;
}

#[tokio::test]
async fn a_drain_waits_for_what_runs_and_its_answer() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let (threads, began, open) = gated(Threads::default(), "wait");
    let worker = worker(&transports, 1, &threads, 2);
    submit(&coordinator, 1, "wait", b"to its end").await;
    let (_job, began) = receive(began).await;
    worker.drain(Duration::from_secs(20));
    soon(async {
        while !worker.status().link.draining {
            worker.changed(worker.status().version).await;
        }
    })
    .await;
    submit(&coordinator, 2, "wait", b"too late").await;
    open.send(()).expect("it waits");
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
    let ending = soon(worker.ended()).await;
    assert_eq!((ending.state, ending.reason), (State::Shutdown, None));
    assert!(began.try_recv().is_err(), "nothing new was taken");
    // The goodbye arrived: it left, it was not lost.
    let view = soon(async {
        loop {
            let workers = coordinator.workers().await.expect("it runs");
            if workers[0].conn.is_none() {
                return workers;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(view[0].worker, WorkerId(1));
    assert_eq!(view[0].presence, moorline_link::Presence::Departed);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_handlers() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let (threads, began, _open) = gated(Threads::default(), "wait");
    let worker = worker(&transports, 1, &threads, 1);
    submit(&coordinator, 1, "wait", b"for ever").await;
    let (job, _began) = receive(began).await;
    worker.shutdown();
    let ending =
        tokio::time::timeout(Duration::from_secs(5), worker.ended()).await.expect("at once");
    assert_eq!(ending.state, State::Shutdown);
    assert!(threads.aborted().contains(&(job.run, AbortReason::Cancelled)));
    // What it held goes to the next one without waiting for it to be lost.
    let (threads, began, open) = gated(Threads::default(), "wait");
    let _next = support::worker(&transports, 2, &threads, 1);
    let (job, _began) = receive(began).await;
    assert_eq!(job.key.attempt.0, 2);
    open.send(()).expect("it waits");
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
}

#[tokio::test]
async fn a_task_that_runs_too_long_is_aborted() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let (threads, began, open) = gated(Threads::default(), "wait");
    let _worker = worker(&transports, 1, &threads, 1);
    let mut limited = spec("wait");
    limited.timeout = Some(Duration::from_millis(100));
    let reply = soon(coordinator.submit(TaskId(1), limited, Bytes::new())).await;
    assert!(reply.is_ok());
    let (job, _began) = receive(began).await;
    let left = job.deadline.expect("it has one");
    assert!(left <= Duration::from_millis(100), "{left:?}");
    soon(async {
        while threads.aborted() != [(job.run, AbortReason::TimedOut)] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    drop(open);
    let record = ended(&coordinator, 1).await;
    assert!(matches!(record.state, TaskState::Succeeded | TaskState::Failed), "{record:?}");
}

#[tokio::test]
async fn outcomes_are_kept_as_the_handler_said_them() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let threads = Threads::default().with("fatal", |_| {
        (Outcome::Failed { retryable: false }, Bytes::from_static(b"no such input"))
    });
    let _worker = worker(&transports, 1, &threads, 1);
    submit(&coordinator, 1, "fatal", b"x").await;
    let record = ended(&coordinator, 1).await;
    assert_eq!((record.state, record.error.as_deref()), (TaskState::Failed, Some("no such input")));
}

#[tokio::test]
async fn whoever_submitted_a_task_is_told_of_its_end_while_every_reader_is_busy() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let _worker = worker(&transports, 1, &Threads::echo(), 1);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(gate));
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let (coordinator, gate) = (coordinator.clone(), std::sync::Arc::clone(&gate));
            let read = async move {
                // Until the test is over.
                let wait = move |_: &mut dyn Reader| {
                    let _ = gate.lock().expect("not poisoned").recv();
                    Ok(())
                };
                coordinator.read(wait).await
            };
            tokio::spawn(read)
        })
        .collect();
    submit(&coordinator, 1, "echo", b"x").await;
    soon(coordinator.ended(TaskId(1))).await.expect("it has ended");
    drop(open);
    for read in busy {
        soon(read).await.expect("no panic").expect("read");
    }
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
}
