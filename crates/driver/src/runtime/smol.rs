//! The adapter to smol.

use futures::future::BoxFuture;
use moorline_link::Instant;
use moorline_store::WallTime;

use super::{Runtime, clock};

/// [`Runtime`] on smol: its global executor, whose threads start by themselves, and its timers. It works
/// wherever it is used from.
///
/// A panic in what it spawns ends nothing else.
///
/// ```
/// use moorline_driver::{Runtime, Smol};
///
/// let soon = Smol.now() + std::time::Duration::from_millis(1);
/// smol::block_on(Smol.sleep_until(soon));
/// assert!(Smol.now() >= soon);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Runtime for Smol {
    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall(&self) -> WallTime {
        clock::wall()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        Box::pin(clock::sleep_until(at, ::smol::Timer::after))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        ::smol::spawn(future).detach();
    }
}
