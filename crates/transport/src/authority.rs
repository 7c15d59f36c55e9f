//! For which places the other end of a connection may speak.

use std::fmt;
use std::net::IpAddr;

use crate::Endpoint;

/// For which hosts the other end of a connection may say that a worker shall go there.
///
/// A coordinator may send its workers elsewhere. Whoever can be mistaken for a coordinator could send
/// them anywhere, so it may name the hosts that it has proven to be, and no others:
///
/// - `Authority::certificate`, or [`Authority::hosts`]: a peer whose certificate was verified, those in
///   that certificate; only over TLS, so that what was encrypted stays so.
/// - [`Authority::this_machine`]: a peer on this machine, this machine; [`Authority::unproven`] finds out by
///   its address.
/// - [`Authority::nobody`]: everybody else, none.
///
/// ```
/// use moorline_transport::{Authority, Endpoint};
///
/// let here: Endpoint = "grpc://127.0.0.1:8750".parse()?;
/// let there: Endpoint = "grpc://192.0.2.7:8740".parse()?;
/// assert!(Authority::this_machine().may_name(&here).is_ok());
/// assert!(Authority::this_machine().may_name(&there).is_err());
/// assert!(Authority::nobody().may_name(&here).is_err());
/// # Ok::<(), moorline_transport::EndpointError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authority(Kind);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Nobody,
    ThisMachine,
    Hosts(Vec<Host>),
}

/// A host as a certificate names it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Host {
    Address(IpAddr),
    /// In lower case.
    Name(String),
    /// `*.` and this, in lower case: one label in its place.
    AnyIn(String),
}

/// Why a peer may not send a worker to an endpoint.
///
/// ```
/// use moorline_transport::{Authority, AuthorityError, Endpoint};
///
/// let metadata: Endpoint = "grpc://169.254.169.254:80".parse()?;
/// let error = Authority::this_machine().may_name(&metadata).unwrap_err();
/// assert!(matches!(error, AuthorityError::Nowhere { .. }));
/// # Ok::<(), moorline_transport::EndpointError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// Nobody knows who the peer is.
    #[error(
        "{endpoint}: the peer has not proven who it is; only one with a verified certificate may name others"
    )]
    Unproven {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// It is not encrypted.
    #[error("{endpoint}: is not encrypted, and the connection that names it is")]
    Clear {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// The host is none of the peer's.
    #[error("{endpoint}: the peer has not proven to be `{}`; its certificate has to name that host", endpoint.host())]
    Foreign {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// No coordinator can be there: an unspecified, multicast, broadcast or link-local address, or port 0.
    #[error("{endpoint}: nobody can be reached there")]
    Nowhere {
        /// The endpoint.
        endpoint: Endpoint,
    },
}

impl Authority {
    /// May name nobody.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(Kind::Nobody)
    }

    /// May name this machine, in the clear too: whoever listens on loopback is on it.
    #[must_use]
    pub const fn this_machine() -> Self {
        Self(Kind::ThisMachine)
    }

    /// What somebody at this address, who has proven nothing, may name.
    #[must_use]
    pub const fn unproven(peer: IpAddr) -> Self {
        if peer.is_loopback() { Self::this_machine() } else { Self::nobody() }
    }

    /// May name the hosts of a certificate that was verified: the DNS names, with `*.` for one label, and
    /// the addresses among its alternative names (RFC 9525, 6). None, if it cannot be read.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn certificate(verified: &rustls_pki_types::CertificateDer<'_>) -> Self {
        Self::hosts(names(verified).unwrap_or_default().iter().map(String::as_str))
    }

    /// May name these hosts, in what is encrypted: names, with `*.` for one label, and addresses. For transports
    /// that find out otherwise who a peer is.
    #[must_use]
    pub fn hosts<'a>(proven: impl IntoIterator<Item = &'a str>) -> Self {
        Self(Kind::Hosts(proven.into_iter().map(Host::read).collect()))
    }

    /// Whether it may say that a worker shall go there.
    ///
    /// # Errors
    /// [`AuthorityError`] says why not.
    pub fn may_name(&self, endpoint: &Endpoint) -> Result<(), AuthorityError> {
        let refused = endpoint.clone();
        if is_nowhere(endpoint) {
            return Err(AuthorityError::Nowhere { endpoint: refused });
        }
        match &self.0 {
            Kind::Nobody => Err(AuthorityError::Unproven { endpoint: refused }),
            Kind::ThisMachine if endpoint.is_loopback() => Ok(()),
            Kind::ThisMachine => Err(AuthorityError::Unproven { endpoint: refused }),
            Kind::Hosts(_) if !endpoint.is_encrypted() => {
                Err(AuthorityError::Clear { endpoint: refused })
            }
            Kind::Hosts(hosts) if hosts.iter().any(|host| host.is(endpoint.host())) => Ok(()),
            Kind::Hosts(_) => Err(AuthorityError::Foreign { endpoint: refused }),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Nobody => f.write_str("nobody"),
            Kind::ThisMachine => f.write_str("this machine"),
            Kind::Hosts(hosts) => {
                for (at, host) in hosts.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    match host {
                        Host::Address(address) => write!(f, "{comma}{address}")?,
                        Host::Name(name) => write!(f, "{comma}{name}")?,
                        Host::AnyIn(domain) => write!(f, "{comma}*.{domain}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl Host {
    fn read(name: &str) -> Self {
        if let Ok(address) = name.parse() {
            return Self::Address(address);
        }
        let name = name.to_ascii_lowercase();
        match name.strip_prefix("*.") {
            Some(domain) => Self::AnyIn(domain.to_owned()),
            None => Self::Name(name),
        }
    }

    fn is(&self, host: &str) -> bool {
        match self {
            Self::Address(address) => host.parse() == Ok(*address),
            Self::Name(name) => host.eq_ignore_ascii_case(name),
            Self::AnyIn(domain) => {
                let within = host.split_once('.');
                within.is_some_and(|(label, rest)| {
                    !label.is_empty() && rest.eq_ignore_ascii_case(domain)
                })
            }
        }
    }
}

/// The names of hosts and the addresses in a certificate.
#[cfg(feature = "tls")]
fn names(verified: &rustls_pki_types::CertificateDer<'_>) -> Option<Vec<String>> {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    let (_, parsed) = X509Certificate::from_der(verified).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let host = |name: &GeneralName<'_>| match name {
        // A name that looks like an address is none: no verifier takes it for that address.
        GeneralName::DNSName(name) => name.parse::<IpAddr>().is_err().then(|| (*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    };
    Some(names.value.general_names.iter().filter_map(host).collect())
}

/// Where a worker must not be sent, whoever says so: the metadata services of clouds are link-local (P49).
fn is_nowhere(endpoint: &Endpoint) -> bool {
    let is_address_of_nobody = endpoint.host().parse().is_ok_and(|address| match address {
        IpAddr::V4(v4) => is_nobodys_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_nobodys_v4(v4),
            None => v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local(),
        },
    });
    is_address_of_nobody || (endpoint.port() == 0 && endpoint.scheme() != "mem")
}

fn is_nobodys_v4(address: std::net::Ipv4Addr) -> bool {
    address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_link_local()
}

#[cfg(test)]
mod tests;
