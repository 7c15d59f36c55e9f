//! Where a coordinator is: endpoint URLs.

use std::fmt;
use std::str::FromStr;

/// Where a coordinator listens: `SCHEME://HOST:PORT`, `mem://NAME`. A bare `HOST:PORT` means grpc.
///
/// `ws` and `wss` may have a path, and need no port: 80 and 443 are meant then. `http` and `https` are
/// other words for them. Which schemes there are is up to the transports: any may be written.
///
/// ```
/// use moorline_transport::Endpoint;
///
/// let endpoint: Endpoint = "grpc://127.0.0.1:8740".parse()?;
/// assert_eq!(endpoint.port(), 8740);
/// assert!(endpoint.is_loopback());
/// assert_eq!("localhost:8740".parse::<Endpoint>()?.scheme(), "grpc");
/// let behind_a_proxy: Endpoint = "https://example.com/moorline".parse()?;
/// assert_eq!(behind_a_proxy.to_string(), "wss://example.com:443/moorline");
/// # Ok::<(), moorline_transport::EndpointError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is not an endpoint.
///
/// ```
/// use moorline_transport::{Endpoint, EndpointError};
///
/// let error = "grpc://example.com".parse::<Endpoint>().unwrap_err();
/// assert!(matches!(error, EndpointError::Port { .. }));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// No host.
    #[error("`{text}` names no host; write it as SCHEME://HOST:PORT")]
    Host {
        /// What was given.
        text: String,
    },
    /// No port, or not a number from 0 to 65535.
    #[error("`{text}` has no valid port; write it as SCHEME://HOST:PORT")]
    Port {
        /// What was given.
        text: String,
    },
    /// What stands before `://` cannot be a scheme: a letter, then letters, digits, `+`, `-` and `.`.
    #[error("`{text}` does not begin with a scheme; write it as SCHEME://HOST:PORT")]
    NoScheme {
        /// What was given.
        text: String,
    },
    /// No transport of this build serves the scheme.
    #[error("`{scheme}` is not a scheme of this build; known: {known}")]
    Scheme {
        /// What was given.
        scheme: String,
        /// Those that are served.
        known: String,
    },
    /// A query, user information, a blank or a control character, or a path where none may be: only `ws` and
    /// `wss` have one.
    #[error("`{text}` has more than scheme, host and port")]
    TooMuch {
        /// What was given.
        text: String,
    },
}

impl Endpoint {
    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host: a name or an address, without the brackets of IPv6.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 0 for `mem`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, with its slash: `/` but for a `ws` or `wss` that has another.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host as it is written before a port: an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Whether whatever travels there is encrypted: `grpcs`, `quic` and `wss`.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        ENCRYPTED.contains(&&*self.scheme)
    }

    /// The same with another port.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        Self { port, ..self.clone() }
    }

    /// Whether only this machine can reach it: `localhost`, a loopback address, or `mem`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.scheme == "mem"
            || self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == "mem" {
            return write!(f, "mem://{}", self.host);
        }
        let path = if self.path == "/" { "" } else { &self.path };
        write!(f, "{}://{}{path}", self.scheme, self.authority())
    }
}

/// Schemes whose transport has TLS always.
const ENCRYPTED: [&str; 3] = ["grpcs", "quic", "wss"];

/// A web server's port, which need not be written.
fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "ws" => Some(80),
        "wss" => Some(443),
        _ => None,
    }
}

/// As RFC 3986, 3.1 has it.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("grpc", text));
        let scheme = match &*scheme.to_ascii_lowercase() {
            "http" => "ws".to_owned(),
            "https" => "wss".to_owned(),
            scheme if is_scheme(scheme) => scheme.to_owned(),
            _ => return Err(EndpointError::NoScheme { text: text.into() }),
        };
        let too_much = || EndpointError::TooMuch { text: text.into() };
        let usual_port = usual_port(&scheme);
        let (rest, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        // What is asked of a proxy or a web server is made of both: a line's end in them would ask for more.
        let is_foreign = |c: char| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control();
        if rest.contains('@') || rest.contains(is_foreign) || path.contains(is_foreign) {
            return Err(too_much());
        }
        if path != "/" && usual_port.is_none() {
            return Err(too_much());
        }
        let path = path.to_owned();
        if scheme == "mem" {
            let host = rest.to_owned();
            let is_named = !host.is_empty();
            let named = is_named.then_some(Self { scheme, host, port: 0, path });
            return named.ok_or_else(|| EndpointError::Host { text: text.into() });
        }
        let no_port = || EndpointError::Port { text: text.into() };
        // What follows the last colon is a port unless that stands in an IPv6 address.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| no_port())?)
            }
            Some(_) | None => (rest, usual_port.ok_or_else(no_port)?),
        };
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        // Without its brackets the end of an IPv6 address would be taken for the port.
        let is_bare = bracketed.is_none() && host.contains(':');
        if host.is_empty() || is_bare || host.contains(['[', ']']) {
            return Err(EndpointError::Host { text: text.into() });
        }
        Ok(Self { scheme, host: host.into(), port, path })
    }
}

#[cfg(test)]
mod tests;
