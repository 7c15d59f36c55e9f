//! Both ends of a connection of any transport, for tests that run on tokio. What every transport has to
//! keep is in `moorline_transport::conformance`.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_transport::{AcceptError, Connection, Endpoint, Listener, Transport};

/// The next who is let in.
pub(crate) async fn accept(listener: &mut dyn Listener) -> Result<Connection, AcceptError> {
    loop {
        let accepted = listener.accept().await;
        if !matches!(accepted, Err(AcceptError::Refused { .. })) {
            return accepted;
        }
    }
}

/// Longest wait for what has to happen; only a failure takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that has to happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

pub(crate) async fn ready(connection: &mut Connection) -> Result<(), Reason> {
    poll_fn(|cx| Pin::new(&mut *connection.sender).poll_ready(cx)).await
}

pub(crate) async fn send(
    connection: &mut Connection,
    packet: impl Into<Bytes>,
    lane: Lane,
) -> Result<(), Reason> {
    ready(connection).await?;
    Pin::new(&mut *connection.sender).send(packet.into(), lane)?;
    // Starts it on its way; whether the peer reads is not waited for.
    poll_fn(|cx| {
        let _ = Pin::new(&mut *connection.sender).poll_flush(cx)?;
        std::task::Poll::Ready(Ok(()))
    })
    .await
}

pub(crate) async fn receive(connection: &mut Connection) -> Result<Bytes, Reason> {
    soon(poll_fn(|cx| Pin::new(&mut *connection.receiver).poll_receive(cx))).await
}

pub(crate) async fn close(connection: &mut Connection) -> Result<(), Reason> {
    soon(poll_fn(|cx| Pin::new(&mut *connection.sender).poll_close(cx))).await
}

/// A listener, and both ends of a connection to it.
pub(crate) async fn connect(
    transport: &dyn Transport,
    listen: &Endpoint,
) -> (Box<dyn Listener>, Connection, Connection) {
    let mut listener = transport.listen(listen).await.expect("listens");
    let dial = transport.dial(&listener.endpoint());
    let (dialled, accepted) = soon(futures::future::join(dial, accept(&mut *listener))).await;
    (listener, dialled.expect("dialled"), accepted.expect("accepted"))
}
