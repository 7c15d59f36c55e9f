//! Which coordinator a client command speaks to, and how long it tries.

use std::time::Duration;

use crate::Result;
use crate::client::Client;

use super::values::some_duration;

/// Where the coordinator's admin API is.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ServerArgs {
    /// The coordinator's admin API.
    #[arg(short, long, value_name = "URL", default_value = "http://127.0.0.1:8741")]
    server: String,

    /// How long to try while the coordinator is away [default: 10s; without limit where the command
    /// waits for tasks].
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    timeout: Option<Duration>,
}

impl ServerArgs {
    /// A client of it.
    pub(super) fn client(&self) -> Result<Client> {
        let client = Client::new(&self.server)?;
        Ok(match self.timeout {
            Some(timeout) => client.timeout(timeout),
            None => client,
        })
    }

    /// The limit that was given.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }
}
