//! How such a worker comes to life: as a task of this process.

use std::io;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_memory::MemoryTransport;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Worker;
use crate::{Launch, Running};

/// Starts such workers.
pub(in super::super) struct InProcess {
    pub(in super::super) transport: MemoryTransport,
    pub(in super::super) fault: &'static str,
}

struct RunningTask {
    task: JoinHandle<i32>,
    drain: Arc<Notify>,
    code: Option<Option<i32>>,
}

impl Launch for InProcess {
    fn start(&self, url: &str, dir: &Path) -> io::Result<Box<dyn Running>> {
        let drain = Arc::new(Notify::new());
        let at = url.parse().map_err(io::Error::other)?;
        let file = dir.join("identity");
        if !file.exists() || self.fault == "an_identity_stays_and_an_incarnation_is_new" {
            std::fs::write(&file, random().to_string())?;
        }
        let id = std::fs::read_to_string(&file)?.parse().map_err(io::Error::other)?;
        let worker = Worker::new(self.fault, self.transport.clone(), at, Arc::clone(&drain), id);
        let task = tokio::spawn(worker.run());
        Ok(Box::new(RunningTask { task, drain, code: None }))
    }
}

impl Running for RunningTask {
    fn terminate(&mut self) -> bool {
        self.drain.notify_one();
        true
    }

    fn kill(&mut self) -> BoxFuture<'_, ()> {
        self.task.abort();
        async {
            self.ended().await;
        }
        .boxed()
    }

    fn ended(&mut self) -> BoxFuture<'_, Option<i32>> {
        async {
            if self.code.is_none() {
                self.code = Some((&mut self.task).await.ok());
            }
            self.code.flatten()
        }
        .boxed()
    }

    fn said(&self) -> String {
        String::new()
    }
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("random bytes");
    u64::from_le_bytes(bytes) | 1
}
