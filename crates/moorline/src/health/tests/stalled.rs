//! A coordinator whose store hangs.

use std::sync::{Condvar, Mutex, PoisonError};

use moorline_driver::{CoordinatorOptions, Tokio, Transports, start_coordinator};
use moorline_link::Epoch;
use moorline_node::{Done, Name, Persist, Spec};
use moorline_store::{MemoryStore, Pruned, Reader, Retention, Store, StoreError, WallTime};
use moorline_work::TaskId;

use super::*;

/// Says whether commits hang.
#[derive(Default)]
struct Disk {
    hangs: Mutex<bool>,
    goes_on: Condvar,
}

impl Disk {
    fn hangs(&self, hangs: bool) {
        *self.hangs.lock().unwrap_or_else(PoisonError::into_inner) = hangs;
        self.goes_on.notify_all();
    }

    fn pass(&self) {
        let hangs = self.hangs.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.goes_on.wait_while(hangs, |hangs| *hangs));
    }
}

/// A store in memory whose commits take as long as the disk wants.
struct OnDisk {
    inner: MemoryStore,
    disk: Arc<Disk>,
}

impl Store for OnDisk {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        self.inner.begin_epoch(now)
    }

    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        self.disk.pass();
        self.inner.commit(now, batch)
    }

    fn prune(&mut self, now: WallTime, retention: &Retention) -> Result<Pruned, StoreError> {
        self.inner.prune(now, retention)
    }

    fn last_event(&self) -> u64 {
        self.inner.last_event()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.reader()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_whose_store_hangs_is_alive_and_not_ready_until_it_goes_on() {
    let disk = Arc::new(Disk::default());
    let store = Box::new(OnDisk { inner: MemoryStore::new(), disk: Arc::clone(&disk) });
    let options = CoordinatorOptions::new();
    let driver = start_coordinator(Tokio, Transports::new(), store, options).await.unwrap();
    let limits = Limits {
        store_stalled_after: Duration::from_millis(300),
        stuck_after: Duration::from_millis(2_500),
        ..Limits::default()
    };
    let subject = Arc::new(CoordinatorSubject::new(driver.clone(), false, limits));
    let bound = Bound::to("127.0.0.1:0".parse().unwrap()).unwrap();
    let health = Health::serve(bound, subject).unwrap();
    let at = health.address();
    let ready = move |wanted: u16| {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let (status, body) = json(at, "/readyz");
            if status == wanted {
                return body;
            }
            assert!(Instant::now() < until, "{body}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    ask(move || ready(200)).await;

    disk.hangs(true);
    let spec =
        Spec { handler: Name::new("work").unwrap(), priority: 0, max_retries: 0, timeout: None };
    let client = driver.clone();
    let submitted =
        tokio::spawn(async move { client.submit(TaskId(1), spec, bytes::Bytes::new()).await });
    let red = ask(move || ready(503)).await;
    assert_eq!((&red["reason"], &red["code"]), (&"store_stalled".into(), &"ML5008".into()));
    // As long as it hangs, and for longer than a loop may stand still: who is restarted for it would
    // find the same disk.
    ask(move || {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            assert_eq!(json(at, "/livez"), (200, serde_json::json!({"status": "live"})));
            assert_eq!(json(at, "/readyz").0, 503);
            std::thread::sleep(Duration::from_millis(50));
        }
        let page = series(&get(at, "/metrics").1);
        assert_eq!(page["moorline_coordinator_store_writable"], 0.0);
        assert_eq!(page["moorline_coordinator_ready"], 0.0);
    })
    .await;
    assert!(!submitted.is_finished(), "what is not durable is not acknowledged");

    disk.hangs(false);
    ask(move || ready(200)).await;
    submitted.await.unwrap().unwrap();
    let writable =
        ask(move || series(&get(at, "/metrics").1)["moorline_coordinator_store_writable"]);
    assert_eq!(writable.await, 1.0);
    driver.stop().await;
}
