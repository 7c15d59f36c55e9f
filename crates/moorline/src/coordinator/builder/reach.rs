//! Who may reach a coordinator, and how it proves itself.

use super::CoordinatorBuilder;

impl CoordinatorBuilder {
    /// With which certificate it proves itself, and, if an authority is given, that it lets only those
    /// workers in whose certificate this authority has signed. Default: no TLS.
    ///
    /// The files are read again when they change.
    ///
    /// ```
    /// use moorline::{Coordinator, TlsFiles};
    ///
    /// let files = TlsFiles {
    ///     cert: Some("coordinator.pem".into()),
    ///     key: Some("coordinator.key".into()),
    ///     ca: None,
    /// };
    /// let builder = Coordinator::builder().tls(files).listen("grpcs://0.0.0.0:8740");
    /// # let _ = builder;
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, files: moorline_transport::TlsFiles) -> Self {
        self.reach.tls = files;
        self
    }

    /// Whether listeners without TLS may be reached from other machines: whoever reaches one can be any
    /// worker, and whoever is in between reads and changes everything. Default false.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder().insecure(true).listen("grpc://10.0.0.7:8740");
    /// # let _ = builder;
    /// ```
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.reach.is_insecure = insecure;
        self
    }
}
