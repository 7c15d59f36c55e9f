//! SIGTERM and Ctrl-C: the first asks, the second ends. SIGHUP: read the configuration again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use crate::{Error, Result};

/// The signals that ask a server to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes them over from now on.
    pub(super) fn new() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(Error::Start);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// The next one, as the code with which a process that ends by it ends. Cancel-safe.
    pub(super) async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}

/// SIGHUP: the configuration is to be read again.
pub(super) struct Hangups(Signal);

impl Hangups {
    /// Takes it over from now on.
    pub(super) fn new() -> Result<Self> {
        signal(SignalKind::hangup()).map(Self).map_err(Error::Start)
    }

    /// The next one. Cancel-safe.
    pub(super) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // No more can come.
            std::future::pending().await
        }
    }
}
