//! Tokio where there is one, else the reactor and the executor of smol.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{FutureExt, Shared};
use quinn::AsyncTimer;

#[cfg(not(any(feature = "tokio", feature = "smol")))]
compile_error!("one of the features `tokio` and `smol` is needed");

/// Where sockets are polled and tasks run: the runtime of whoever dials or listens.
#[derive(Clone)]
pub(crate) struct Runtime {
    which: Which,
    quinn: Arc<dyn quinn::Runtime>,
}

/// Tells runtimes apart: an endpoint is driven by the one it was made in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Which {
    #[cfg(feature = "tokio")]
    Tokio(tokio::runtime::Id),
    #[cfg(feature = "smol")]
    Smol,
}

impl Runtime {
    /// That of whoever calls.
    pub(crate) fn current() -> io::Result<Self> {
        #[cfg(feature = "tokio")]
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            let which = Which::Tokio(handle.id());
            return Ok(Self { which, quinn: Arc::new(OnTokio(handle)) });
        }
        #[cfg(feature = "smol")]
        return Ok(Self { which: Which::Smol, quinn: Arc::new(quinn::SmolRuntime) });
        #[cfg(not(feature = "smol"))]
        Err(io::Error::other("there is no tokio here, and the feature `smol` is off"))
    }

    pub(crate) fn which(&self) -> &Which {
        &self.which
    }

    pub(crate) fn quinn(&self) -> Arc<dyn quinn::Runtime> {
        Arc::clone(&self.quinn)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.quinn.spawn(Box::pin(task));
    }

    pub(crate) fn sleep(&self, time: Duration) -> Sleep {
        Sleep(self.quinn.new_timer(self.quinn.now() + time))
    }

    /// The addresses of a name. Asks the system, on a thread for what blocks.
    pub(crate) async fn lookup(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let lookup = move || Ok((host, port).to_socket_addrs()?.collect());
        match &self.which {
            #[cfg(feature = "tokio")]
            Which::Tokio(_) => {
                tokio::task::spawn_blocking(lookup).await.map_err(io::Error::other)?
            }
            #[cfg(feature = "smol")]
            Which::Smol => smol::unblock(lookup).await,
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.quinn.fmt(f)
    }
}

/// Resolves when a runtime is gone, or has nothing to do any more: what was begun there is not driven
/// then, and quinn says nothing.
pub(crate) type Gone = Shared<oneshot::Receiver<()>>;

/// The two ends of it: the first goes with a task.
pub(crate) fn gone() -> (oneshot::Sender<()>, Gone) {
    let (here, gone) = oneshot::channel();
    (here, gone.shared())
}

/// Ready when its time has come.
pub(crate) struct Sleep(Pin<Box<dyn AsyncTimer>>);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// One tokio, whoever asks: quinn's own takes the one that is current at the moment, and there may be
/// none where a connection is moved to another socket.
#[cfg(feature = "tokio")]
#[derive(Debug)]
struct OnTokio(tokio::runtime::Handle);

#[cfg(feature = "tokio")]
impl quinn::Runtime for OnTokio {
    fn new_timer(&self, at: std::time::Instant) -> Pin<Box<dyn AsyncTimer>> {
        let _entered = self.0.enter();
        quinn::TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.spawn(task);
    }

    fn wrap_udp_socket(
        &self,
        socket: std::net::UdpSocket,
    ) -> io::Result<Arc<dyn quinn::AsyncUdpSocket>> {
        let _entered = self.0.enter();
        quinn::TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> std::time::Instant {
        quinn::TokioRuntime.now()
    }
}
