//! How workers and coordinators reach each other: the transports that are built in, what secures them,
//! and what a URL means.

use moorline_driver::Transports;
#[cfg(feature = "tls")]
use moorline_transport::{ClientTls, Security, TlsFiles};
use moorline_transport::{Endpoint, EndpointError};

use crate::{Error, Result};

/// Where gRPC and QUIC are, unless somebody says otherwise: one on TCP, the other on UDP.
const PORT: u16 = 8740;
/// Where WebSocket is.
const WEBSOCKET_PORT: u16 = 8743;

/// What a builder was told about that.
#[derive(Clone, Default, Debug)]
pub(crate) struct Reach {
    /// Keys and certificates of this side, and whom it believes.
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsFiles,
    /// Other machines may be reached without TLS, or reach this one.
    pub(crate) is_insecure: bool,
    /// What a worker's WebSocket goes through; `none` for nothing. Else the environment says.
    #[cfg(feature = "websocket")]
    pub(crate) proxy: Option<String>,
    /// A worker tries its coordinators in an order of its own.
    pub(crate) shuffles: bool,
    /// The one transport a worker may use.
    pub(crate) only: Option<Only>,
}

/// A transport by the name that people know it by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only a setting says it so far"))]
pub(crate) enum Only {
    Grpc,
    Quic,
    WebSocket,
}

impl Only {
    /// The one of this name.
    #[cfg(feature = "cli")]
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Grpc, Self::Quic, Self::WebSocket].into_iter().find(|one| one.name() == name)
    }

    /// As people write it.
    fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Quic => "quic",
            Self::WebSocket => "websocket",
        }
    }

    /// Its schemes: without TLS, and with it.
    fn schemes(self) -> [&'static str; 2] {
        match self {
            Self::Grpc => GRPC,
            // It has TLS always.
            Self::Quic => ["quic", "quic"],
            Self::WebSocket => ["ws", "wss"],
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Grpc | Self::Quic => PORT,
            Self::WebSocket => WEBSOCKET_PORT,
        }
    }
}

/// What an address without a scheme means, without TLS and with it.
const GRPC: [&str; 2] = ["grpc", "grpcs"];

/// The schemes of which it is known that everybody on the way can read along.
pub(crate) fn is_clear(endpoint: &Endpoint) -> bool {
    matches!(endpoint.scheme(), "grpc" | "ws")
}

impl Reach {
    /// Whether TLS is set up here, so that an address without a scheme means a transport with it.
    fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        let has_tls = self.tls != TlsFiles::default();
        #[cfg(not(feature = "tls"))]
        let has_tls = false;
        has_tls
    }

    /// What a worker dials with: the transports of the caller, and after them those that are built in, or the
    /// one of them that it may use, also where a coordinator names other places.
    pub(crate) fn dialling(&self, given: Transports) -> Result<Transports> {
        #[cfg(feature = "tls")]
        let given = {
            let mut security = Security::new();
            if self.has_tls() {
                security = security.with_client(ClientTls::from_files(self.tls.clone())?);
            }
            built_in(given, self.only, &security, self.proxy()?, None)
        };
        Ok(given)
    }

    /// What a coordinator listens with. The key is QUIC's, see [`QuicTransport::with_key`].
    ///
    /// [`QuicTransport::with_key`]: https://docs.rs/moorline-quic
    #[cfg(feature = "coordinator")]
    pub(crate) fn listening(&self, given: Transports, key: Option<[u8; 32]>) -> Result<Transports> {
        #[cfg(feature = "tls")]
        let given = {
            let mut security = Security::new();
            if self.has_tls() {
                security = security
                    .with_server(moorline_transport::ServerTls::from_files(self.tls.clone())?);
            }
            if self.is_insecure {
                security = security.with_clear_listeners();
            }
            built_in(given, None, &security, self.proxy()?, key)
        };
        #[cfg(not(feature = "tls"))]
        let _ = key;
        Ok(given)
    }

    /// What leads to coordinators behind a proxy.
    #[cfg(feature = "websocket")]
    fn proxy(&self) -> Result<Proxies> {
        use moorline_websocket::Proxy;
        let Some(text) = self.proxy.as_deref() else { return Ok(Proxies::Environment) };
        if text == "none" {
            return Ok(Proxies::None);
        }
        let refused = |problem: String| Error::setting("proxy", problem);
        // It would be told to whoever may read the configuration, or list the processes.
        if text.contains('@') {
            let problem = "a password has no place in a setting: put the whole URL into the variable \
                           HTTPS_PROXY, or HTTP_PROXY for ws://";
            return Err(refused(problem.to_owned()));
        }
        let proxy: Proxy = text.parse().map_err(|error| refused(format!("`{text}`: {error}")))?;
        Ok(Proxies::This(proxy))
    }

    #[cfg(all(feature = "tls", not(feature = "websocket")))]
    #[allow(clippy::unnecessary_wraps, reason = "with WebSocket it can fail")]
    fn proxy(&self) -> Result<()> {
        Ok(())
    }

    /// The endpoint that a worker or a coordinator means with a URL, or with an address without a scheme.
    pub(crate) fn endpoint(&self, transports: &Transports, text: &str) -> Result<Endpoint> {
        let has_tls = usize::from(self.has_tls());
        let (schemes, port) = self.only.map_or((GRPC, PORT), |only| (only.schemes(), only.port()));
        let endpoint =
            if text.contains("://") { text.parse()? } else { bare(text, schemes[has_tls], port)? };
        if let Some(only) = self.only.filter(|_| !schemes.contains(&endpoint.scheme())) {
            let (name, [clear, encrypted]) = (only.name(), schemes);
            let own = if clear == encrypted {
                format!("{clear}://")
            } else {
                format!("{clear}:// or {encrypted}://")
            };
            let problem = format!("`{text}` is not for {name}, whose URLs begin with {own}");
            return Err(Error::setting("transport", problem));
        }
        Ok(transports.endpoint(&endpoint.to_string())?)
    }

    /// The same for a worker, which does not talk to other machines in the clear.
    pub(crate) fn coordinator(&self, transports: &Transports, text: &str) -> Result<Endpoint> {
        let endpoint = self.endpoint(transports, text)?;
        if is_clear(&endpoint) && !endpoint.is_loopback() && !self.is_insecure {
            return Err(Error::InClear { endpoint });
        }
        Ok(endpoint)
    }

    /// The same for a coordinator. What only its first lookup shows is refused by the transport.
    #[cfg(feature = "coordinator")]
    pub(crate) fn listener(&self, transports: &Transports, text: &str) -> Result<Endpoint> {
        use moorline_transport::ListenError;
        let endpoint = self.endpoint(transports, text)?;
        let is_address = endpoint.host().parse::<std::net::IpAddr>().is_ok();
        if is_clear(&endpoint) && is_address && !endpoint.is_loopback() && !self.is_insecure {
            return Err(Error::Listen(ListenError::NotLoopback { endpoint }));
        }
        Ok(endpoint)
    }

    /// What is missing for a listener of ours.
    #[cfg(feature = "cli")]
    pub(crate) fn without_certificate(&self, endpoint: &Endpoint) -> Option<Error> {
        let endpoint = (endpoint.is_encrypted() && !self.has_tls()).then(|| endpoint.clone())?;
        Some(Error::Listen(moorline_transport::ListenError::NoCertificate { endpoint }))
    }

    /// What is no error, and is to be known: a certificate whose time it is not.
    #[cfg(feature = "cli")]
    pub(crate) fn warning(&self) -> Option<Error> {
        #[cfg(feature = "tls")]
        let warning = self.tls.in_force().err().map(Error::from);
        #[cfg(not(feature = "tls"))]
        let warning = None;
        warning
    }

    /// What is wrong with the files and the proxy, for a worker or for a coordinator.
    #[cfg(feature = "cli")]
    pub(crate) fn problems(&self, transports: Result<Transports>) -> (Transports, Vec<Error>) {
        match transports {
            Ok(transports) => (transports, Vec::new()),
            // With none of it there is nothing to be wrong.
            Err(error) => {
                let bare = Self::default().dialling(Transports::new()).unwrap_or_default();
                let mut errors = vec![error];
                // The proxy is looked at behind the files.
                #[cfg(feature = "tls")]
                if matches!(errors[..], [Error::Tls(_)]) {
                    errors.extend(self.proxy().err());
                }
                (bare, errors)
            }
        }
    }
}

