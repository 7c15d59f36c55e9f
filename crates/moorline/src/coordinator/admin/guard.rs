//! Keeps web pages out.

use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Refusal;
use crate::Code;

/// Passes on what is not from a page of another origin.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let host = only(headers, HOST)
        .ok_or_else(|| Refusal::new(Code::FOREIGN_HOST, "the request names no host, or several"))?;
    let target = request.uri().authority().map(|authority| authority.as_str());
    for named in [Some(host), target].into_iter().flatten() {
        if !is_loopback(named) {
            let detail = format!("`{named}` is not a name of this machine's loopback interface");
            return Err(Refusal::new(Code::FOREIGN_HOST, detail));
        }
    }
    if headers.contains_key(ORIGIN) {
        let origin = only(headers, ORIGIN);
        let own = origin.and_then(|origin| origin.strip_prefix("http://"));
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(host)) {
            let detail = format!("the origin `{}` is not this API's", origin.unwrap_or_default());
            return Err(Refusal::new(Code::FOREIGN_ORIGIN, detail));
        }
    }
    if request.method() != Method::GET && request.method() != Method::HEAD && must_be_json(headers)
    {
        let kind = only(headers, CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = format!("the content type is `{kind}`, not `application/json`");
            return Err(Refusal::new(Code::NOT_JSON_REQUEST, detail));
        }
    }
    Ok(())
}

/// The value of a header that is there once, as text.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// A request that carries something has to say that it is JSON; so has one that says what it would
/// carry, because a form without fields is a request without a body.
fn must_be_json(headers: &HeaderMap) -> bool {
    let empty = headers.get(CONTENT_LENGTH).is_none_or(|len| len.as_bytes() == b"0");
    !empty || headers.contains_key(TRANSFER_ENCODING) || headers.contains_key(CONTENT_TYPE)
}

/// Whether `host` or `host:port` names the loopback interface.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, rest)) => match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let host_fits = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    port_fits && host_fits
}
