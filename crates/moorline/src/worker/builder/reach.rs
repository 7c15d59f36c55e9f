//! How a worker reaches coordinators, and whom it believes.

use super::WorkerBuilder;

impl WorkerBuilder {
    /// Whom it believes, and with which certificate it proves itself where a coordinator asks for one.
    /// Default: it believes whom the system trusts, and has no certificate.
    ///
    /// The files are read again when they change.
    ///
    /// ```
    /// use moorline::{TlsFiles, Worker};
    ///
    /// let files = TlsFiles { ca: Some("ca.pem".into()), ..TlsFiles::default() };
    /// let builder = Worker::builder("grpcs://coordinator.example.com:8740").tls(files);
    /// # let _ = builder;
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, files: moorline_transport::TlsFiles) -> Self {
        self.reach.tls = files;
        self
    }

    /// Whether it may talk to coordinators on other machines without TLS: then whoever is in between can
    /// read and change everything, and be the coordinator. Default false.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("grpc://10.0.0.7:8740").insecure(true);
    /// # let _ = builder;
    /// ```
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.reach.is_insecure = insecure;
        self
    }

    /// Whether coordinators that are equally good are tried in an order of this worker's own instead of the one in
    /// which they were given and told: so the workers of a fleet spread over them (P15). What took it in last comes
    /// first in any case, and what failed last. Default false.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("grpcs://a.example.com:8740")
    ///     .coordinator("grpcs://b.example.com:8740")
    ///     .shuffle_coordinators(true);
    /// # let _ = builder;
    /// ```
    pub fn shuffle_coordinators(mut self, shuffle: bool) -> Self {
        self.reach.shuffles = shuffle;
        self
    }

    /// The HTTP proxy through which WebSocket endpoints are reached, such as
    /// `http://proxy.example.com:3128`, or `none`. Default: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`
    /// and `NO_PROXY` say. One that wants a password is named by these.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("wss://coordinator.example.com")
    ///     .proxy("http://proxy.example.com:3128");
    /// # let _ = builder;
    /// ```
    #[cfg(feature = "websocket")]
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.reach.proxy = Some(url.into());
        self
    }

    /// Only this transport is used.
    #[cfg(feature = "cli")]
    pub(crate) fn only(mut self, only: crate::reach::Only) -> Self {
        self.reach.only = Some(only);
        self
    }
}