/// Whether a coordinator can read this as a place, whatever it is built with.
#[cfg(feature = "cli")]
pub(crate) fn is_place(text: &str) -> Result<(), EndpointError> {
    let [clear, _] = GRPC;
    if text.contains("://") {
        text.parse::<Endpoint>()?
    } else {
        bare(text, clear, PORT)?
    };
    Ok(())
}

/// HOST or HOST:PORT.
fn bare(text: &str, scheme: &str, port: u16) -> Result<Endpoint, EndpointError> {
    let named = match text.parse::<Endpoint>() {
        Ok(_) => text.to_owned(),
        Err(error @ EndpointError::Port { .. }) => {
            let with_port = format!("{text}:{port}");
            if with_port.parse::<Endpoint>().is_err() {
                return Err(error);
            }
            with_port
        }
        Err(error) => return Err(error),
    };
    format!("{scheme}://{named}").parse()
}

/// Which proxy a worker's WebSocket goes through.
#[cfg(feature = "websocket")]
enum Proxies {
    Environment,
    None,
    This(moorline_websocket::Proxy),
}

#[cfg(all(feature = "tls", not(feature = "websocket")))]
type Proxies = ();

#[cfg(feature = "tls")]
#[allow(unused_variables, unused_mut, clippy::let_and_return, reason = "by feature")]
fn built_in(
    mut all: Transports,
    only: Option<Only>,
    security: &Security,
    proxies: Proxies,
    key: Option<[u8; 32]>,
) -> Transports {
    let wanted = |one: Only| only.is_none_or(|only| only == one);
    #[cfg(feature = "grpc")]
    if wanted(Only::Grpc) {
        all = all.with(moorline_grpc::GrpcTransport::new().with_security(security.clone()));
    }
    #[cfg(feature = "quic")]
    if wanted(Only::Quic) {
        let quic = moorline_quic::QuicTransport::new().with_security(security.clone());
        all = all.with(match key {
            Some(key) => quic.with_key(key),
            None => quic,
        });
    }
    #[cfg(feature = "websocket")]
    if wanted(Only::WebSocket) {
        let websocket =
            moorline_websocket::WebSocketTransport::new().with_security(security.clone());
        all = all.with(match proxies {
            Proxies::Environment => websocket,
            Proxies::None => websocket.without_proxy(),
            Proxies::This(proxy) => websocket.with_proxy(proxy),
        });
    }
    all
}

#[cfg(all(test, feature = "cli"))]
mod tests;
