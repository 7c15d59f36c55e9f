//! Tasks through a NATS server. An empty task tells the worker that it is over.

/// The subject of the tasks.
const TASKS: &str = "tasks";

/// The subject of the results.
const RESULTS: &str = "results";

/// The name of the workers together: each task is for one of them.
const WORKERS: &str = "workers";

/// Subjects alone: a task reaches a worker that is there, or nobody.
pub(crate) mod core {
    use std::time::Duration;

    use bytes::Bytes;
    use futures::StreamExt;
    use serde_json::Value;

    use super::{RESULTS, TASKS, WORKERS};
    use crate::Error;
    use crate::load::{Load, PROBE, Window, place, task};

    /// How long a probe may take before there is another: who is not there yet never gets it.
    const GLANCE: Duration = Duration::from_millis(10);

    pub(crate) async fn submit(at: &str, load: Load) -> Result<Value, Error> {
        let client = async_nats::connect(at).await?;
        let mut results = client.subscribe(RESULTS).await?;
        client.flush().await?;
        println!("READY");
        loop {
            client.publish(TASKS, task(PROBE)).await?;
            if tokio::time::timeout(GLANCE, results.next()).await.is_ok() {
                break;
            }
        }
        let mut window = Window::new(load, 1);
        for place in 0..load.window {
            client.publish(TASKS, window.open(place)).await?;
        }
        let end = tokio::time::sleep_until(window.end());
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => break,
                Some(result) = results.next() => {
                    let place = place(&result.payload)?;
                    if window.heard(place)? {
                        client.publish(TASKS, window.open(place)).await?;
                    }
                }
            }
        }
        client.publish(TASKS, Bytes::new()).await?;
        client.flush().await?;
        window.figures()
    }

    pub(crate) async fn work(at: &str) -> Result<(), Error> {
        let client = async_nats::connect(at).await?;
        let mut tasks = client.queue_subscribe(TASKS, WORKERS.to_owned()).await?;
        while let Some(task) = tasks.next().await {
            if task.payload.is_empty() {
                break;
            }
            client.publish(RESULTS, task.payload).await?;
        }
        Ok(())
    }
}

/// A stream as a work queue: the server acknowledges a task when it has it, keeps it until the worker
/// acknowledges it, and gives it to another one if it does not. Results travel on a subject alone,
/// which is the least that can be asked for: ours are kept.
pub(crate) mod jetstream {
    use async_nats::jetstream::consumer::{AckPolicy, pull};
    use async_nats::jetstream::stream::{Config, RetentionPolicy, StorageType};
    use bytes::Bytes;
    use futures::StreamExt;
    use futures::stream::FuturesUnordered;
    use serde_json::Value;

    use super::{RESULTS, TASKS, WORKERS};
    use crate::Error;
    use crate::load::{Load, PROBE, Window, place, task};

    /// How many tasks the worker asks for at once.
    const BATCH: usize = 1_000;

    pub(crate) async fn submit(at: &str, load: Load, storage: StorageType) -> Result<Value, Error> {
        let client = async_nats::connect(at).await?;
        let server = async_nats::jetstream::new(client.clone());
        let stream = server
            .create_stream(Config {
                name: TASKS.to_owned(),
                subjects: vec![TASKS.to_owned()],
                retention: RetentionPolicy::WorkQueue,
                storage,
                ..Config::default()
            })
            .await?;
        stream
            .create_consumer(pull::Config {
                durable_name: Some(WORKERS.to_owned()),
                ack_policy: AckPolicy::Explicit,
                max_ack_pending: 1_000 + 2 * i64::from(load.window),
                ..pull::Config::default()
            })
            .await?;
        let mut results = client.subscribe(RESULTS).await?;
        client.flush().await?;
        println!("READY");
        server.publish(TASKS, task(PROBE)).await?.await?;
        results.next().await.ok_or("the server is gone")?;

        // That it is kept, and its result.
        let mut window = Window::new(load, 2);
        let mut kept = FuturesUnordered::new();
        let submit = async |place: u32, window: &mut Window| {
            let kept = server.publish(TASKS, window.open(place)).await?;
            Ok::<_, Error>(async move { kept.await.map(|_| place) })
        };
        for place in 0..load.window {
            kept.push(submit(place, &mut window).await?);
        }
        let end = tokio::time::sleep_until(window.end());
        tokio::pin!(end);
        loop {
            let place = tokio::select! {
                biased;
                () = &mut end => break,
                Some(place) = kept.next() => place?,
                Some(result) = results.next() => place(&result.payload)?,
            };
            if window.heard(place)? {
                kept.push(submit(place, &mut window).await?);
            }
        }
        server.publish(TASKS, Bytes::new()).await?.await?;
        window.figures()
    }

    pub(crate) async fn work(at: &str) -> Result<(), Error> {
        let client = async_nats::connect(at).await?;
        let server = async_nats::jetstream::new(client.clone());
        let stream = server.get_stream(TASKS).await?;
        let consumer = stream.get_consumer::<pull::Config>(WORKERS).await?;
        let mut tasks = consumer.stream().max_messages_per_batch(BATCH).messages().await?;
        while let Some(task) = tasks.next().await {
            let task = task?;
            if task.payload.is_empty() {
                break;
            }
            client.publish(RESULTS, task.payload.clone()).await?;
            task.ack().await?;
        }
        Ok(())
    }
}
