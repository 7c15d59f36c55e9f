//! The promises that every run is judged by.

use std::fmt;
use std::str::FromStr;

macro_rules! invariants {
    ($($name:ident $id:literal $class:ident $hostile:literal $meaning:literal;)*) => {
        /// A promise: what the machines must keep in every run, whatever goes wrong around them.
        ///
        /// `SAFE-n` holds after every step. `LIVE-n` holds once nothing goes wrong any more, within a
        /// bound that follows from the settings.
        ///
        /// ```
        /// use moorline_sim::{Class, Invariant};
        ///
        /// let invariant: Invariant = "SAFE-9".parse()?;
        /// assert_eq!(invariant, Invariant::NoFalseDeath);
        /// assert_eq!(invariant.to_string(), "SAFE-9");
        /// assert_eq!(invariant.class().exit_code(), 10);
        /// assert!(!invariant.holds_when_hostile());
        /// assert_eq!(Invariant::Silent.class(), Class::Liveness);
        /// # Ok::<(), moorline_sim::UnknownInvariant>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Invariant { $(#[doc = concat!($id, ": ", $meaning)] $name,)* }

        impl Invariant {
            /// Every one, in order.
            pub const ALL: [Self; 24] = [$(Self::$name),*];

            /// Its number, as in `SAFE-9`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }

            /// What it says, in one line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),* }
            }

            /// Whether it holds also where peers and disks break their own promises.
            #[must_use]
            pub const fn holds_when_hostile(self) -> bool {
                match self { $(Self::$name => $hostile),* }
            }

            /// What kind of failure it is if it is broken; see also [`Violation::class`](crate::Violation::class).
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class),* }
            }
        }
    };
}

invariants! {
    CompletedOnce "SAFE-1" Safety true "A completion is reported at most once for each task.";
    ResultsAreMade "SAFE-2" Safety true "A result was made by an execution of its task: nothing is invented or mixed up.";
    NothingLost "SAFE-3" Safety true "An accepted task is queued, leased, done or failed for good, always.";
    StartedOnce "SAFE-4" Safety false "One process starts one attempt at most once.";
    Fenced "SAFE-5" Safety false "Only the current attempt changes a task, but for one success; every other is answered.";
    OneSession "SAFE-6" Safety false "A worker has one live session, a session one connection; who may take over is settled.";
    NeverBack "SAFE-7" Safety false "Epochs, attempts and numbers never go back, also over restarts.";
    OnlyWhenReady "SAFE-8" Safety false "Nothing but Hello before registration; tasks only for who is active, stays and has a slot.";
    NoFalseDeath "SAFE-9" Safety false "Who is declared dead was silent for the promised time by the declarer's own clock.";
    BackoffKept "SAFE-10" Safety false "Delays lie between floor and cap, begin anew after a stable session only, one dial at a time.";
    Bounded "SAFE-11" Resource true "Queues, tables, buffers and timers stay within their bounds.";
    Decoded "SAFE-12" Safety true "Any bytes are decoded or refused, nothing panics, and what is decoded is what was encoded.";
    NoBusyLoop "SAFE-13" Resource false "No machine wants to be run in the past, or again and again at one instant.";
    OrderlyEnd "SAFE-14" Safety false "Nothing is sent after a close; a drain finishes or hands back all that it holds.";
    Pure "SAFE-15" Nondeterminism false "The same inputs give the same outputs, also of a copy.";
    FiguresAgree "SAFE-16" Safety false "What is counted and written down is what happened.";
    AllActive "LIVE-1" Liveness false "Every worker is active again.";
    AllEnd "LIVE-2" Liveness false "Every accepted task ends.";
    NoStrayLease "LIVE-3" Liveness false "No task stays leased to a process that does not know of it.";
    NoFlapping "LIVE-4" Liveness false "Who is registered again is not disconnected any more.";
    DeadReplaced "LIVE-5" Liveness false "What dead workers held is run by others.";
    Silent "LIVE-6" Liveness false "Where there is nothing to do, nothing but heartbeats travels.";
    NoBlocking "LIVE-7" Liveness false "What is stuck holds up nothing that another worker could do.";
    NoHerd "LIVE-8" Liveness false "Workers come back to a coordinator that was restarted in time, and not all at once.";
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Invariant {
    type Err = UnknownInvariant;

    fn from_str(text: &str) -> Result<Self, UnknownInvariant> {
        let is_it = |invariant: &Self| invariant.id().eq_ignore_ascii_case(text);
        let found = Self::ALL.into_iter().find(is_it);
        found.ok_or_else(|| UnknownInvariant { text: text.to_owned() })
    }
}

/// No promise has this number.
///
/// ```
/// use moorline_sim::Invariant;
///
/// let error = "SAFE-17".parse::<Invariant>().unwrap_err();
/// assert!(error.to_string().contains("SAFE-1 to SAFE-16"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownInvariant {
    text: String,
}

impl fmt::Display for UnknownInvariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no promise; there are SAFE-1 to SAFE-16 and LIVE-1 to LIVE-8", self.text)
    }
}

impl std::error::Error for UnknownInvariant {}

/// What kind of failure a broken promise is: a program ends with another code for each.
///
/// ```
/// use moorline_sim::Class;
///
/// let codes: Vec<u8> = Class::ALL.iter().map(|class| class.exit_code()).collect();
/// assert_eq!(codes, [10, 11, 12, 13, 14]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// Something happened that must never happen.
    Safety,
    /// Something did not happen in time.
    Liveness,
    /// The code panicked.
    Panic,
    /// Equal inputs gave different outputs.
    Nondeterminism,
    /// Something grew, or ran, without bound.
    Resource,
}

impl Class {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Safety, Self::Liveness, Self::Panic, Self::Nondeterminism, Self::Resource];

    /// The code a program ends with that has found such a failure.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Safety => 10,
            Self::Liveness => 11,
            Self::Panic => 12,
            Self::Nondeterminism => 13,
            Self::Resource => 14,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Invariant;

    #[test]
    fn numbers_are_dense_and_lead_back() {
        let ids: Vec<&str> = Invariant::ALL.iter().map(|invariant| invariant.id()).collect();
        let safe = (1..=16).map(|number| format!("SAFE-{number}"));
        let expected: Vec<String> = safe.chain((1..=8).map(|n| format!("LIVE-{n}"))).collect();
        assert_eq!(ids, expected);
        for invariant in Invariant::ALL {
            assert_eq!(invariant.id().parse(), Ok(invariant));
            assert_eq!(invariant.id().to_lowercase().parse(), Ok(invariant));
        }
        assert!("SAFE".parse::<Invariant>().is_err());
    }

    #[test]
    fn five_hold_where_others_are_hostile() {
        let hostile = Invariant::ALL.into_iter().filter(|invariant| invariant.holds_when_hostile());
        let ids: Vec<&str> = hostile.map(Invariant::id).collect();
        assert_eq!(ids, ["SAFE-1", "SAFE-2", "SAFE-3", "SAFE-11", "SAFE-12"]);
    }
}
