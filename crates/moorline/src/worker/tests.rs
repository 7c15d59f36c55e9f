//! A whole worker in this process: how it ends, and what it leaves behind.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use moorline_link::{First, Reason, State};
use moorline_memory::MemoryTransport;
use moorline_transport::{Connection, DialError, Endpoint, ListenError, Listener, Transport};
use moorline_work::TaskState;
use tokio::sync::watch;

use super::{Worker, WorkerBuilder};
use crate::test_rig::coordinator;
use crate::{BoxError, Error, Reconnect, Submit, TaskCtx};

mod handle;

thread_local! {
    /// Lives as long as the thread.
    static HERE: RefCell<Option<Arc<()>>> = const { RefCell::new(None) };
}

/// A transport that counts dials, marks the thread that dials, and may hold dials up.
struct Watched {
    inner: MemoryTransport,
    held: watch::Receiver<bool>,
    dials: Arc<AtomicU32>,
    thread: Arc<()>,
}

impl Transport for Watched {
    fn schemes(&self) -> &'static [&'static str] {
        self.inner.schemes()
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        self.dials.fetch_add(1, Ordering::SeqCst);
        HERE.with_borrow_mut(|here| *here = Some(Arc::clone(&self.thread)));
        let (dial, mut held) = (self.inner.dial(endpoint), self.held.clone());
        Box::pin(async move {
            // Nobody holds it up any more where the watcher is gone.
            let _ = held.wait_for(|held| !held).await;
            dial.await
        })
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        self.inner.listen(endpoint)
    }
}

/// What a worker is watched by.
struct Watch {
    dials: Arc<AtomicU32>,
    thread: Arc<()>,
    held: watch::Sender<bool>,
}

impl Watch {
    /// Dials that begin from now on hang, until they are let go.
    fn hold_dials(&self, held: bool) {
        self.held.send_replace(held);
    }

    fn dials(&self) -> u32 {
        self.dials.load(Ordering::SeqCst)
    }

    /// Whether the worker's loop, or the thread it ran on, is still there.
    fn is_alive(&self) -> bool {
        Arc::strong_count(&self.thread) > 1
    }
}

/// A worker that dials at once, and what watches it.
fn worker(transport: &MemoryTransport) -> (WorkerBuilder, Watch) {
    let (held, _) = watch::channel(false);
    let watch = Watch { dials: Arc::default(), thread: Arc::new(()), held };
    let watched = Watched {
        inner: transport.clone(),
        dials: Arc::clone(&watch.dials),
        thread: Arc::clone(&watch.thread),
        held: watch.held.subscribe(),
    };
    let builder = Worker::builder("mem://here").transport(watched).name("w");
    (builder.reconnect(quick(Reconnect::forever())), watch)
}

fn quick(reconnect: Reconnect) -> Reconnect {
    let moment = Duration::from_millis(1);
    reconnect.initial(moment).max(moment).stable_after(moment).first(First::Immediate)
}

/// Nothing here takes that long when all is well.
async fn soon<T>(doing: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), doing).await.expect("it hangs")
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let limit = tokio::time::timeout(Duration::from_secs(30), waiting);
    limit.await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn reason(ended: Result<(), Error>) -> Reason {
    match ended {
        Err(Error::Ended { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_drain_finishes_what_runs_takes_nothing_new_and_says_goodbye() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, client) = coordinator(&transport).await;
        let (release, gate) = watch::channel(false);
        let hold = move |_ctx: TaskCtx, (): ()| {
            let mut gate = gate.clone();
            async move {
                gate.wait_for(|open| *open).await?;
                Ok::<_, BoxError>("done")
            }
        };
        let (builder, watch) = worker(&transport);
        let worker = builder.task("hold", hold).build().unwrap();
        let handle = worker.handle();
        let running = tokio::spawn(worker.run());
        let first = client.submit(Submit::new("hold", "")).await.unwrap().id;
        until("it runs", async || handle.link().running == 1).await;

        let draining = tokio::spawn({
            let handle = handle.clone();
            async move { handle.drain().await }
        });
        let seen = async || client.worker("w").await.unwrap().state;
        until("the coordinator knows", async || seen().await == "draining").await;
        let second = client.submit(Submit::new("hold", "")).await.unwrap().id;
        assert!(handle.connected() && handle.link().draining);
        assert!(!draining.is_finished() && !running.is_finished());

        release.send_replace(true);
        draining.await.unwrap();
        running.await.unwrap().unwrap();
        assert_eq!(client.get(first).await.unwrap().state, TaskState::Succeeded);
        assert_eq!(client.get(second).await.unwrap().state, TaskState::Queued);
        until("it has said goodbye", async || seen().await == "departed").await;
        assert_eq!((handle.link().state, watch.dials()), (State::Shutdown, 1));
        coordinator.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_drain_hands_back_at_its_limit_what_still_runs() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, client) = coordinator(&transport).await;
        let forever = |_ctx: TaskCtx, (): ()| std::future::pending::<Result<(), BoxError>>();
        let (builder, _watch) = worker(&transport);
        let limit = Duration::from_millis(100);
        let worker = builder.drain_timeout(limit).task("forever", forever).build().unwrap();
        let handle = worker.handle();
        let running = tokio::spawn(worker.run());
        let task = client.submit(Submit::new("forever", "")).await.unwrap().id;
        until("it runs", async || handle.link().running == 1).await;
        handle.drain().await;
        running.await.unwrap().unwrap();
        let state = async || client.get(task).await.unwrap().state;
        until("it waits for another worker", async || state().await == TaskState::Queued).await;
        coordinator.stop().await;
    })
    .await;
}

