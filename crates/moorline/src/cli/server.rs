//! Which coordinator a client command speaks to, and how long it tries.

use std::time::Duration;

use clap::{ArgMatches, Command, FromArgMatches};

use super::contexts::Contexts;
use crate::Result;
use crate::client::Client;

/// Where the admin API is when nobody says.
const STANDARD: &str = "http://127.0.0.1:8741";

/// Names the admin API for everything that a user starts.
const VARIABLE: &str = "MOORLINE_SERVER";

/// The global options `--server`, `--context` and `--timeout`, as a command sees them: it adds none of
/// its own.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerArgs {
    server: Option<String>,
    context: Option<String>,
    timeout: Option<Duration>,
}

impl FromArgMatches for ServerArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        // A command that is parsed alone, in a test, has no global options.
        fn given<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Option<T> {
            matches.try_get_one::<T>(id).ok().flatten().cloned()
        }
        Ok(Self {
            server: given(matches, "server"),
            context: given(matches, "context"),
            timeout: given(matches, "timeout"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for ServerArgs {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl ServerArgs {
    /// A client of it.
    pub(super) fn client(&self) -> Result<Client> {
        let variable = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
        let client = Client::new(&self.url(variable, Contexts::read)?)?;
        Ok(match self.timeout {
            Some(timeout) => client.timeout(timeout),
            None => client,
        })
    }

    /// A flag goes before the variable, that before the context in use, that before the standard.
    fn url(
        &self,
        variable: Option<String>,
        contexts: impl FnOnce() -> Result<Contexts>,
    ) -> Result<String> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        if let Some(name) = &self.context {
            return Ok(contexts()?.get(name)?.to_owned());
        }
        if let Some(variable) = variable {
            return Ok(variable);
        }
        Ok(contexts()?.current()?.unwrap_or(STANDARD).to_owned())
    }

    /// The limit that was given.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The server as a flag names it.
    pub(super) fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Whether a flag names a coordinator.
    pub(super) fn is_named(&self) -> bool {
        self.server.is_some() || self.context.is_some()
    }
}

#[cfg(test)]
mod tests;
