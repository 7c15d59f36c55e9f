//! Many workers in one process: nothing of them is global, so one is no other's business.
#![cfg(all(feature = "grpc", feature = "coordinator", feature = "client"))]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::{
    BoxError, Client, Coordinator, LinkState, Submit, TaskCtx, Worker, WorkerHandle, WorkerInfo,
};

const WORKERS: usize = 10;

/// What a worker has told about its link.
type Told = Arc<Mutex<Vec<LinkState>>>;

struct One {
    handle: WorkerHandle,
    ran: Arc<AtomicU32>,
    told: Told,
    running: tokio::task::JoinHandle<moorline::Result<()>>,
}

/// A worker that alone has a handler of its own name.
fn worker(endpoint: &str, name: &str) -> One {
    let ran = Arc::new(AtomicU32::new(0));
    let told = Told::default();
    let (count, listener) = (Arc::clone(&ran), Arc::clone(&told));
    let worker = Worker::builder(endpoint)
        .name(name)
        .slots(2)
        .on_link_change(move |link| listener.lock().unwrap().push(link.state))
        .task(format!("{name}-echo"), move |_ctx: TaskCtx, text: String| {
            let count = Arc::clone(&count);
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                Ok::<_, BoxError>(text)
            }
        })
        .build()
        .unwrap();
    let handle = worker.handle();
    One { handle, ran, told, running: tokio::spawn(worker.run()) }
}

/// Every worker named runs a task of its own.
async fn all_work(client: &Client, names: impl Iterator<Item = &String>) {
    let mut tasks = Vec::new();
    for name in names {
        let task =
            client.submit(Submit::json(format!("{name}-echo"), name).unwrap()).await.unwrap();
        tasks.push((name, task.id));
    }
    for (name, task) in tasks {
        let said: String = {
            client.wait_for(task, Duration::from_secs(60)).await.unwrap();
            client.result_json(task).await.unwrap()
        };
        assert_eq!(&said, name);
    }
}

async fn seen(client: &Client) -> BTreeMap<String, WorkerInfo> {
    let workers = client.workers().await.unwrap();
    workers.into_iter().map(|worker| (worker.name.clone(), worker)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_workers_in_one_process_do_not_disturb_each_other() {
    let coordinator = Coordinator::builder()
        .listen("grpc://127.0.0.1:0")
        .admin("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let endpoint = coordinator.endpoints()[0].to_string();
    let client = Client::new(coordinator.admin_url().unwrap()).unwrap();
    let mut workers: BTreeMap<String, One> = (0..WORKERS)
        .map(|n| format!("w{n}"))
        .map(|name| (name.clone(), worker(&endpoint, &name)))
        .collect();
    for one in workers.values() {
        one.handle.wait_active(Duration::from_secs(60)).await.unwrap();
    }
    all_work(&client, workers.keys()).await;
    let known = seen(&client).await;
    assert_eq!(known.len(), WORKERS, "each is itself: {known:?}");

    // One is shut down, one is drained, one is made to reconnect: three of ten.
    let shut_down = workers.remove("w3").unwrap();
    let drained = workers.remove("w7").unwrap();
    shut_down.handle.shutdown();
    tokio::join!(drained.handle.drain(), workers["w5"].handle.reconnect());
    for gone in [shut_down, drained] {
        gone.running.await.unwrap().unwrap();
        assert_eq!(gone.handle.ended().await.state, LinkState::Shutdown);
        assert_eq!(gone.told.lock().unwrap().last(), Some(&LinkState::Shutdown));
        assert_eq!(gone.ran.load(Ordering::SeqCst), 1);
    }
    workers["w5"].handle.wait_active(Duration::from_secs(60)).await.unwrap();
    all_work(&client, workers.keys()).await;
    for (name, one) in &workers {
        assert!(one.handle.connected(), "{name}");
        assert_eq!(one.ran.load(Ordering::SeqCst), 2, "{name}");
        let losses =
            one.told.lock().unwrap().iter().filter(|state| **state == LinkState::Active).count();
        assert!(losses == 1 || name == "w5", "{name} was active {losses} times");
        assert_eq!(seen(&client).await[name].state, "active", "{name}");
    }
    for (_, one) in workers {
        one.handle.drain().await;
        one.running.await.unwrap().unwrap();
    }
    coordinator.stop().await;
}

/// State that outlives a worker, subscribers of logs, signal handlers and the environment belong to the
/// program. The command is one; the library is none.
#[test]
fn the_library_keeps_no_state_of_the_process() {
    /// The zero of the monotonic clock: set once, and the same for all.
    const ALLOWED: &[&str] = &["crates/driver/src/runtime/clock.rs: static START"];
    const CHANGES: &[&str] = &["static mut", "Mutex", "RwLock", "Atomic", "Cell", "Lock", "Lazy"];
    const GLOBAL: &[&str] =
        &["set_global_default", "set_logger", "signal::", "set_var(", "set_hook(", "thread_local!"];
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().and_then(std::path::Path::parent).unwrap();
    let (mut files, mut wrong) = (0, Vec::new());
    let mut waiting = vec![root.join("crates"), root.join("transports")];
    while let Some(path) = waiting.pop() {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        // The command, and what is not the library: the kit for tests of transports is in no build of it.
        if ["/src/cli", "/src/main.rs", "/src/conformance", "tests", "/benches", "/examples"]
            .iter()
            .any(|part| name.contains(part))
        {
            continue;
        }
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if name.ends_with(".rs") {
            files += 1;
            let mut is_planted = false;
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let code = line.trim_start();
                // A bug that no build has but that of a hunt for it.
                if std::mem::replace(&mut is_planted, code.starts_with("#[cfg(moorline_planted")) {
                    continue;
                }
                let is_static = code.starts_with("static ") || code.contains(" static ");
                let has = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
                let found = format!("{name}: {code}");
                if !code.starts_with("//")
                    && ((is_static && has(CHANGES)) || has(GLOBAL))
                    && !ALLOWED.iter().any(|allowed| found.starts_with(allowed))
                {
                    wrong.push(found);
                }
            }
        }
    }
    assert!(files > 100, "it has looked at {files} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
