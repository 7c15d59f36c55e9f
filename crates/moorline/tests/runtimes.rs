//! The same worker on every runtime: a task, a handler that is told to stop, the link as it is told, an
//! end in order. Nothing around it is tokio, unless it runs there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, join};
use moorline::{
    BoxError, Client, Coordinator, Error, LinkState, Runtime, Submit, TaskCtx, TaskState, Worker,
};

/// Longest wait for what has to happen; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A coordinator and a client, on a tokio runtime that the worker is not in.
struct There {
    tokio: tokio::runtime::Runtime,
    coordinator: Coordinator,
    client: Client,
}

impl There {
    fn start() -> Self {
        let tokio =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let tokio = tokio.unwrap();
        let coordinator = Coordinator::builder().listen("grpc://127.0.0.1:0").admin("127.0.0.1:0");
        let coordinator = tokio.block_on(coordinator.start()).unwrap();
        let client = Client::new(coordinator.admin_url().unwrap()).unwrap();
        Self { tokio, coordinator, client }
    }

    /// Runs there what needs tokio.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Client) -> BoxFuture<'static, moorline::Result<T>>,
    ) -> T {
        self.tokio.spawn(work(self.client.clone())).await.unwrap().unwrap()
    }
}

async fn works(there: &There, runtime: Runtime) {
    let told = Arc::<Mutex<Vec<LinkState>>>::default();
    let listener = Arc::clone(&told);
    let (begun, begins) = futures::channel::mpsc::unbounded();
    let worker = Worker::builder(there.coordinator.endpoints()[0].to_string())
        .name("worker")
        .slots(2)
        .runtime(runtime)
        .on_link_change(move |link| listener.lock().unwrap().push(link.state))
        .task("is_on_tokio", |_ctx: TaskCtx, (): ()| async {
            Ok::<_, BoxError>(tokio::runtime::Handle::try_current().is_ok())
        })
        .task("endless", move |ctx: TaskCtx, (): ()| {
            let begun = begun.clone();
            async move {
                begun.unbounded_send(()).unwrap();
                ctx.cancelled().await;
                Err::<(), BoxError>("told to stop".into())
            }
        })
        .build()
        .unwrap();
    let handle = worker.handle();
    let early = handle.wait_active(Duration::from_millis(1)).await;
    assert!(matches!(early, Err(Error::NotActive { .. })), "it does not run yet: {early:?}");
    let steering = async {
        handle.wait_active(PATIENCE).await.unwrap();
        let is_on_tokio: bool = there
            .run(|client| {
                Box::pin(async move {
                    let task = client.submit(Submit::json("is_on_tokio", &())?).await?;
                    client.wait_for(task.id, PATIENCE).await?;
                    client.result_json(task.id).await
                })
            })
            .await;
        assert_eq!(is_on_tokio, runtime == Runtime::Tokio);

        let endless = there.run(|client| {
            Box::pin(async move { client.submit(Submit::json("endless", &())?).await })
        });
        let endless = endless.await.id;
        let mut begins = begins;
        futures::StreamExt::next(&mut begins).await.unwrap();
        let ended = there.run(move |client| {
            Box::pin(async move {
                client.cancel(endless).await?;
                client.wait_for(endless, PATIENCE).await
            })
        });
        assert_eq!(ended.await.state, TaskState::Cancelled);

        assert!(handle.reconnect().await);
        handle.wait_active(PATIENCE).await.unwrap();
        handle.drain().await;
    };
    let (ended, ()) = join(worker.run(), steering).await;
    ended.unwrap();
    assert_eq!(handle.link().state, LinkState::Shutdown);
    let told = told.lock().unwrap();
    assert!(told.contains(&LinkState::Active), "{told:?}");
    assert_eq!(told.last(), Some(&LinkState::Shutdown), "{told:?}");
}

#[test]
fn a_worker_on_tokio() {
    let there = There::start();
    tokio::runtime::Runtime::new().unwrap().block_on(works(&there, Runtime::Tokio));
}

#[test]
fn a_worker_on_smol() {
    let there = There::start();
    smol::block_on(works(&there, Runtime::Smol));
}

#[test]
fn a_worker_on_async_std() {
    let there = There::start();
    async_std::task::block_on(works(&there, Runtime::AsyncStd));
}

#[test]
fn a_worker_on_plain_threads() {
    let there = There::start();
    futures::executor::block_on(works(&there, Runtime::Threads));
}

/// What a runtime of its own keeps, such as the time that a handler has to end, is kept without tokio too.
#[test]
fn a_worker_that_is_dropped_in_the_middle_ends_on_every_runtime() {
    for runtime in [Runtime::Smol, Runtime::AsyncStd, Runtime::Threads] {
        let there = There::start();
        futures::executor::block_on(async {
            let worker = Worker::builder(there.coordinator.endpoints()[0].to_string())
                .name("worker")
                .runtime(runtime)
                .build()
                .unwrap();
            let handle = worker.handle();
            let mut running = Box::pin(worker.run());
            let active = Box::pin(handle.wait_active(PATIENCE));
            match futures::future::select(&mut running, active).await {
                futures::future::Either::Left((ended, _)) => panic!("{ended:?}"),
                futures::future::Either::Right((active, _)) => drop(active.unwrap()),
            }
            drop(running);
            assert_eq!(handle.ended().await.state, LinkState::Shutdown);
        });
    }
}
