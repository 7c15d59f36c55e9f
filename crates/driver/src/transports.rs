//! Several transports, found by the scheme of an endpoint.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use moorline_link::Reason;
use moorline_transport::{
    Connection, DialError, Endpoint, EndpointError, ListenError, Listener, Transport,
};

/// The transports of a process, by scheme. Cloning shares them.
///
/// ```
/// use moorline_driver::Transports;
/// use moorline_memory::MemoryTransport;
///
/// let transports = Transports::new().with(MemoryTransport::new());
/// assert!(transports.get("mem").is_some());
/// assert!(transports.get("grpc").is_none());
/// ```
#[derive(Clone, Default)]
pub struct Transports {
    all: Vec<Arc<dyn Transport>>,
}

impl fmt::Debug for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().flat_map(|one| one.schemes())).finish()
    }
}

impl Transports {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more; of two that serve the same scheme the first one is used.
    #[must_use]
    pub fn with(mut self, transport: impl Transport) -> Self {
        self.all.push(Arc::new(transport));
        self
    }

    /// The transport that serves a scheme.
    #[must_use]
    pub fn get(&self, scheme: &str) -> Option<Arc<dyn Transport>> {
        self.all.iter().find(|one| one.schemes().contains(&scheme)).cloned()
    }

    /// The endpoint that a text names, if one of these transports serves it.
    ///
    /// ```
    /// use moorline_driver::Transports;
    /// use moorline_memory::MemoryTransport;
    ///
    /// let transports = Transports::new().with(MemoryTransport::new());
    /// assert!(transports.endpoint("mem://here").is_ok());
    /// let error = transports.endpoint("smoke://hill:1").unwrap_err();
    /// assert_eq!(error.to_string(), "`smoke` is not a scheme of this build; known: mem");
    /// ```
    ///
    /// # Errors
    /// It is no endpoint, or none of them serves its scheme.
    pub fn endpoint(&self, text: &str) -> Result<Endpoint, EndpointError> {
        let endpoint: Endpoint = text.parse()?;
        if self.get(endpoint.scheme()).is_none() {
            let known = self.all.iter().flat_map(|one| one.schemes()).copied();
            let known = known.collect::<Vec<_>>().join(", ");
            return Err(EndpointError::Scheme { scheme: endpoint.scheme().to_owned(), known });
        }
        Ok(endpoint)
    }

    pub(crate) fn dial(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Connection, DialError>> {
        match self.get(endpoint.scheme()) {
            Some(transport) => transport.dial(endpoint),
            None => {
                let detail = format!("no transport for {endpoint}");
                Box::pin(async { Err(DialError { reason: Reason::Unreachable, detail }) })
            }
        }
    }

    pub(crate) async fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Box<dyn Listener>, ListenError> {
        match self.get(endpoint.scheme()) {
            Some(transport) => transport.listen(endpoint).await,
            None => Err(ListenError::Scheme { endpoint: endpoint.clone() }),
        }
    }
}
