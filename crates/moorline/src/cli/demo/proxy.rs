//! A small TCP proxy that can leave its connections half-open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes bytes on both ways until [`Proxy::half_open`]: then the connections that are open stay
/// open and carry nothing any more, as behind a firewall that has forgotten them. New ones work.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// How often connections were cut.
    cuts: watch::Sender<u64>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Listens on the listener for connections to `target`.
    pub(super) fn start(listener: TcpListener, target: SocketAddr) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let cuts = watch::Sender::new(0);
        let serving = tokio::spawn(serve(listener, target, Arc::clone(&accepted), cuts.clone()));
        Ok(Self { address, accepted, cuts, serving })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has taken.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// From now on nothing passes on the connections that are open; nobody is told.
    pub(super) fn half_open(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    accepted: Arc<AtomicUsize>,
    cuts: watch::Sender<u64>,
) {
    // Ends with this future: its connections are dropped with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            taken = listener.accept() => {
                if let Ok((client, _)) = taken {
                    accepted.fetch_add(1, Ordering::SeqCst);
                    connections.spawn(pass(client, target, cuts.subscribe()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr, mut cuts: watch::Receiver<u64>) {
    // A target that is away is a connection that ends at once.
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        // Either side has ended, in order or not: so does the other.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        Ok(()) = cuts.changed() => {
            // Both sockets stay open and nobody reads them.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::Proxy;

    /// Sends back what it gets.
    async fn echo() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = socket.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn round_trip(socket: &mut TcpStream) -> std::io::Result<u8> {
        socket.write_all(&[7]).await?;
        socket.read_u8().await
    }

    #[tokio::test]
    async fn a_half_open_connection_is_silent_but_not_closed_and_a_new_one_works() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(listener, echo().await).unwrap();
        let mut first = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut first).await.unwrap(), 7);

        proxy.half_open();
        let silent = tokio::time::timeout(Duration::from_millis(200), round_trip(&mut first)).await;
        assert!(silent.is_err(), "neither an answer nor an end: {silent:?}");

        let mut second = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut second).await.unwrap(), 7);
        assert_eq!(proxy.accepted(), 2);
    }

    #[tokio::test]
    async fn the_end_of_one_side_is_the_end_of_the_other() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(listener, echo().await).unwrap();
        let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut socket).await.unwrap(), 7);
        socket.shutdown().await.unwrap();
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
    }
}
