//! An echo behind a proxy, and how long things may take.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use moorline_chaos::{Builder, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// How long anything that has to happen may take; nothing waits that long when all is well.
pub const SOON: Duration = Duration::from_secs(30);

pub const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(SOON, future).await {
        Ok(done) => done,
        Err(_) => panic!("never: {what}"),
    }
}

/// Waits for something to be there.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// Sends back what it gets, and ends when its client ends.
pub async fn tcp_echo() -> SocketAddr {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = socket.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}

/// Sends back what it gets.
pub async fn udp_echo() -> SocketAddr {
    let socket = UdpSocket::bind(ANY).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 16];
        while let Ok((len, peer)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..len], peer).await;
        }
    });
    address
}

/// A proxy in front of a TCP echo.
pub async fn in_front(with: impl FnOnce(Builder) -> Builder) -> Proxy {
    let target = tcp_echo().await;
    with(Proxy::to(target.to_string()).tcp(ANY).seed(7)).start().await.unwrap()
}

/// A proxy in front of a UDP echo.
pub async fn in_front_udp(with: impl FnOnce(Builder) -> Builder) -> Proxy {
    let target = udp_echo().await;
    with(Proxy::to(target.to_string()).udp(ANY).seed(7)).start().await.unwrap()
}

pub async fn dial(proxy: &Proxy) -> TcpStream {
    soon("it connects", TcpStream::connect(proxy.tcp().unwrap())).await.unwrap()
}

/// Sends something and reads as much.
pub async fn round_trip(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    soon("it is echoed", async {
        socket.write_all(bytes).await?;
        let mut back = vec![0; bytes.len()];
        socket.read_exact(&mut back).await?;
        Ok(back)
    })
    .await
}
