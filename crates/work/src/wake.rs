//! When a machine wants to be run next.

use crate::Instant;

/// When a machine wants to be run next, and for which of its timers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wake<T> {
    /// It has actions to poll.
    Now,
    /// At this time, with a timeout.
    At {
        /// The time.
        deadline: Instant,
        /// What is due then.
        timer: T,
    },
    /// Only when something happens.
    OnInput,
}

impl<T> Wake<T> {
    /// The time of the timeout, if one is armed.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::At { deadline, .. } => Some(*deadline),
            Self::Now | Self::OnInput => None,
        }
    }
}
