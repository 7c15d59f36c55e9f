//! Reliable messages alone over any transport, one side a process, for `cargo xtask bench transports`:
//!
//! ```text
//! tasks --messages URL WINDOW SECONDS [CERT KEY]
//! tasks --mirror URL [CA]
//! ```
//!
//! The first prints `READY` when it listens, waits for the second, and prints what
//! `moorline bench coordinator` prints.

use std::sync::Arc;
use std::time::Duration;

use moorline_grpc::GrpcTransport;
use moorline_quic::QuicTransport;
use moorline_transport::{ClientTls, Endpoint, Security, ServerTls, TlsFiles, Transport};
use moorline_websocket::WebSocketTransport;

use super::messages::{self, Talk};
use super::{Error, Round};

fn transport(endpoint: &Endpoint, security: Security) -> Result<Arc<dyn Transport>, Error> {
    Ok(match endpoint.scheme() {
        "grpc" | "grpcs" => Arc::new(GrpcTransport::new().with_security(security)),
        "quic" => Arc::new(QuicTransport::new().with_security(security)),
        "ws" | "wss" => Arc::new(WebSocketTransport::new().with_security(security).without_proxy()),
        other => return Err(format!("{other} is no transport between processes").into()),
    })
}

/// The side that answers.
pub(crate) async fn mirror(args: &[&str]) -> Result<(), Error> {
    let (url, security) = match *args {
        [url] => (url, Security::new()),
        [url, ca] => {
            let files = TlsFiles { ca: Some(ca.into()), ..TlsFiles::default() };
            (url, Security::new().with_client(ClientTls::from_files(files)?))
        }
        _ => return Err("--mirror URL [CA]".into()),
    };
    messages::mirror(url, &*transport(&url.parse()?, security)?).await
}

/// The side that sends and measures.
pub(crate) async fn submit(args: &[&str]) -> Result<(), Error> {
    let [url, window, seconds, files @ ..] = args else {
        return Err("--messages URL WINDOW SECONDS [CERT KEY]".into());
    };
    let mut security = Security::new();
    if let [cert, key] = *files {
        let files = TlsFiles { cert: Some(cert.into()), key: Some(key.into()), ca: None };
        security = security.with_server(ServerTls::from_files(files)?);
    }
    let (endpoint, time) = (url.parse()?, Duration::from_secs(seconds.parse()?));
    let mut listener = transport(&endpoint, security)?.listen(&endpoint).await?;
    println!("READY");
    let mut talk = Talk::with(&mut *listener).await?;
    let latencies = talk.load(window.parse()?, time).await?;
    let messages = latencies.len();
    if messages == 0 {
        return Err("no message was answered".into());
    }
    let per_second = messages as f64 / (time - time / 5).as_secs_f64();
    let round = Round::new((latencies, per_second));
    let micros = |time: Duration| time.as_nanos() as f64 / 1_000.0;
    println!(
        "{{\"tasks_per_s\":{per_second:.1},\"p50_us\":{:.1},\"p99_us\":{:.1},\"tasks\":{messages}}}",
        micros(round.p50),
        micros(round.p99),
    );
    Ok(())
}
