//! How a worker comes back, as a builder.

use std::time::Duration;

use moorline_link::{Backoff, First, Jitter};

use crate::{Code, Error};

/// How a worker comes back after it lost its coordinator.
///
/// Defaults: 1 s first, doubled each time, at most 60 s, full jitter, the first dial spread by the
/// coordinator's window, without limit.
///
/// ```
/// use std::time::Duration;
/// use moorline::{Jitter, Reconnect};
///
/// let forever = Reconnect::forever().initial(Duration::from_secs(1)).max(Duration::from_secs(60));
/// let ten_times = Reconnect::attempts(10).jitter(Jitter::Equal);
/// let never = Reconnect::off();
/// # let _ = (forever, ten_times, never);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[must_use]
pub struct Reconnect {
    pub(crate) auto: bool,
    pub(crate) attempts: u32,
    pub(crate) initial: Duration,
    pub(crate) max: Duration,
    pub(crate) multiplier: f64,
    pub(crate) jitter: Jitter,
    pub(crate) first: First,
    pub(crate) stable_after: Duration,
    pub(crate) give_up_after: Option<Duration>,
    pub(crate) max_first_window: Duration,
}

impl Reconnect {
    /// Comes back without limit. The default.
    ///
    /// ```
    /// use moorline::Reconnect;
    ///
    /// assert_eq!(Reconnect::forever(), Reconnect::default());
    /// ```
    pub const fn forever() -> Self {
        Self {
            auto: true,
            attempts: 0,
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            multiplier: 2.0,
            jitter: Jitter::FULL,
            first: First::Window,
            stable_after: Duration::from_secs(30),
            give_up_after: None,
            max_first_window: Duration::from_secs(600),
        }
    }

    /// Gives up after exactly so many dials since the start, or since the last connection that was
    /// stable (see [`stable_after`](Self::stable_after)); 0 is [`Reconnect::forever`] (P09).
    ///
    /// ```
    /// let ten_dials = moorline::Reconnect::attempts(10);
    /// # let _ = ten_dials;
    /// ```
    pub const fn attempts(attempts: u32) -> Self {
        Self { attempts, ..Self::forever() }
    }

    /// Never comes back: the first loss or failed dial ends the worker.
    ///
    /// ```
    /// let fail_at_once = moorline::Reconnect::off();
    /// # let _ = fail_at_once;
    /// ```
    pub const fn off() -> Self {
        Self { auto: false, ..Self::forever() }
    }

    /// The delay of the first retry before jitter: at least 1 ms. Default 1 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let patient = moorline::Reconnect::forever().initial(Duration::from_secs(5));
    /// # let _ = patient;
    /// ```
    pub const fn initial(self, initial: Duration) -> Self {
        Self { initial, ..self }
    }

    /// The longest delay: at least the initial one, at most 7 days. Default 60 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let eager = moorline::Reconnect::forever().max(Duration::from_secs(10));
    /// # let _ = eager;
    /// ```
    pub const fn max(self, max: Duration) -> Self {
        Self { max, ..self }
    }

    /// The growth of the delay from dial to dial: 1 to 1,000, kept in thousandths. Default 2.
    ///
    /// ```
    /// let slower_growth = moorline::Reconnect::forever().multiplier(1.5);
    /// # let _ = slower_growth;
    /// ```
    pub const fn multiplier(self, multiplier: f64) -> Self {
        Self { multiplier, ..self }
    }

    /// How delays are spread. Default full: uniform between 100 ms (or the initial delay, if that
    /// is shorter) and the delay.
    ///
    /// ```
    /// use moorline::{Jitter, Reconnect};
    ///
    /// let ten_percent = Reconnect::forever().jitter(Jitter::Proportional { ppm: 100_000 });
    /// # let _ = ten_percent;
    /// ```
    pub const fn jitter(self, jitter: Jitter) -> Self {
        Self { jitter, ..self }
    }

