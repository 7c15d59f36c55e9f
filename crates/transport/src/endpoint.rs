//! Where a coordinator is: endpoint URLs.

use std::fmt;
use std::str::FromStr;

/// Where a coordinator listens: `grpc://HOST:PORT`, `mem://NAME`. A bare `HOST:PORT` means grpc.
///
/// ```
/// use moorline_transport::Endpoint;
///
/// let endpoint: Endpoint = "grpc://127.0.0.1:8740".parse()?;
/// assert_eq!(endpoint.port(), 8740);
/// assert!(endpoint.is_loopback());
/// assert_eq!("localhost:8740".parse::<Endpoint>()?.scheme(), "grpc");
/// # Ok::<(), moorline_transport::EndpointError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    scheme: String,
    host: String,
    port: u16,
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
    #[error("`{text}` names no host; write it as grpc://HOST:PORT")]
    Host {
        /// What was given.
        text: String,
    },
    /// No port, or not a number from 0 to 65535.
    #[error("`{text}` has no valid port; write it as grpc://HOST:PORT")]
    Port {
        /// What was given.
        text: String,
    },
    /// An unknown scheme.
    #[error("`{scheme}` is not a scheme of this build; known: grpc, mem")]
    Scheme {
        /// What was given.
        scheme: String,
    },
    /// A path, a query, or user information.
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
            write!(f, "mem://{}", self.host)
        } else if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.scheme, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("grpc", text));
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(EndpointError::TooMuch { text: text.into() });
        }
        match scheme.as_str() {
            "mem" if rest.is_empty() => Err(EndpointError::Host { text: text.into() }),
            "mem" => Ok(Self { scheme, host: rest.into(), port: 0 }),
            "grpc" => {
                let (host, port) = rest
                    .rsplit_once(':')
                    .ok_or_else(|| EndpointError::Port { text: text.into() })?;
                let port = port.parse().map_err(|_| EndpointError::Port { text: text.into() })?;
                let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
                let host = bracketed.unwrap_or(host);
                // Without its brackets the end of an IPv6 address would be taken for the port.
                if host.is_empty() || (bracketed.is_none() && host.contains([':', '[', ']'])) {
                    return Err(EndpointError::Host { text: text.into() });
                }
                Ok(Self { scheme, host: host.into(), port })
            }
            _ => Err(EndpointError::Scheme { scheme }),
        }
    }
}

#[cfg(test)]
mod tests;
