//! Reading the configuration again while a server runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::problem::{Level, Problem};
use super::setting::Role;
use super::table::{Key, SETTINGS};
use super::{Config, Sources, Surroundings, examine};

/// What a reload came to.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Reloaded {
    /// Settings that have a new value now.
    pub(crate) applied: Vec<Key>,
    /// Settings whose new value waits for a restart.
    pub(crate) restart: Vec<Key>,
}

/// Applies the new value of a setting.
type Apply = Box<dyn Fn(Key, &Config) + Send + Sync>;

/// The configuration of a running server. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Reloader {
    shared: Arc<Shared>,
}

struct Shared {
    role: Role,
    sources: Sources,
    surroundings: Surroundings,
    running: Mutex<Config>,
    apply: Apply,
}

impl Reloader {
    /// Of a server that runs with this configuration. `apply` is called for each reloadable setting
    /// that has changed.
    pub(crate) fn new(
        role: Role,
        sources: Sources,
        surroundings: Surroundings,
        running: Config,
        apply: impl Fn(Key, &Config) + Send + Sync + 'static,
    ) -> Self {
        let running = Mutex::new(running);
        let apply = Box::new(apply);
        Self { shared: Arc::new(Shared { role, sources, surroundings, running, apply }) }
    }

    /// What the server runs with.
    pub(crate) fn running(&self) -> MutexGuard<'_, Config> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything again and applies what can be. An error changes nothing. What came out is
    /// logged, a line for each setting.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn reload(&self) -> Result<Reloaded, Vec<Problem>> {
        let Shared { role, sources, surroundings, apply, .. } = &*self.shared;
        let role = *role;
        let (config, mut problems) = examine(sources, surroundings, |_| vec![role]);
        problems.retain(|problem| problem.level == Level::Error);
        if !problems.is_empty() {
            for problem in &problems {
                tracing::error!(
                    event = "config.refused",
                    role = role.name(),
                    code = %problem.code,
                    "Configuration not reloaded: {problem}"
                );
            }
            return Err(problems);
        }
        let mut running = self.running();
        let changed = |key: &Key| running.get(*key) != config.get(*key);
        let own = SETTINGS.iter().filter(|row| row.is_for(role)).map(|row| row.key);
        let (applied, restart): (Vec<_>, Vec<_>) =
            own.filter(changed).partition(|key| key.setting().reloadable);
        for &key in &applied {
            running.take(key, &config);
            apply(key, &config);
            tracing::info!(
                event = "config.applied",
                role = role.name(),
                setting = key.path(),
                "Setting {} is now {}, from {}",
                key.path(),
                words(&config, key),
                config.origin(key)
            );
        }
        for &key in &restart {
            tracing::warn!(
                event = "config.needs_restart",
                role = role.name(),
                setting = key.path(),
                "Setting {} stays {} until a restart: {} says {}",
                key.path(),
                words(&running, key),
                config.origin(key),
                words(&config, key)
            );
        }
        drop(running);
        tracing::info!(
            event = "config.reloaded",
            role = role.name(),
            applied = applied.len(),
            restart = restart.len(),
            "Configuration reloaded: {} applied, {} for a restart",
            applied.len(),
            restart.len()
        );
        Ok(Reloaded { applied, restart })
    }
}

fn words(config: &Config, key: Key) -> String {
    let standard = || key.setting().standard_words().to_owned();
    config.get(key).map_or_else(standard, super::Value::toml)
}

impl Config {
    /// Takes over a setting from another configuration.
    fn take(&mut self, key: Key, other: &Self) {
        match other.layer.get(&key) {
            Some(entry) => {
                self.layer.insert(key, entry.clone());
            }
            None => {
                self.layer.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
