//! Dialling: resolve, connect, ask for the stream.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::FutureExt;
use h2::client::{self, SendRequest};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use moorline_link::Reason;
use moorline_transport::{
    Authority, ClientTls, Connection, DialError, Endpoint, PACKET_MAX, Resolver, Security, race,
};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::{Code, Status, Streaming};

use crate::drive::{Http2, drive, end_reason};
use crate::halves::{Role, connection};
use crate::home::Home;
use crate::inflow::{Inflow, Raw};
use crate::settings::{
    CONTENT_TYPE, FRAME_MAX, HEADERS_MAX, PATH, PROTOCOL, RESETS, SEND_BUFFER, WINDOW,
};
use crate::shared::{Guard, Shared};
use crate::stream::Stream;

pub(crate) async fn dial(
    endpoint: Endpoint,
    resolver: Resolver,
    security: Security,
    home: Home,
) -> Result<Connection, DialError> {
    // First: what is wrong with the files is not worth a connection.
    let tls = endpoint.is_encrypted().then(|| security.client()).transpose();
    let tls = tls.map_err(|error| failed(Reason::TlsFailed, error.to_string()))?;
    let (host, port) = (endpoint.host().to_owned(), endpoint.port());
    let lookup = async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) };
    let addresses = resolver.resolve(&endpoint, lookup, sleep).await?;
    let stream = race(&addresses, connect, sleep).await?;
    let address = stream.peer_addr();
    let (stream, authority) = match tls {
        Some(tls) => encrypt(&endpoint, stream, &tls).await?,
        None => (Stream::Clear(stream), unproven(&address)),
    };
    let peer = address.map_or_else(|_| endpoint.to_string(), |address| address.to_string());
    Ok(Connection { authority, ..attach(&endpoint, stream, peer, &home).await? })
}

fn unproven(address: &io::Result<SocketAddr>) -> Authority {
    let ip = address.as_ref().map(SocketAddr::ip);
    ip.map_or_else(|_| Authority::nobody(), Authority::unproven)
}

fn failed(reason: Reason, detail: impl Into<String>) -> DialError {
    DialError { reason, detail: detail.into() }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The certificate has to be for the host as it was configured, wherever that led (P14).
async fn encrypt(
    endpoint: &Endpoint,
    stream: TcpStream,
    tls: &ClientTls,
) -> Result<(Stream, Authority), DialError> {
    let host = endpoint.host();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| failed(Reason::TlsFailed, format!("no certificate can be for `{host}`")))?;
    let connector = TlsConnector::from(tls.config(PROTOCOL));
    let encrypted = connector.connect(name, stream).await;
    let encrypted = encrypted.map_err(|error| failed(tls_reason(&error), error.to_string()))?;
    let proven = encrypted.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let authority = proven.map_or_else(Authority::nobody, Authority::certificate);
    Ok((Stream::Tls(Box::new(encrypted.into())), authority))
}

/// A connection that broke while keys were exchanged, or an exchange that failed: what rustls finds is
/// `InvalidData`, which no socket says. HTTP/2 passes on that kind and the words, and nothing else.
fn tls_reason(error: &io::Error) -> Reason {
    let is_of_tls = error.kind() == io::ErrorKind::InvalidData;
    if is_of_tls { Reason::TlsFailed } else { Reason::TransportReset }
}

/// Speaks HTTP/2 on a new connection and asks for the stream.
async fn attach(
    endpoint: &Endpoint,
    stream: Stream,
    peer: String,
    home: &Home,
) -> Result<Connection, DialError> {
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
    let client = Client { http2: Box::new(http2), requests: Some(requests.clone()) };
    home.spawn(drive(client, pings, Arc::clone(&shared)));
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
        Some(PACKET_MAX),
    );
    let connection = connection(Role::Client, outgoing, incoming, &shared, peer, None);
    guard.release();
    Ok(connection)
}

fn request(endpoint: &Endpoint) -> Result<Request<()>, http::Error> {
    let scheme = if endpoint.is_encrypted() { "https" } else { "http" };
    let authority = endpoint.authority();
    Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(format!("{scheme}://{authority}{PATH}"))
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
    let reason = match error.get_io() {
        // The coordinator says only behind its own part that it does not like our certificate.
        Some(error) => tls_reason(error),
        None => Reason::ProxyRefused,
    };
    failed(reason, error.to_string())
}

/// The end that dialled.
struct Client {
    /// Boxed, for what it is handed through.
    http2: Box<client::Connection<Stream, Bytes>>,
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
