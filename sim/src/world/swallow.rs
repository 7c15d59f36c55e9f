//! A worker that takes in what it is asked about an attempt, and never says a word.

use moorline_node::{DownFrame, ToWorker, UpFrame};
use moorline_work::{Attempt, TaskId, TaskKey, WorkerMessage};

use super::World;
use crate::decide::{Decide, Site};

/// An attempt of no task: what is asked or said about it comes to nothing. The message is still there,
/// because the lane is acknowledged in order whatever becomes of what it carries.
pub(super) const NOBODYS: TaskKey = TaskKey { task: TaskId(u128::MAX), attempt: Attempt(1) };

impl World {
    /// A question arrives. Once one is swallowed no other about that attempt is answered in the session.
    fn swallows(&mut self, worker: usize, key: TaskKey) -> bool {
        let state = &mut self.workers[worker];
        if self.now >= state.swallows_until && !state.swallowed.contains(&key) {
            return false;
        }
        state.swallowed.insert(key);
        self.seen.swallowed += 1;
        true
    }

    /// What of these frames the worker acts on.
    pub(super) fn swallow_down(&mut self, worker: usize, frames: &mut [DownFrame]) {
        for frame in frames {
            let DownFrame::Message(message) = frame else { continue };
            match &mut message.head {
                ToWorker::Cancel { key } => {
                    if self.swallows(worker, *key) {
                        *key = NOBODYS;
                    }
                }
                ToWorker::Revoke { key } => {
                    // It may act on it, and keep its answer to itself.
                    let at = self.packets;
                    let whole = self.draws.draw(Site::Swallow, worker as u64, at, 2) == 1;
                    if self.swallows(worker, *key) && whole {
                        *key = NOBODYS;
                    }
                }
                ToWorker::Assign { .. } | ToWorker::Settled { .. } => {}
            }
        }
    }

    /// What of these frames of the worker is really said.
    pub(super) fn swallow_up(&self, worker: usize, frames: &mut [UpFrame]) {
        let swallowed = &self.workers[worker].swallowed;
        for frame in frames {
            let UpFrame::Message(message) = frame else { continue };
            match &mut message.head {
                WorkerMessage::Held { key } | WorkerMessage::NotHeld { key } => {
                    if swallowed.contains(key) {
                        *key = NOBODYS;
                    }
                }
                WorkerMessage::Accept { .. }
                | WorkerMessage::Refuse { .. }
                | WorkerMessage::Result { .. } => {}
            }
        }
    }
}