#[tokio::test]
async fn without_reconnecting_the_first_failed_dial_or_loss_is_the_end() {
    let transport = MemoryTransport::new();
    soon(async {
        let (builder, watch) = worker(&transport);
        let ended = builder.reconnect(quick(Reconnect::off())).run().await;
        assert_eq!((reason(ended), watch.dials()), (Reason::DeadlineExceeded, 1));

        let (coordinator, _client) = coordinator(&transport).await;
        let (builder, watch) = worker(&transport);
        let worker = builder.reconnect(quick(Reconnect::off())).build().unwrap();
        let handle = worker.handle();
        let running = tokio::spawn(worker.run());
        assert!(handle.active().await);
        coordinator.stop().await;
        reason(running.await.unwrap());
        assert_eq!((handle.link().state, watch.dials()), (State::Failed, 1));
    })
    .await;
}

#[tokio::test]
async fn two_attempts_are_exactly_two_dials_since_the_last_stable_connection() {
    let transport = MemoryTransport::new();
    soon(async {
        let (builder, watch) = worker(&transport);
        let ended = builder.reconnect(quick(Reconnect::attempts(2))).run().await;
        assert_eq!((reason(ended), watch.dials()), (Reason::AttemptsExhausted, 2));

        // A connection that dies young forgives nothing: the dial that opened it counts.
        let (coordinator, _client) = coordinator(&transport).await;
        let (builder, watch) = worker(&transport);
        let worker = builder.reconnect(quick(Reconnect::attempts(2))).build().unwrap();
        let handle = worker.handle();
        let running = tokio::spawn(worker.run());
        assert!(handle.active().await);
        coordinator.stop().await;
        assert_eq!(reason(running.await.unwrap()), Reason::AttemptsExhausted);
        assert_eq!((handle.link().state, watch.dials()), (State::Failed, 2));
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_no_thread_and_no_connection() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, client) = coordinator(&transport).await;
        let forever = |ctx: TaskCtx, (): ()| async move {
            ctx.cancelled().await;
            std::future::pending::<Result<(), BoxError>>().await
        };
        let (builder, watch) = worker(&transport);
        let worker = builder.task("forever", forever).build().unwrap();
        let handle = worker.handle();
        let running = tokio::spawn(worker.run());
        let task = client.submit(Submit::new("forever", "")).await.unwrap().id;
        until("it runs", async || handle.link().running == 1).await;
        assert!(watch.is_alive());

        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert!(!handle.connected() && !handle.active().await);
        assert_eq!(handle.link().state, State::Shutdown);
        handle.drain().await;
        until("the thread is gone", async || !watch.is_alive()).await;
        let seen = async || client.worker("w").await.unwrap();
        until("its connection is gone", async || seen().await.transport.is_none()).await;
        assert_ne!(seen().await.state, "active");
        assert_eq!((client.get(task).await.unwrap().attempts, watch.dials()), (1, 1));
        coordinator.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_is_dropped_before_it_ran_lets_nobody_wait_for_it() {
    let (builder, watch) = worker(&MemoryTransport::new());
    let worker = builder.build().unwrap();
    let handle = worker.handle();
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.active().await }
    });
    tokio::task::yield_now().await;
    drop(worker);
    assert!(!soon(waiting).await.unwrap());
    soon(handle.drain()).await;
    assert_eq!(watch.dials(), 0);
}
