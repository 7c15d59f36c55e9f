//! The thread, its connections and their bounds.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};

use super::{Answer, Subject, answer};
use crate::{Error, Result};

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 64;
/// A request has to be there in this time.
const HEAD_WITHIN: Duration = Duration::from_secs(2);
/// A connection is over after this time, whatever its other end does.
const OVER_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_MAX: usize = 8 * 1024;
/// Header lines of a request.
const HEADERS_MAX: usize = 64;
/// After a failed accept (no descriptors left), before the next one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// An address that was taken.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Takes the address.
    ///
    /// # Errors
    /// [`Error::HealthListen`].
    pub(crate) fn to(address: SocketAddr) -> Result<Self> {
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind().map_err(|source| Error::HealthListen { address: address.to_string(), source })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A running server. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    /// Dropped, the thread ends.
    _end: oneshot::Sender<Infallible>,
}

impl Server {
    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// The system has no thread or no descriptors for it.
    pub(crate) fn start(bound: Bound, subject: Arc<dyn Subject>) -> std::io::Result<Self> {
        let Bound { listener, address } = bound;
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("moorline-health".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // Nothing is ever sent: this is the drop of the other end.
                    _ = ended => {}
                    () = accept(listener, subject) => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, _end: end })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, subject: Arc<dyn Subject>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(event = "health.failed", "Health cannot be served: {error}");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let subject = Arc::clone(&subject);
        tokio::spawn(async move {
            // Whoever is slower than this has no answer.
            let _ = tokio::time::timeout(OVER_WITHIN, serve(stream, subject)).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, subject: Arc<dyn Subject>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let subject = Arc::clone(&subject);
        async move { Ok::<_, Infallible>(respond(&request, &*subject).await) }
    });
    // One request a connection: a body that comes along is not read. An error is the other end's.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(request: &Request<Incoming>, subject: &dyn Subject) -> Response<Full<Bytes>> {
    let (path, query) = (request.uri().path(), request.uri().query());
    let answer = match *request.method() {
        // Of a HEAD the server leaves out the body.
        Method::GET | Method::HEAD => answer(path, query, subject).await,
        _ => Some(Answer::no_method()),
    };
    response(answer.unwrap_or_else(Answer::no_path))
}

/// An answer as it goes out.
pub(crate) fn response(answer: Answer) -> Response<Full<Bytes>> {
    let Answer { status, kind, body } = answer;
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
