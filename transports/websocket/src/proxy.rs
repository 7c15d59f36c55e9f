//! Proxies: which one leads to a coordinator, and how to ask it for that (RFC 9110, 9.3.6).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use moorline_link::Reason;
use moorline_transport::{ClientTls, DialError, Endpoint, EndpointError};

use crate::head::{HeadError, read_response};
use crate::stream::reason_of;
use crate::upgrade::USER_AGENT;

/// An HTTP proxy that leads to coordinators by `CONNECT`: `http://HOST:PORT`, or `https://` to speak to
/// the proxy itself over TLS; with `USER:PASSWORD@` before the host if it asks for that. Without a scheme
/// `http` is meant.
///
/// What travels to a `wss` coordinator stays encrypted from end to end: the proxy sees where to, and how
/// much.
///
/// ```
/// use moorline_websocket::Proxy;
///
/// let proxy: Proxy = "http://gpu:secret@proxy.example.com:3128".parse()?;
/// assert_eq!(proxy.to_string(), "http://proxy.example.com:3128", "nobody is told the password");
/// # Ok::<(), moorline_websocket::ProxyError>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    at: Endpoint,
    /// What `Proxy-Authorization` says.
    credentials: Option<String>,
    tls: Option<ClientTls>,
}

/// Why a text names no proxy.
///
/// ```
/// use moorline_websocket::{Proxy, ProxyError};
///
/// let error = "socks5://proxy.example.com:1080".parse::<Proxy>().unwrap_err();
/// assert!(matches!(error, ProxyError::Scheme { .. }));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// Another kind of proxy.
    #[error("`{scheme}` is no proxy that is known here; known: http, https")]
    Scheme {
        /// What was given.
        scheme: String,
    },
    /// No address.
    #[error("the proxy's address: {0}")]
    Address(#[from] EndpointError),
    /// A path, where none may be.
    #[error("a proxy has no path")]
    Path,
    /// A `%` that is not followed by two hexadecimal digits, or no text when those are read.
    #[error("the proxy's user or password: a `%` in them is written %25")]
    Credentials,
}

impl Proxy {
    /// Speaks to the proxy itself like this, if it is an `https` one. The default believes whom the system
    /// trusts; what coordinators are believed is of no matter here.
    #[must_use]
    pub fn with_tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Where it is.
    pub(crate) fn at(&self) -> &Endpoint {
        &self.at
    }

    pub(crate) fn tls(&self) -> Option<&ClientTls> {
        self.tls.as_ref()
    }

    /// Asks for a connection to a coordinator, on a connection to the proxy.
    pub(crate) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        to: &Endpoint,
    ) -> Result<(), DialError> {
        let failed = |reason, detail: String| DialError {
            reason,
            detail: format!("the proxy {self}: {detail}"),
        };
        let authority = to.authority();
        let credentials = self.credentials.as_ref();
        let credentials =
            credentials.map_or(String::new(), |basic| format!("Proxy-Authorization: {basic}\r\n"));
        let request = format!(
            "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{credentials}\
             User-Agent: {USER_AGENT}\r\n\r\n"
        );
        let broken = |error| failed(reason_of(&error), error.to_string());
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let (response, rest) = read_response(stream).await.map_err(|error: HeadError| {
            let (reason, detail) = error.told(Reason::ProxyRefused);
            failed(reason, detail)
        })?;
        let status = response.status_line();
        if !(200..300).contains(&response.status) {
            return Err(failed(Reason::ProxyRefused, format!("it answered {status}")));
        }
        if !rest.is_empty() {
            let detail = format!("it answered {status}, and went on talking itself");
            return Err(failed(Reason::ProxyRefused, detail));
        }
        Ok(())
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.at.is_encrypted() { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.at.authority())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(ProxyError::Scheme { scheme });
        }
        let host_at = rest.rfind('@').map_or(0, |at| at + 1);
        let (user, address) = rest.split_at(host_at);
        let at: Endpoint = format!("{scheme}://{address}").parse()?;
        if at.path() != "/" {
            return Err(ProxyError::Path);
        }
        let credentials = match user.strip_suffix('@') {
            None => None,
            Some(user) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                let mut both = decoded(user)?;
                both.push(b':');
                both.extend(decoded(password)?);
                Some(format!("Basic {}", STANDARD.encode(both)))
            }
        };
        Ok(Self { at, credentials, tls: None })
    }
}

