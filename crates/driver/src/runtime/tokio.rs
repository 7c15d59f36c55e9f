//! The adapter to tokio.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use moorline_link::Instant;
use moorline_store::WallTime;

use super::Runtime;

/// Longest single sleep: tokio's timers stand still while the machine sleeps, this clock does not,
/// so a sleep is cut in slices after which the clock is asked again.
const SLICE: Duration = Duration::from_secs(1);

/// [`Runtime`] on tokio: has to be used inside of one, with its time driver enabled.
///
/// The clock is `CLOCK_BOOTTIME` on Linux, which counts suspended time, and the monotonic clock of
/// the standard library elsewhere.
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
        clock()
    }

    fn wall(&self) -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let left = at.since(clock());
                if left.is_zero() {
                    return;
                }
                ::tokio::time::sleep(left.min(SLICE)).await;
            }
        })
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        // Nobody waits for it: its end is its own affair.
        drop(::tokio::spawn(future));
    }
}

#[cfg(target_os = "linux")]
fn clock() -> Instant {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(not(target_os = "linux"))]
fn clock() -> Instant {
    use std::sync::OnceLock;

    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let since = START.get_or_init(std::time::Instant::now).elapsed();
    Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
