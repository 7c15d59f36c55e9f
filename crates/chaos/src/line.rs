//! A line with a bandwidth: what goes over it goes one after the other.

use std::num::NonZeroU64;
use std::time::Duration;

/// One way between both ends, that all connections share.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Line {
    /// When all that was given to it has left.
    free: Duration,
}

impl Line {
    /// When `len` bytes that are given to it now have left.
    pub(crate) fn leave(
        &mut self,
        now: Duration,
        len: usize,
        bandwidth: Option<NonZeroU64>,
    ) -> Duration {
        let Some(bandwidth) = bandwidth else { return now };
        let nanos = (len as u128 * 1_000_000_000).div_ceil(u128::from(bandwidth.get()));
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free = self.free.max(now).saturating_add(takes);
        self.free
    }

    /// Nothing is on it any more.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use super::Line;

    #[test]
    fn bytes_leave_one_after_the_other_and_a_line_at_rest_saves_nothing_up() {
        let mut line = Line::default();
        let thousand = NonZeroU64::new(1_000);
        let at = Duration::from_millis;
        assert_eq!(line.leave(at(0), 500, thousand), at(500));
        assert_eq!(line.leave(at(0), 500, thousand), at(1_000));
        assert_eq!(line.leave(at(600), 100, thousand), at(1_100));
        assert_eq!(line.leave(at(5_000), 1_000, thousand), at(6_000));
        assert_eq!(line.leave(at(5_000), 1_000, None), at(5_000), "without a limit");
        line.clear();
        assert_eq!(line.leave(at(5_000), 1, thousand), at(5_001));
    }
}
