//! Sockets and timers: tokio's where there is tokio, else those of `async-io`.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(feature = "smol")]
use async_io::Async;
use futures::io::{AsyncRead, AsyncWrite};
use socket2::{Domain, SockRef, Socket, Type};

use crate::settings::BACKLOG;

/// Whose sockets and timers are used: found out once for each dial and each listener.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runtime {
    #[cfg(feature = "tokio")]
    Tokio,
    #[cfg(feature = "smol")]
    Smol,
}

impl Runtime {
    /// Tokio, where this is called inside its runtime.
    ///
    /// # Errors
    /// There is none, and this build knows nothing else.
    pub(crate) fn current() -> io::Result<Self> {
        #[cfg(feature = "tokio")]
        if tokio::runtime::Handle::try_current().is_ok() {
            return Ok(Self::Tokio);
        }
        #[cfg(feature = "smol")]
        return Ok(Self::Smol);
        #[cfg(not(feature = "smol"))]
        return Err(io::Error::other("there is no tokio runtime here; see the feature `smol`"));
    }

    pub(crate) fn sleep(self, after: Duration) -> Timer {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio => Timer::Tokio(Box::pin(tokio::time::sleep(after))),
            #[cfg(feature = "smol")]
            Self::Smol => Timer::Smol(async_io::Timer::after(after)),
        }
    }

    pub(crate) async fn lookup(self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
            #[cfg(feature = "smol")]
            Self::Smol => {
                use std::net::ToSocketAddrs;
                // Asking the system for addresses waits.
                blocking::unblock(move || Ok((host, port).to_socket_addrs()?.collect())).await
            }
        }
    }

    pub(crate) async fn connect(self, address: SocketAddr) -> io::Result<Tcp> {
        let tcp = match self {
            #[cfg(feature = "tokio")]
            Self::Tokio => Tcp::Tokio(tokio::net::TcpStream::connect(address).await?),
            #[cfg(feature = "smol")]
            Self::Smol => Tcp::Smol(Async::<std::net::TcpStream>::connect(address).await?),
        };
        tcp.set_up()?;
        Ok(tcp)
    }

    pub(crate) fn bind(self, address: SocketAddr) -> io::Result<Door> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // A coordinator that comes back at once finds its old connections in TIME_WAIT.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = std::net::TcpListener::from(socket);
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio => tokio::net::TcpListener::from_std(listener).map(Door::Tokio),
            #[cfg(feature = "smol")]
            Self::Smol => Async::new(listener).map(Door::Smol),
        }
    }
}

/// Where connections come in.
pub(crate) enum Door {
    #[cfg(feature = "tokio")]
    Tokio(tokio::net::TcpListener),
    #[cfg(feature = "smol")]
    Smol(Async<std::net::TcpListener>),
}

impl Door {
    pub(crate) fn port(&self) -> io::Result<u16> {
        let address = match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(listener) => listener.local_addr()?,
            #[cfg(feature = "smol")]
            Self::Smol(listener) => listener.get_ref().local_addr()?,
        };
        Ok(address.port())
    }

    pub(crate) fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Tcp, SocketAddr)>> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(listener) => {
                listener.poll_accept(cx).map_ok(|(stream, peer)| (Tcp::Tokio(stream), peer))
            }
            #[cfg(feature = "smol")]
            Self::Smol(listener) => loop {
                match listener.get_ref().accept() {
                    Ok((stream, peer)) => {
                        let stream = Async::new(stream).map(Tcp::Smol);
                        return Poll::Ready(stream.map(|stream| (stream, peer)));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        std::task::ready!(listener.poll_readable(cx))?;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            },
        }
    }
}

/// A TCP connection.
pub(crate) enum Tcp {
    #[cfg(feature = "tokio")]
    Tokio(tokio::net::TcpStream),
    #[cfg(feature = "smol")]
    Smol(Async<std::net::TcpStream>),
}

impl Tcp {
    /// What every connection is set to.
    pub(crate) fn set_up(&self) -> io::Result<()> {
        let socket = match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(stream) => SockRef::from(stream),
            #[cfg(feature = "smol")]
            Self::Smol(stream) => SockRef::from(stream.get_ref()),
        };
        socket.set_tcp_nodelay(true)?;
        // Where there is no such setting, what the kernel holds is its own affair.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = socket.set_tcp_notsent_lowat(crate::settings::UNSENT_MAX);
        Ok(())
    }

    /// The other end's address.
    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(stream) => stream.peer_addr(),
            #[cfg(feature = "smol")]
            Self::Smol(stream) => stream.get_ref().peer_addr(),
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            #[cfg(feature = "tokio")]
            Self::Tokio(stream) => {
                let mut buffer = tokio::io::ReadBuf::new(buffer);
                tokio::io::AsyncRead::poll_read(Pin::new(stream), cx, &mut buffer)
                    .map_ok(|()| buffer.filled().len())
            }
            #[cfg(feature = "smol")]
            Self::Smol(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            #[cfg(feature = "tokio")]
            Self::Tokio(stream) => tokio::io::AsyncWrite::poll_write(Pin::new(stream), cx, bytes),
            #[cfg(feature = "smol")]
            Self::Smol(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel has it.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(feature = "tokio")]
            Self::Tokio(stream) => tokio::io::AsyncWrite::poll_shutdown(Pin::new(stream), cx),
            #[cfg(feature = "smol")]
            Self::Smol(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}

/// A point in time to wait for, which can be moved.
pub(crate) enum Timer {
    #[cfg(feature = "tokio")]
    Tokio(Pin<Box<tokio::time::Sleep>>),
    #[cfg(feature = "smol")]
    Smol(async_io::Timer),
}

impl Timer {
    /// From now on.
    pub(crate) fn reset(&mut self, after: Duration) {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(sleep) => sleep.as_mut().reset(tokio::time::Instant::now() + after),
            #[cfg(feature = "smol")]
            Self::Smol(timer) => timer.set_after(after),
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            #[cfg(feature = "tokio")]
            Self::Tokio(sleep) => sleep.as_mut().poll(cx),
            #[cfg(feature = "smol")]
            Self::Smol(timer) => Pin::new(timer).poll(cx).map(|_| ()),
        }
    }
}
