//! Dialling: resolve, connect, ask for the stream.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::FutureExt;
use h2::client::{self, SendRequest};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use moorline_link::Reason;
use moorline_transport::{Connection, DialError, Endpoint};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use crate::Resolved;
use crate::drive::{Http2, drive, end_reason};
use crate::halves::{Role, connection};
use crate::inflow::{Inflow, Raw};
use crate::settings::{
    CONNECT_WITHIN, CONTENT_TYPE, FRAME_MAX, HEADERS_MAX, MESSAGE_MAX, PATH, RESETS,
    RESOLVE_WITHIN, SEND_BUFFER, WINDOW,
};
use crate::shared::{Guard, Shared};

pub(crate) async fn dial(endpoint: Endpoint, resolved: Resolved) -> Result<Connection, DialError> {
    let addresses = addresses(&endpoint, &resolved).await?;
    let stream = connect(&addresses).await?;
    attach(&endpoint, stream).await
}

fn failed(reason: Reason, detail: impl Into<String>) -> DialError {
    DialError { reason, detail: detail.into() }
}

async fn addresses(endpoint: &Endpoint, resolved: &Resolved) -> Result<Vec<SocketAddr>, DialError> {
    let (host, port) = (endpoint.host(), endpoint.port());
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let lookup = async { tokio::net::lookup_host((host, port)).await.map(Vec::from_iter) };
    resolve(endpoint, resolved, lookup).await
}

/// Resolves the name anew; what it was before still counts if the resolver fails or is silent (P14).
async fn resolve(
    endpoint: &Endpoint,
    resolved: &Resolved,
    lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
) -> Result<Vec<SocketAddr>, DialError> {
    // A panic cannot happen under this lock, so a poisoned one holds a whole map.
    let lock = || resolved.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock().get(endpoint).cloned();
    let found = if known.is_some() {
        // It must not use up the time of addresses that are known to have worked (P13).
        timeout(RESOLVE_WITHIN, lookup).await.unwrap_or_else(|_| Err(late()))
    } else {
        lookup.await
    };
    let host = endpoint.host();
    let detail = match found {
        Ok(addresses) if !addresses.is_empty() => {
            lock().insert(endpoint.clone(), addresses.clone());
            return Ok(addresses);
        }
        Ok(_) => format!("{host} has no address"),
        Err(error) => format!("{host} cannot be resolved: {error}"),
    };
    known.ok_or_else(|| failed(Reason::DnsFailed, detail))
}

fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

/// The first address that answers.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, DialError> {
    let mut last = failed(Reason::DnsFailed, "no address");
    for address in addresses {
        let connecting = TcpStream::connect(address);
        let connected = if addresses.len() == 1 {
            connecting.await
        } else {
            // One silent address must not use up the time of the others (P13).
            timeout(CONNECT_WITHIN, connecting).await.unwrap_or_else(|_| Err(late()))
        };
        match connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = failed(connect_reason(&error), format!("{address}: {error}")),
        }
    }
    Err(last)
}

fn connect_reason(error: &io::Error) -> Reason {
    let kind = error.kind();
    if kind == io::ErrorKind::ConnectionRefused {
        Reason::ConnectRefused
    } else if kind == io::ErrorKind::TimedOut {
        Reason::ConnectTimeout
    } else if matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted) {
        Reason::TransportReset
    } else {
        Reason::Unreachable
    }
}

/// Speaks HTTP/2 on a new connection and asks for the stream.
async fn attach(endpoint: &Endpoint, stream: TcpStream) -> Result<Connection, DialError> {
    let peer =
        stream.peer_addr().map_or_else(|_| endpoint.to_string(), |address| address.to_string());
    let (requests, mut http2) = client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME_MAX)
        .max_header_list_size(HEADERS_MAX)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESETS)
        .enable_push(false)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|error| handshake_failed(&error))?;
    let pings = http2.ping_pong();
    let shared = Arc::new(Shared::default());
    let client = Client { http2, requests: Some(requests.clone()) };
    tokio::spawn(drive(client, pings, Arc::clone(&shared)));
    let guard = Guard(Some(Arc::clone(&shared)));

    let mut requests = requests.ready().await.map_err(|error| handshake_failed(&error))?;
    let request = request(endpoint)
        .map_err(|error| failed(Reason::Unreachable, format!("{endpoint}: {error}")))?;
    let (response, outgoing) =
        requests.send_request(request, false).map_err(|error| handshake_failed(&error))?;
    drop(requests);
    let response = response.await.map_err(|error| handshake_failed(&error))?;
    check(&response)?;
    let incoming = Streaming::new_response(
        Raw,
        Inflow::new(response.into_body()),
        StatusCode::OK,
        None,
        Some(MESSAGE_MAX),
    );
    let connection = connection(Role::Client, outgoing, incoming, &shared, peer);
    guard.release();
    Ok(connection)
}

fn request(endpoint: &Endpoint) -> Result<Request<()>, http::Error> {
    let host = endpoint.host();
    let authority = if host.contains(':') {
        format!("[{host}]:{}", endpoint.port())
    } else {
        format!("{host}:{}", endpoint.port())
    };
    Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(format!("http://{authority}{PATH}"))
        .header(header::TE, HeaderValue::from_static("trailers"))
        .header(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))
        .body(())
}

/// Whether a moorline coordinator answered.
fn check<B>(response: &Response<B>) -> Result<(), DialError> {
    let status = response.status();
    let is_grpc = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(CONTENT_TYPE.as_bytes()));
    if status != StatusCode::OK || !is_grpc {
        let detail = format!("an HTTP server answered {status} that does not speak gRPC");
        return Err(failed(Reason::ProxyRefused, detail));
    }
    match Status::from_header_map(response.headers()) {
        None => Ok(()),
        Some(status) => {
            // Our own listener says so when it goes away.
            let gone = status.code() == Code::Unavailable;
            let reason = if gone { Reason::ConnectRefused } else { Reason::ProxyRefused };
            Err(failed(reason, format!("{:?}: {}", status.code(), status.message())))
        }
    }
}

/// The connection was there, but nobody who speaks HTTP/2 and gRPC.
fn handshake_failed(error: &h2::Error) -> DialError {
    let reason = if error.is_io() { Reason::TransportReset } else { Reason::ProxyRefused };
    failed(reason, error.to_string())
}

/// The end that dialled.
struct Client {
    http2: client::Connection<TcpStream, Bytes>,
    requests: Option<SendRequest<Bytes>>,
}

impl Http2 for Client {
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        let ended = ready!(self.http2.poll_unpin(cx));
        // A peer that said GOAWAY left in order, whatever became of the socket afterwards.
        let left = self.requests.as_mut().is_some_and(|requests| match requests.poll_ready(cx) {
            Poll::Ready(Err(error)) => {
                error.is_go_away()
                    && error.is_remote()
                    && error.reason() == Some(h2::Reason::NO_ERROR)
            }
            Poll::Ready(Ok(())) | Poll::Pending => false,
        });
        Poll::Ready(match ended {
            _ if left => Reason::ClosedByPeer,
            Err(error) => end_reason(&error),
            Ok(()) => Reason::TransportReset,
        })
    }

    fn wind_up(&mut self) {
        // Without streams and without anybody who could open one it ends by itself.
        self.requests = None;
    }
}

#[cfg(test)]
mod tests;
