//! How a coordinator leaves.

use std::time::Duration;

/// How a coordinator sends its workers away before it stops.
///
/// ```
/// use std::time::Duration;
/// use moorline_driver::Drain;
///
/// let quick = Drain::within(Duration::from_secs(30));
/// assert_eq!((quick.grace, quick.timeout), (Duration::ZERO, Duration::from_secs(30)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Drain {
    /// For so long nobody is sent away. Default 10 s.
    pub grace: Duration,
    /// Then everybody within this time, one after the other. Default 120 s.
    pub spread: Duration,
    /// It stops when nobody is connected any more, and at the latest after this time. Default 150 s.
    pub timeout: Duration,
    /// Takes no more of `spread` than as many workers need to register elsewhere: a few are gone at
    /// once. Default false.
    pub hurry: bool,
}

impl Drain {
    /// Nobody is sent away for `grace`, then everybody within `spread`; it stops at the latest after
    /// `timeout`, whoever is still there.
    #[must_use]
    pub const fn new(grace: Duration, spread: Duration, timeout: Duration) -> Self {
        Self { grace, spread, timeout, hurry: false }
    }

    /// For a process that was told to end: no grace, no more time than the fleet needs, and never more
    /// than `timeout`, of which the last fifth is left for those who are slow to go.
    ///
    /// ```
    /// use std::time::Duration;
    /// use moorline_driver::Drain;
    ///
    /// let drain = Drain::within(Duration::from_secs(30));
    /// assert_eq!(drain.spread, Duration::from_secs(24));
    /// assert!(drain.hurry);
    /// ```
    #[must_use]
    pub fn within(timeout: Duration) -> Self {
        Self { hurry: true, ..Self::new(Duration::ZERO, timeout - timeout / 5, timeout) }
    }
}

impl Default for Drain {
    fn default() -> Self {
        let (grace, spread) = (Duration::from_secs(10), Duration::from_secs(120));
        Self::new(grace, spread, Duration::from_secs(150))
    }
}
