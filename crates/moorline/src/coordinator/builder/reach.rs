//! Who may reach a coordinator, and how it proves itself.

use moorline_driver::Transports;
use moorline_transport::Endpoint;

use super::CoordinatorBuilder;
use crate::Result;
use crate::coordinator::places::Places;

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

    /// Tells workers that the coordinator is found here too, such as `grpcs://standby.example.com:8740`: another
    /// way in, another address, or one that takes its place with the same store. May be given several times, up
    /// to 16; workers try them in this order, after what they were configured with and what served them last.
    /// Default: they are told of none.
    ///
    /// A worker goes only where the coordinator has proven to be: over TLS to the hosts that its certificate
    /// names, without TLS to this machine's loopback.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder()
    ///     .listen("grpc://127.0.0.1:8740")
    ///     .advertise("ws://127.0.0.1:8743");
    /// # let _ = builder;
    /// ```
    pub fn advertise(mut self, url: impl Into<String>) -> Self {
        self.advertise.push(url.into());
        self
    }

    pub(super) fn places(&self, transports: Transports) -> Places {
        Places::new(self.reach.clone(), transports)
    }

    /// What workers are told.
    pub(super) fn advertised(&self, places: &Places) -> Result<Vec<Endpoint>> {
        places.all_advertised(self.advertise.iter().map(String::as_str))
    }

    /// What workers are told, as the configuration says it, and what is wrong with that.
    #[cfg(feature = "cli")]
    pub(crate) fn advertising(&self) -> (Places, Result<Vec<Endpoint>>) {
        let listening = self.reach.listening(self.transports.clone(), None);
        let places = self.places(self.reach.problems(listening).0);
        let advertised = self.advertised(&places);
        (places, advertised)
    }
}
