//! Deadlines: one array, indexed by what they are for.

use core::hash::{Hash, Hasher};
use core::time::Duration;

use crate::Instant;
use crate::canonical::View;

macro_rules! timers {
    ($($timer:ident $meaning:literal;)*) => {
        /// What a [`Link`](crate::Link) waits for. Of deadlines that are equal, the one declared
        /// first is served first.
        ///
        /// ```
        /// use moorline_link::Timer;
        ///
        /// // A link that has to end does so before it dials again.
        /// let place = |timer| Timer::ALL.iter().position(|it| *it == timer);
        /// assert!(place(Timer::Drain) < place(Timer::Retry));
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Timer { $(#[doc = $meaning] $timer,)* }

        impl Timer {
            /// Every timer, in the order in which ties are served.
            pub const ALL: &[Self] = &[$(Self::$timer),*];
        }
    };
}

timers! {
    Drain "A drain ends: what is not finished is handed back by a goodbye.";
    Goodbye "The goodbye could not be written in time.";
    GiveUp "The time allowed for reconnecting is over.";
    Probe "The probe after an own stall, or of a silent peer, must be answered.";
    Answer "The latest beat must be answered.";
    Silence "Something must have been heard (the hard timeout).";
    Suspicion "The peer is late for this path.";
    Connect "The dial must have opened.";
    Register "The registration must be answered.";
    Restore "The restore must have made progress.";
    Stable "The link has been active long enough for the backoff to be reset.";
    Wish "What was asked for too soon may be done.";
    Retry "The next dial.";
    Leases "The coordinator may have given away what the worker holds.";
    Beat "The next regular beat.";
    Extra "The next beat between two regular ones.";
}

impl Timer {
    /// Whether a stall of our own must not be held against the peer: then the deadline moves by
    /// as much as we were late, and it is not over before a probe is (P27, P28). What a caller or an
    /// operator was promised does not move, and neither does the next dial.
    #[must_use]
    pub(crate) const fn yields_to_stalls(self) -> bool {
        match self {
            Self::Drain
            | Self::Goodbye
            | Self::GiveUp
            | Self::Wish
            | Self::Retry
            | Self::Leases => false,
            Self::Probe
            | Self::Answer
            | Self::Silence
            | Self::Suspicion
            | Self::Connect
            | Self::Register
            | Self::Restore
            | Self::Stable
            | Self::Beat
            | Self::Extra => true,
        }
    }
}

/// The armed deadlines of a link. [`Instant::FAR`] means not armed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Timers {
    deadlines: [Instant; Timer::ALL.len()],
    /// The one with the earliest deadline; of equal ones the one declared first. Kept, because it is
    /// asked for several times with every input, and most inputs move none but later deadlines.
    first: Timer,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self { deadlines: [Instant::FAR; Timer::ALL.len()], first: Timer::ALL[0] }
    }

    pub(crate) fn arm(&mut self, timer: Timer, deadline: Instant) {
        let before = core::mem::replace(&mut self.deadlines[timer as usize], deadline);
        if timer == self.first {
            if deadline > before {
                self.first = self.search();
            }
        } else if (deadline, timer as usize) < (self.of(self.first), self.first as usize) {
            self.first = timer;
        }
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.arm(timer, Instant::FAR);
    }

    pub(crate) fn deadline(&self, timer: Timer) -> Option<Instant> {
        let deadline = self.of(timer);
        (deadline != Instant::FAR).then_some(deadline)
    }

    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.deadline(timer).is_some()
    }

    /// The earliest deadline; of equal ones the timer declared first.
    pub(crate) fn next(&self) -> Option<(Instant, Timer)> {
        self.deadline(self.first).map(|deadline| (deadline, self.first))
    }

    /// Every deadline by its distance; which is the first follows from them.
    pub(crate) fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        let Self { deadlines, first: _ } = self;
        for deadline in deadlines {
            (*deadline != Instant::FAR).then(|| view.at(*deadline)).hash(state);
        }
    }

    fn of(&self, timer: Timer) -> Instant {
        self.deadlines[timer as usize]
    }

    fn search(&self) -> Timer {
        let mut first = Timer::ALL[0];
        for timer in Timer::ALL {
            if self.of(*timer) < self.of(first) {
                first = *timer;
            }
        }
        first
    }

    /// Takes the earliest deadline that has come: it is disarmed before anyone acts on it.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let (deadline, timer) = self.next()?;
        (deadline <= now).then(|| {
            self.disarm(timer);
            (deadline, timer)
        })
    }

    /// Moves every deadline that judges the peer, none to before `earliest`: when exactly the stall
    /// began is not known, and what the peer said in time may still wait to be read.
    pub(crate) fn forgive(&mut self, late: Duration, earliest: Instant) {
        for timer in Timer::ALL {
            if timer.yields_to_stalls()
                && let Some(deadline) = self.deadline(*timer)
            {
                self.arm(*timer, (deadline + late).max(earliest));
            }
        }
    }
}

#[cfg(test)]
mod tests;