/// With each `%XX` as the byte it stands for.
fn decoded(text: &str) -> Result<Vec<u8>, ProxyError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = bytes.next().and_then(|digit| char::from(digit).to_digit(16));
            digit.and_then(|digit| u8::try_from(digit).ok()).ok_or(ProxyError::Credentials)
        };
        decoded.push(digit()? * 16 + digit()?);
    }
    Ok(decoded)
}

/// Which proxy leads where.
#[derive(Clone, Debug)]
pub(crate) enum Proxies {
    Never,
    Always(Arc<Proxy>),
    Environment(Arc<Environment>),
}

impl Proxies {
    /// The proxy for an endpoint.
    pub(crate) fn lead_to(&self, endpoint: &Endpoint) -> Result<Option<Proxy>, DialError> {
        match self {
            Self::Never => Ok(None),
            Self::Always(proxy) => Ok(Some((**proxy).clone())),
            Self::Environment(environment) => environment.lead_to(endpoint),
        }
    }
}

/// What the environment says about proxies, in the variables that most programs know.
#[derive(Clone, Default, Debug)]
pub(crate) struct Environment {
    /// For `wss`: `HTTPS_PROXY`, else `ALL_PROXY`.
    encrypted: Option<(&'static str, Result<Proxy, ProxyError>)>,
    /// For `ws`: `HTTP_PROXY`, else `ALL_PROXY`.
    clear: Option<(&'static str, Result<Proxy, ProxyError>)>,
    /// `NO_PROXY`.
    except: Vec<String>,
}

impl Environment {
    /// As it is now.
    pub(crate) fn now() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// Names in lower case come first, as for curl.
    pub(crate) fn of(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| Some((*name, get(name)?.trim().parse())))
        };
        // In a CGI program HTTP_PROXY is a header that a stranger has sent.
        let is_cgi = get("REQUEST_METHOD").is_some();
        let clear: &[_] = if is_cgi {
            &["http_proxy", "all_proxy", "ALL_PROXY"]
        } else {
            &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        };
        let except = get("no_proxy").or_else(|| get("NO_PROXY")).unwrap_or_default();
        let except = except.split([',', ' ']).map(str::trim).filter(|one| !one.is_empty());
        Self {
            encrypted: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            clear: first(clear),
            except: except.map(str::to_ascii_lowercase).collect(),
        }
    }

    fn lead_to(&self, endpoint: &Endpoint) -> Result<Option<Proxy>, DialError> {
        let named = if endpoint.is_encrypted() { &self.encrypted } else { &self.clear };
        let Some((variable, proxy)) = named else { return Ok(None) };
        // What is on this machine is no proxy's affair, whether or not NO_PROXY says so.
        if endpoint.is_loopback() || self.except.iter().any(|one| excepts(one, endpoint)) {
            return Ok(None);
        }
        match proxy {
            Ok(proxy) => Ok(Some(proxy.clone())),
            Err(error) => {
                let detail = format!("the environment variable {variable}: {error}");
                Err(DialError { reason: Reason::ProxyRefused, detail })
            }
        }
    }
}

/// Whether an entry of `NO_PROXY` names an endpoint: `*`, an address, a net (`10.0.0.0/8`), or a name with
/// all below it; with or without a port.
fn excepts(entry: &str, endpoint: &Endpoint) -> bool {
    let host = endpoint.host().to_ascii_lowercase();
    let ip = host.parse::<IpAddr>().ok();
    if let Some((net, bits)) = entry.split_once('/') {
        let net = net.parse().ok().zip(bits.parse().ok());
        return ip.zip(net).is_some_and(|(ip, (net, bits))| is_within(ip, net, bits));
    }
    let (entry, port) = match entry.rsplit_once(':') {
        // What follows the last colon is a port unless that stands in an IPv6 address.
        Some((before, port)) if !port.ends_with(']') && entry.parse::<IpAddr>().is_err() => {
            (before, port.parse::<u16>().ok())
        }
        Some(_) | None => (entry, None),
    };
    if port.is_some_and(|port| port != endpoint.port()) {
        return false;
    }
    let entry = entry.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = entry.parse::<IpAddr>() {
        return ip == Some(address);
    }
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    if domain.is_empty() {
        return entry == "*";
    }
    let is_below = host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    ip.is_none() && (host == domain || is_below)
}

fn is_within(ip: IpAddr, net: IpAddr, bits: u32) -> bool {
    match (ip, net) {
        (IpAddr::V4(ip), IpAddr::V4(net)) => {
            let shift = 32_u32.saturating_sub(bits);
            (ip.to_bits() ^ net.to_bits()).checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(net)) => {
            let shift = 128_u32.saturating_sub(bits);
            (ip.to_bits() ^ net.to_bits()).checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests;
