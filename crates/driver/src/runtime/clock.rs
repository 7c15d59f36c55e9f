//! The clocks of this machine, the same under every runtime.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moorline_link::Instant;
use moorline_store::WallTime;

/// Longest single sleep: timers of runtimes stand still while the machine sleeps, [`now`] does not, so a
/// sleep is cut in slices after which the clock is asked again.
const SLICE: Duration = Duration::from_secs(1);

pub(super) fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Sleeps until `at` by the timer of a runtime.
pub(super) async fn sleep_until<S: Future>(at: Instant, sleep: impl Fn(Duration) -> S) {
    loop {
        let left = at.since(now());
        if left.is_zero() {
            return;
        }
        sleep(left.min(SLICE)).await;
    }
}

/// `CLOCK_BOOTTIME`, which counts suspended time.
#[cfg(target_os = "linux")]
pub(super) fn now() -> Instant {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The monotonic clock of the standard library.
#[cfg(not(target_os = "linux"))]
pub(super) fn now() -> Instant {
    use std::sync::OnceLock;

    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let since = START.get_or_init(std::time::Instant::now).elapsed();
    Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