    /// What the first dial after a loss waits for. Default: the window the coordinator has set.
    ///
    /// ```
    /// use moorline::{First, Jitter, Reconnect};
    ///
    /// // Exactly 1, 2, 4, 8, ... 60 s.
    /// let exact = Reconnect::forever().jitter(Jitter::None).first(First::Backoff);
    /// # let _ = exact;
    /// ```
    pub const fn first(self, first: First) -> Self {
        Self { first, ..self }
    }

    /// The delays start anew, and dials are counted anew, after the link was active for this long, but
    /// never before a silent peer would have been noticed (P04). Default 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let strict = moorline::Reconnect::forever().stable_after(Duration::from_secs(120));
    /// # let _ = strict;
    /// ```
    pub const fn stable_after(self, stable_after: Duration) -> Self {
        Self { stable_after, ..self }
    }

    /// Gives up when an outage has lasted this long, with [`DeadlineExceeded`] as the reason; the
    /// clock goes on through connections that were not stable. Above 0. Default: without limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use moorline::Reconnect;
    ///
    /// let reconnect = Reconnect::forever().give_up_after(Duration::from_secs(3_600));
    /// # let _ = reconnect;
    /// ```
    ///
    /// [`DeadlineExceeded`]: moorline_link::Reason::DeadlineExceeded
    pub const fn give_up_after(self, limit: Duration) -> Self {
        Self { give_up_after: Some(limit), ..self }
    }

    /// A coordinator may have the first dial after a loss spread over at most this long
    /// ([`First::Window`]), so that a fleet does not come back all at once (P84). Zero leaves that to
    /// chance within a second. Default 10 min.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let urgent = moorline::Reconnect::forever().max_first_window(Duration::from_secs(30));
    /// # let _ = urgent;
    /// ```
    pub const fn max_first_window(self, window: Duration) -> Self {
        Self { max_first_window: window, ..self }
    }

    /// Whether it comes back at all.
    pub(crate) const fn auto(self, auto: bool) -> Self {
        Self { auto, ..self }
    }

    /// The limit of dials; 0 is none.
    pub(crate) const fn max_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// What the machine takes.
    pub(crate) fn parse(self) -> Result<moorline_link::Reconnect, Error> {
        let multiplier =
            thousandths(self.multiplier).ok_or_else(|| refused_multiplier(self.multiplier))?;
        if self.give_up_after == Some(Duration::ZERO) {
            return Err(Error::setting("give up after", "it must be above 0"));
        }
        // The standard floor gives way to a shorter delay; an explicit one is checked.
        let jitter = if self.jitter == Jitter::FULL {
            Jitter::Full { floor: Duration::from_millis(100).min(self.initial) }
        } else {
            self.jitter
        };
        let backoff = Backoff::new(self.initial, self.max, multiplier, jitter, self.first)
            .map_err(|error| Error::refused_setting(Code::from(&error), "reconnect", error))?;
        Ok(moorline_link::Reconnect::new(backoff)
            .auto(self.auto)
            .max_attempts(self.attempts)
            .stable_after(self.stable_after)
            .max_first_window(self.max_first_window)
            .give_up_after(self.give_up_after))
    }
}

impl Default for Reconnect {
    fn default() -> Self {
        Self::forever()
    }
}

fn refused_multiplier(factor: f64) -> Error {
    let problem = format!("the multiplier {factor} is not 1 to 1000");
    Error::refused_setting(Code::MULTIPLIER, "reconnect multiplier", problem)
}

/// A factor in thousandths, if it is one that delays may grow by.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn thousandths(factor: f64) -> Option<u32> {
    let scaled = (factor * 1_000.0).round();
    let (min, max) = Backoff::MULTIPLIER;
    (scaled >= f64::from(min) && scaled <= f64::from(max)).then_some(scaled as u32)
}

#[cfg(test)]
mod tests;
