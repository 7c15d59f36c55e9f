//! The little that has to be asked of an async runtime.

use futures::future::BoxFuture;
use moorline_link::Instant;
use moorline_store::WallTime;

#[cfg(feature = "async-std")]
mod async_std;
#[cfg(any(feature = "tokio", feature = "smol", feature = "async-std", feature = "threads"))]
mod clock;
#[cfg(feature = "smol")]
mod smol;
#[cfg(feature = "threads")]
mod threads;
#[cfg(feature = "tokio")]
mod tokio;

#[cfg(feature = "async-std")]
pub use self::async_std::AsyncStd;
#[cfg(feature = "smol")]
pub use self::smol::Smol;
#[cfg(feature = "threads")]
pub use self::threads::Threads;
#[cfg(feature = "tokio")]
pub use self::tokio::Tokio;

/// Clock, sleep, spawn: all that a runtime has to offer. Another runtime needs only this adapter.
///
/// The loops ask [`Runtime::now`] before they believe a timer, so a [`Runtime::sleep_until`] that
/// ends early or late costs a turn and nothing else.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A clock that never goes back, and counts the time the machine slept where the system can say
    /// it (P26, P27). Read once per turn of a loop.
    fn now(&self) -> Instant;

    /// The wall clock: stamped on stored rows, never used for liveness.
    fn wall(&self) -> WallTime;

    /// Ends when [`Runtime::now`] has reached `at`, or somewhat later.
    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()>;

    /// Runs a future to its end in the background.
    fn spawn(&self, future: BoxFuture<'static, ()>);
}
