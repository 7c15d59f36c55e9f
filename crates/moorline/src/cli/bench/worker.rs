//! `moorline bench worker`: answers every task with 64 bytes.

use std::time::Duration;

use bytes::Bytes;

use super::{At, HANDLER, PAYLOAD};
use crate::cli::Outcome;
use crate::cli::exit::Exit;
use crate::{BoxError, TaskCtx, WorkerHandle};

/// More than any window that makes sense: tasks queue up in the coordinator, not here.
const SLOTS: u16 = 8_192;

/// How often it looks whether the coordinator is still there.
const GLANCE: Duration = Duration::from_millis(50);

pub(super) async fn run(at: &At) -> Outcome {
    let worker = at
        .worker()
        .name(format!("bench-{}", std::process::id()))
        .slots(SLOTS)
        .task(HANDLER, |_: TaskCtx, _: Bytes| async { Ok::<_, BoxError>(PAYLOAD) })
        .build()?;
    let handle = worker.handle();
    tokio::select! {
        ended = worker.run() => ended?,
        () = coordinator_ends(handle) => {}
    }
    Ok(Exit::Done)
}

/// It was there, and is gone.
async fn coordinator_ends(handle: WorkerHandle) {
    if handle.active().await {
        while handle.connected() {
            tokio::time::sleep(GLANCE).await;
        }
    }
}
