//! The process groups of running children.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The process groups of the children that run, so that a process that has to end at once can take
/// them along. Cloning shares the list.
#[derive(Clone, Debug, Default)]
pub struct ProcessGroups {
    /// By the number of their leader.
    running: Arc<Mutex<BTreeMap<i32, Pid>>>,
}

impl ProcessGroups {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Kills every group with SIGKILL.
    pub fn kill_all(&self) {
        for &leader in self.running().values() {
            signal(leader, Signal::KILL);
        }
    }

    /// The group that the child with this id leads.
    pub(super) fn add(&self, child: u32) -> Option<Group> {
        let leader = Pid::from_raw(i32::try_from(child).ok()?)?;
        self.running().insert(leader.as_raw_nonzero().get(), leader);
        Some(Group { leader, groups: self.clone(), released: false })
    }

    pub(super) fn running(&self) -> MutexGuard<'_, BTreeMap<i32, Pid>> {
        // A panic cannot leave the map half changed.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One running group. Dropped unreleased, it is killed.
#[derive(Debug)]
pub(super) struct Group {
    leader: Pid,
    groups: ProcessGroups,
    released: bool,
}

impl Group {
    /// Asks it to end.
    pub(super) fn terminate(&self) {
        signal(self.leader, Signal::TERM);
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        signal(self.leader, Signal::KILL);
    }

    /// The leader has ended and nobody holds its pipes: the number may go to another process.
    pub(super) fn release(mut self) {
        self.released = true;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.released {
            self.kill();
        }
        self.groups.running().remove(&self.leader.as_raw_nonzero().get());
    }
}

/// A group that is gone already needs no signal.
fn signal(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}
