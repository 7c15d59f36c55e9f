//! The adapter to async-std.

use futures::future::BoxFuture;
use moorline_link::Instant;
use moorline_store::WallTime;

use super::{Runtime, clock};

/// [`Runtime`] on async-std, for programs that are built on it.
///
/// Async-std was discontinued by its authors in 2025, who point to smol (RUSTSEC-2025-0052): take
/// `Smol` for anything new.
///
/// ```
/// use moorline_driver::{AsyncStd, Runtime};
///
/// let soon = AsyncStd.now() + std::time::Duration::from_millis(1);
/// async_std::task::block_on(AsyncStd.sleep_until(soon));
/// assert!(AsyncStd.now() >= soon);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall(&self) -> WallTime {
        clock::wall()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        Box::pin(clock::sleep_until(at, ::async_std::task::sleep))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        // Dropping its handle leaves it running.
        drop(::async_std::task::spawn(future));
    }
}
