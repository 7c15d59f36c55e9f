//! Both ends of a connection, and things that have to happen.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_transport::Connection;

/// Waits for something that has to happen; only a failure takes so long.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it happens in time")
}

/// Sends, and starts it on its way.
pub(crate) async fn send(
    connection: &mut Connection,
    packet: impl Into<Bytes>,
    lane: Lane,
) -> Result<(), Reason> {
    poll_fn(|cx| Pin::new(&mut *connection.sender).poll_ready(cx)).await?;
    Pin::new(&mut *connection.sender).send(packet.into(), lane)?;
    poll_fn(|cx| {
        let _ = Pin::new(&mut *connection.sender).poll_flush(cx)?;
        std::task::Poll::Ready(Ok(()))
    })
    .await
}

pub(crate) async fn receive(connection: &mut Connection) -> Result<Bytes, Reason> {
    soon(poll_fn(|cx| Pin::new(&mut *connection.receiver).poll_receive(cx))).await
}
