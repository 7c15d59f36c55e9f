//! The other side of the examples of runtimes: a coordinator in this process, on a tokio runtime of its
//! own, and a client of it.

use moorline::{Client, Coordinator, Error, Result, Submit};

/// A coordinator somewhere, as far as a worker can tell.
pub(crate) struct There {
    tokio: tokio::runtime::Runtime,
    coordinator: Coordinator,
    client: Client,
}

impl There {
    pub(crate) fn start() -> Result<Self> {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(Error::Start)?;
        let coordinator = Coordinator::builder().listen("grpc://127.0.0.1:0").admin("127.0.0.1:0");
        let coordinator = tokio.block_on(coordinator.start())?;
        let client = Client::new(coordinator.admin_url().unwrap_or_default())?;
        Ok(Self { tokio, coordinator, client })
    }

    pub(crate) fn url(&self) -> String {
        self.coordinator.endpoints()[0].to_string()
    }

    /// Has a worker greet somebody. May be awaited anywhere.
    pub(crate) async fn greeting(&self, who: &'static str) -> Result<String> {
        let client = self.client.clone();
        let greeted = self.tokio.spawn(async move {
            let task = client.submit(Submit::json("greet", &who)?).await?;
            client.wait(task.id).await?;
            client.result_json(task.id).await
        });
        greeted.await.expect("it does not panic")
    }
}
