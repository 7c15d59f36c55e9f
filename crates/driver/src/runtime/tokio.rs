//! The adapter to tokio.

use futures::future::BoxFuture;
use moorline_link::Instant;
use moorline_store::WallTime;

use super::{Runtime, clock};

/// [`Runtime`] on tokio: has to be used inside of one, with its time driver enabled.
///
/// The clock is `CLOCK_BOOTTIME` on Linux, which counts suspended time, and the monotonic clock of
/// the standard library elsewhere; so it is under every runtime.
///
/// ```
/// use moorline_driver::{Runtime, Tokio};
///
/// let earlier = Tokio.now();
/// assert!(Tokio.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Runtime for Tokio {
    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall(&self) -> WallTime {
        clock::wall()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        Box::pin(clock::sleep_until(at, ::tokio::time::sleep))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        // Nobody waits for it: its end is its own affair.
        drop(::tokio::spawn(future));
    }
}
