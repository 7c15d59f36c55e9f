//! Attempts a worker may run that are not wanted any more.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::{Attempt, TaskKey};

/// Fenced attempts of one worker: each uses a slot until the worker says otherwise.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Fenced {
    /// Each with the number under which the worker may still know it.
    keys: BTreeMap<TaskKey, Option<Attempt>>,
}

impl Fenced {
    /// No worker has more slots than this, so no honest one is ever cut short.
    const MAX: usize = u16::MAX as usize;

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn contains(&self, key: TaskKey) -> bool {
        self.keys.contains_key(&key)
    }

    pub(super) fn insert(&mut self, key: TaskKey, alias: Option<Attempt>) {
        if self.keys.len() < Self::MAX {
            self.keys.insert(key, alias);
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, key: TaskKey) -> bool {
        self.keys.remove(&key).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    /// The inventory names a run by this key. If it is a fenced one, it goes by this key from now on:
    /// of a newer number its worker has not heard.
    pub(super) fn named(&mut self, key: TaskKey) -> bool {
        let first = TaskKey { attempt: Attempt(0), ..key };
        let mut of_task = self.keys.range(first..).take_while(|(other, _)| other.task == key.task);
        let renamed = of_task.find(|(_, alias)| **alias == Some(key.attempt));
        if let Some(other) = renamed.map(|(other, _)| *other) {
            self.keys.remove(&other);
            self.keys.insert(key, None);
        }
        self.contains(key)
    }

    /// Everything that runs is named: what is not is gone.
    pub(super) fn keep_running(&mut self, running: &BTreeSet<TaskKey>) {
        self.keys.retain(|key, alias| {
            let alias = alias.map(|attempt| TaskKey { attempt, ..*key });
            running.contains(key) || alias.is_some_and(|alias| running.contains(&alias))
        });
    }
}
