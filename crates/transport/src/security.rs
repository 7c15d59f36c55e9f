//! What a transport may rely on, and what it may open.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use crate::tls::{ClientTls, ServerTls, TlsError, TlsFiles};
use crate::{Endpoint, ListenError};

/// How the connections of a transport are secured. Cloning shares it.
///
/// By default who dials believes whom the system trusts, listeners with TLS have no certificate and are
/// refused, and listeners without TLS are for this machine alone.
///
/// ```no_run
/// use moorline_transport::{Security, ServerTls, TlsFiles};
///
/// let files = TlsFiles {
///     cert: Some("coordinator.pem".into()),
///     key: Some("coordinator.key".into()),
///     ca: Some("ca.pem".into()),
/// };
/// let security = Security::new().with_server(ServerTls::from_files(files)?);
/// # let _ = security;
/// # Ok::<(), moorline_transport::TlsError>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct Security {
    client: Option<ClientTls>,
    server: Option<ServerTls>,
    system: Arc<OnceLock<ClientTls>>,
    is_open: bool,
}

impl Security {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Dials with TLS like this.
    #[must_use]
    pub fn with_client(mut self, tls: ClientTls) -> Self {
        self.client = Some(tls);
        self
    }

    /// Listens with TLS like this.
    #[must_use]
    pub fn with_server(mut self, tls: ServerTls) -> Self {
        self.server = Some(tls);
        self
    }

    /// Lets listeners without TLS be reached from other machines: whoever reaches one can be any worker,
    /// and whoever is in between reads and changes everything.
    #[must_use]
    pub fn with_clear_listeners(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// TLS for who dials.
    ///
    /// # Errors
    /// None was given, and the system trusts nobody.
    pub fn client(&self) -> Result<ClientTls, TlsError> {
        if let Some(given) = self.client.as_ref().or_else(|| self.system.get()) {
            return Ok(given.clone());
        }
        let system = ClientTls::from_files(TlsFiles::default())?;
        Ok(self.system.get_or_init(|| system).clone())
    }

    /// TLS for a listener.
    ///
    /// # Errors
    /// There is no certificate.
    pub fn server(&self, endpoint: &Endpoint) -> Result<ServerTls, ListenError> {
        let none = || ListenError::NoCertificate { endpoint: endpoint.clone() };
        self.server.clone().ok_or_else(none)
    }

    /// Whether a listener without TLS may have these addresses: every one of them, for a name must not
    /// open what its first address does not show.
    ///
    /// # Errors
    /// Other machines could reach it.
    pub fn may_be_clear(
        &self,
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
    ) -> Result<(), ListenError> {
        if self.is_open || addresses.iter().all(|address| address.ip().is_loopback()) {
            return Ok(());
        }
        Err(ListenError::NotLoopback { endpoint: endpoint.clone() })
    }
}

#[cfg(test)]
mod tests;
