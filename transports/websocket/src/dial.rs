//! Dialling: resolve, connect, through a proxy or not, and ask for WebSocket.

use moorline_link::Reason;
use moorline_transport::{Authority, Connection, DialError, Endpoint, Resolver, Security, race};
use tungstenite::protocol::Role;

use crate::halves::connection;
use crate::net::{Runtime, Tcp};
use crate::proxy::{Proxies, Proxy};
use crate::stream::Stream;
use crate::upgrade::ask;

pub(crate) async fn dial(
    endpoint: Endpoint,
    resolver: Resolver,
    security: Security,
    proxies: Proxies,
) -> Result<Connection, DialError> {
    // First: what is wrong with the files is not worth a connection.
    let tls = endpoint.is_encrypted().then(|| security.client()).transpose();
    let tls = tls.map_err(|error| failed(Reason::TlsFailed, error.to_string()))?;
    let runtime =
        Runtime::current().map_err(|error| failed(Reason::Unreachable, error.to_string()))?;
    let (stream, peer, unproven) = match proxies.lead_to(&endpoint)? {
        None => {
            let tcp = connect(&endpoint, &resolver, runtime).await?;
            let at = tcp.peer();
            let unproven = at.as_ref().map(|at| Authority::unproven(at.ip()));
            let peer = at.as_ref().map_or_else(|_| endpoint.to_string(), ToString::to_string);
            (Stream::Clear(tcp), peer, unproven.unwrap_or_else(|_| Authority::nobody()))
        }
        Some(proxy) => {
            let stream = tunnel(&proxy, &endpoint, &resolver, runtime).await?;
            let peer = format!("{} through {proxy}", endpoint.authority());
            (stream, peer, Authority::nobody())
        }
    };
    let (mut stream, authority) = match tls {
        Some(tls) => {
            let encrypted = stream.encrypt(&tls, endpoint.host()).await;
            encrypted.map_err(|(reason, detail)| failed(reason, detail))?
        }
        None => (stream, unproven),
    };
    let said = ask(&mut stream, &endpoint).await?;
    Ok(Connection { authority, ..connection((stream, said), Role::Client, runtime, peer, None) })
}

fn failed(reason: Reason, detail: String) -> DialError {
    DialError { reason, detail }
}

async fn connect(
    endpoint: &Endpoint,
    resolver: &Resolver,
    runtime: Runtime,
) -> Result<Tcp, DialError> {
    let sleep = |after| runtime.sleep(after);
    let lookup = runtime.lookup(endpoint.host().to_owned(), endpoint.port());
    let addresses = resolver.resolve(endpoint, lookup, sleep).await?;
    race(&addresses, |address| runtime.connect(address), sleep).await
}

/// Where a coordinator is, only its proxy has to know.
async fn tunnel(
    proxy: &Proxy,
    endpoint: &Endpoint,
    resolver: &Resolver,
    runtime: Runtime,
) -> Result<Stream, DialError> {
    let of_proxy = |reason, detail: String| failed(reason, format!("the proxy {proxy}: {detail}"));
    let tcp = connect(proxy.at(), resolver, runtime).await;
    let tcp = tcp.map_err(|error| of_proxy(error.reason, error.detail))?;
    let mut stream = Stream::Clear(tcp);
    if proxy.at().is_encrypted() {
        let tls = match proxy.tls() {
            Some(given) => given.clone(),
            None => Security::new()
                .client()
                .map_err(|error| of_proxy(Reason::TlsFailed, error.to_string()))?,
        };
        let encrypted = stream.encrypt(&tls, proxy.at().host()).await;
        (stream, _) = encrypted.map_err(|(reason, detail)| of_proxy(reason, detail))?;
    }
    proxy.open(&mut stream, endpoint).await?;
    Ok(stream)
}
