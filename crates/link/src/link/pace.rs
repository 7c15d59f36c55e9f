//! How often it beats: as assigned, and faster for a while after something was missed.

use core::time::Duration;

use super::Link;
use crate::{Instant, Timer};

/// Answers in a row after which the path is trusted again.
const CONFIRMED: u8 = 3;

/// The pace of one connection's beats. The regular ones come at the assigned interval whatever
/// happens, and they alone are counted when they are missed. Extra ones come between them while the
/// path is in doubt, each after the answer to the one before: a peer that does not answer is never
/// asked more often, so a coordinator that is overloaded is not loaded further (P32).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Pace {
    /// The assigned interval.
    pub(super) assigned: Duration,
    /// The interval in doubt: a quarter of it, not below the local minimum.
    short: Duration,
    /// In doubt; so many answers came in a row.
    doubt: Option<u8>,
}

impl Pace {
    pub(super) fn new(assigned: Duration, min: Duration) -> Self {
        Self { assigned, short: (assigned / 4).max(min).min(assigned), doubt: None }
    }

    /// Another interval was assigned.
    pub(super) fn assign(&mut self, assigned: Duration, min: Duration) {
        *self = Self { doubt: self.doubt, ..Self::new(assigned, min) };
    }

    /// The interval that is kept now.
    pub(super) fn interval(&self) -> Duration {
        if self.doubt.is_some() { self.short } else { self.assigned }
    }
}

impl Link {
    /// Something was missed: beat faster, from the next answer on.
    pub(super) fn hurry(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let pace = &mut connection.beats.pace;
        if pace.short < pace.assigned && pace.doubt.replace(0).is_none() {
            self.notices.interval(pace.short);
        }
    }

    /// A beat was answered.
    pub(super) fn keep_pace(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        let pace = &mut connection.beats.pace;
        let Some(answers) = &mut pace.doubt else { return };
        *answers += 1;
        if *answers < CONFIRMED {
            self.timers.arm(Timer::Extra, now + pace.short);
        } else {
            pace.doubt = None;
            self.timers.disarm(Timer::Extra);
            self.notices.interval(pace.assigned);
        }
    }

    /// An extra beat is due. It is not counted if it is missed.
    pub(super) fn extra_is_due(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.beats.ask();
        }
    }
}
