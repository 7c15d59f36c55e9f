//! The process groups of running children.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// The process groups of the children that run, so that a process that has to end at once can take
/// them along. Cloning shares the list.
///
/// ```
/// use moorline::{ProcessGroups, Worker};
///
/// let groups = ProcessGroups::new();
/// let worker = Worker::builder("mem://here").command("count", "wc -c", &groups)?;
/// // Before the program ends at once:
/// groups.kill_all();
/// # let _ = worker;
/// # Ok::<(), moorline::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProcessGroups {
    /// By the number of their leader.
    running: Arc<Mutex<BTreeMap<i32, Pid>>>,
}

impl ProcessGroups {
    /// None yet.
    ///
    /// ```
    /// let groups = moorline::ProcessGroups::new();
    /// # let _ = groups;
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Kills every group with SIGKILL.
    ///
    /// ```
    /// let groups = moorline::ProcessGroups::new();
    /// groups.kill_all();
    /// ```
    pub fn kill_all(&self) {
        for &leader in self.running().values() {
            signal(leader, Signal::KILL);
        }
    }

    /// The group that the child with this id leads.
    pub(super) fn add(&self, child: u32) -> Option<Group> {
        let leader = Pid::from_raw(i32::try_from(child).ok()?)?;
        self.running().insert(leader.as_raw_nonzero().get(), leader);
        Some(Group { leader, groups: self.clone() })
    }

    pub(super) fn running(&self) -> MutexGuard<'_, BTreeMap<i32, Pid>> {
        // A panic cannot leave the map half changed.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One running group. Dropped, it is killed.
///
/// A group keeps its number as long as any process is in it. The number of an empty one is free; but
/// numbers are given out in turn, and it is let go within seconds of its leader's end.
#[derive(Debug)]
pub(super) struct Group {
    leader: Pid,
    groups: ProcessGroups,
}

impl Group {
    /// Asks it to end.
    pub(super) fn terminate(&self) {
        signal(self.leader, Signal::TERM);
    }

    /// Whether anybody is in it.
    pub(super) fn is_alive(&self) -> bool {
        test_kill_process_group(self.leader).is_ok()
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        signal(self.leader, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        self.groups.running().remove(&self.leader.as_raw_nonzero().get());
    }
}

/// A group that is gone already needs no signal.
fn signal(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}
