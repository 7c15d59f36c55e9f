//! Steering a proxy over HTTP on this machine: `curl -X POST http://127.0.0.1:9001/cut`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use moorline_chaos::Proxy;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::change::{Terms, Verb};
use super::report;
use crate::coordinator::{Refusal, guard};
use crate::{Code, Error, Result};

/// The longest request, in bytes.
const BODY_MAX: usize = 4 << 10;

/// Serves until it is dropped.
pub(super) struct Control {
    pub(super) address: SocketAddr,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Control {
    /// Listens.
    pub(super) async fn start(address: SocketAddr, proxy: Arc<Proxy>) -> Result<Self> {
        let failed = |error| cannot_listen(&address.to_string(), &error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(BODY_MAX))
            // As the admin API: no page in a browser gets in.
            .layer(middleware::from_fn(guard))
            .with_state(proxy);
        Ok(Self { address, serving: tokio::spawn(async { axum::serve(listener, router).await }) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Why an address cannot be listened on.
pub(super) fn cannot_listen(address: &str, error: &std::io::Error) -> Error {
    let in_use = error.kind() == std::io::ErrorKind::AddrInUse;
    let code = if in_use { Code::CHAOS_IN_USE } else { Code::CHAOS_LISTEN };
    Error::Command { code, detail: format!("{address} cannot be listened on: {error}") }
}

async fn answer(
    State(proxy): State<Arc<Proxy>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    match asked(&proxy, &method, uri.path(), &body).await {
        Ok(()) => Json(report::status(&proxy.snapshot())).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn asked(
    proxy: &Proxy,
    method: &Method,
    path: &str,
    body: &[u8],
) -> std::result::Result<(), Refusal> {
    let refused = |detail: String| Refusal::new(Code::CHAOS_REQUEST, detail);
    if path == "/status" && (method == Method::GET || method == Method::HEAD) {
        return Ok(());
    }
    let named = |verb: &Verb| path.strip_prefix('/') == Some(verb.word());
    let verb = Verb::ALL.into_iter().find(named).filter(|_| method == Method::POST);
    let verb = verb.ok_or_else(|| refused(format!("there is no {method} {path}")))?;
    let terms = if body.is_empty() {
        Terms::default()
    } else {
        serde_json::from_slice(body).map_err(|error| refused(error.to_string()))?
    };
    let change = terms.change(verb).map_err(refused)?;
    proxy.apply(change).await.map_err(|error| {
        let address = proxy.tcp().map(|address| address.to_string()).unwrap_or_default();
        cannot_listen(&address, &error).into()
    })
}
