//! A coordinator whose store has no room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moorline_link::Epoch;
use moorline_node::{Done, Persist};
use moorline_store::{Pruned, Reader, Retention, Store, StoreError, WallTime};

use super::*;

/// A store in memory on a disk that may be full.
struct OnDisk {
    inner: MemoryStore,
    full: Arc<AtomicBool>,
}

impl Store for OnDisk {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        self.inner.begin_epoch(now)
    }

    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        if self.full.load(Ordering::SeqCst) && !batch.is_empty() {
            let (path, detail) = ("moorline.db".into(), "disk is full".into());
            return Err(StoreError::Full { path, detail });
        }
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

#[tokio::test]
async fn what_a_full_store_cannot_take_is_refused_by_its_name_and_done_once_when_there_is_room() {
    let full = Arc::new(AtomicBool::new(false));
    let store = Box::new(OnDisk { inner: MemoryStore::new(), full: Arc::clone(&full) });
    let (driver, api) = api_of(store).await;
    let there = TaskId::generate().to_string();
    let submit = |id: &str| post("/tasks", json!({"type": "a", "id": id}));
    assert_eq!(ask(&api, submit(&there)).await.status(), StatusCode::CREATED);
    full.store(true, Ordering::SeqCst);

    let id = TaskId::generate().to_string();
    let no_room = (503, "ML5006".to_owned());
    assert_eq!(refusal(&api, submit(&id)).await, no_room);
    assert_eq!(refusal(&api, post(&format!("/tasks/{there}/cancel"), Value::Null)).await, no_room);
    let overview = json_of(ask(&api, get("/overview")).await).await;
    let problem = overview["problem"].as_str().unwrap();
    assert!(problem.contains("store_error, ML5006"), "{problem}");

    full.store(false, Ordering::SeqCst);
    // Whoever asks again is answered as soon as it is written down.
    let answered = loop {
        let response = ask(&api, submit(&id)).await;
        if response.status() != StatusCode::SERVICE_UNAVAILABLE {
            break response;
        }
    };
    assert!(answered.status().is_success(), "{}", answered.status());
    let list = json_of(ask(&api, get("/tasks")).await).await;
    let tasks = list["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 2, "each request was made twice and done once: {list}");
    assert_eq!((&tasks[0]["id"], &tasks[1]["state"]), (&id.into(), &"cancelled".into()));
    let overview = json_of(ask(&api, get("/overview")).await).await;
    assert_eq!(overview["problem"], Value::Null);
    driver.stop().await;
}
