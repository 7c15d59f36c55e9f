//! No runtime at all: plain threads.

use futures::executor::block_on;
use futures::future::BoxFuture;
use moorline_link::Instant;
use moorline_store::WallTime;

use super::{Runtime, clock};

/// [`Runtime`] for programs without an async runtime: what it spawns has an OS thread to itself, and one
/// thread more keeps the time for all.
///
/// A coordinator spawns a thread for each of its listeners, one for its loop, and one for each applicant
/// that an authenticator looks at (256 at a time); a worker's loop has one anyway. What the system gives no
/// thread for is dropped: a loop has stopped then, and an applicant is refused for now.
///
/// ```
/// use moorline_driver::{Runtime, Threads};
///
/// let soon = Threads.now() + std::time::Duration::from_millis(1);
/// futures::executor::block_on(Threads.sleep_until(soon));
/// assert!(Threads.now() >= soon);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

impl Runtime for Threads {
    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall(&self) -> WallTime {
        clock::wall()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        Box::pin(clock::sleep_until(at, async_io::Timer::after))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        // Nobody waits for it: its end is its own affair.
        if let Err(error) = std::thread::Builder::new().spawn(move || block_on(future)) {
            tracing::error!(event = "runtime.no_thread", "The system gives no thread: {error}");
        }
    }
}
