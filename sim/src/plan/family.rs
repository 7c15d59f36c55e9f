//! Families of faults: what a swarm switches on and off, and what coverage counts.

macro_rules! families {
    ($($id:ident $title:literal $meaning:literal;)*) => {
        /// A family of faults, by its id in the fault model; see the table in docs/simulation.md.
        ///
        /// ```
        /// use moorline_sim::{Family, Fault, Told};
        ///
        /// let cut = Fault::Cut { worker: 0, told: Told::Both };
        /// assert_eq!(cut.family(), Family::C2);
        /// assert_eq!((Family::C2.name(), Family::C2.title()), ("C2", "close"));
        /// assert_eq!(Family::named("C2"), Some(Family::C2));
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Family { $(#[doc = $meaning] $id,)* }

        impl Family {
            /// Every family.
            pub const ALL: &[Self] = &[$(Self::$id),*];

            /// Its id.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => stringify!($id)),* }
            }

            /// What it is, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$id => $meaning),* }
            }

            /// One or two words for it.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$id => $title),* }
            }
        }
    };
}

families! {
    N1 "latency" "The law of a link's latency, each way by itself.";
    N2 "distance" "What a link adds to every packet.";
    N3 "spikes" "Some packets take much longer.";
    N4 "retransmits" "Some packets wait for one or more retransmits, with what is behind them.";
    N5 "replay" "Packets arrive again (hostile).";
    N7 "corruption" "Packets change on their way.";
    N8 "partition" "Nothing travels between some workers and the coordinator.";
    N9 "flap" "The same, again and again.";
    N10 "swizzle" "Workers lose their links one by one and get them back in another order.";
    N11 "bandwidth" "Bytes leave one after the other, and a queue is full.";
    N12 "segments" "Packets arrive in pieces.";
    C1 "dials" "A dial is refused, hangs, is taken and closed, or is taken late.";
    C2 "close" "A connection is reset or ends, at some byte.";
    C3 "half-open" "A connection is dead, and an end is not told.";
    C4 "rebind" "The way to a worker changes: its connection is dead and nobody is told.";
    C5 "late bytes" "What was said on a connection arrives after another one took its place.";
    H1 "crash" "A process ends and comes back.";
    H2 "crash loop" "The same, again and again.";
    H3 "pause" "A process stands still, with its clock or without.";
    H4 "slow cpu" "A process takes its time for every event.";
    H5 "twin" "Two processes are the same worker.";
    H6 "handlers" "Handlers hang, panic, say twice that they ended, are slow to stop; a worker keeps answers to itself.";
    H7 "overload" "The coordinator takes few registrations a second.";
    T1 "wall clock" "The wall clock is wrong, drifts, or is set.";
    T2 "clock rate" "Clocks run at different rates.";
    T3 "late timers" "Timers fire late, many at once.";
    D1 "disk" "Commits are slow or fail.";
    K1 "settings" "The library is set otherwise.";
    O1 "operators" "What operators do: reconnect, migrate, disconnect, stop, withdraw credentials.";
}

impl Family {
    /// The family of this id.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|family| family.name() == name)
    }
}

/// Some families.
///
/// ```
/// use moorline_sim::{Families, Family};
///
/// let some = Families::NONE.with(Family::N8).with(Family::H1);
/// assert!(some.contains(Family::H1) && !some.contains(Family::H2));
/// assert_eq!(some.iter().count(), 2);
/// assert!(Families::all().contains(Family::K1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Families(u32);

impl Families {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Every one.
    #[must_use]
    pub fn all() -> Self {
        Family::ALL.iter().fold(Self::NONE, |all, family| all.with(*family))
    }

    /// These and that one.
    #[must_use]
    pub const fn with(self, family: Family) -> Self {
        Self(self.0 | 1 << family as u32)
    }

    /// These but that one.
    #[must_use]
    pub const fn without(self, family: Family) -> Self {
        Self(self.0 & !(1 << family as u32))
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & (1 << family as u32) != 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`Family::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.iter().copied().filter(move |family| self.contains(*family))
    }
}
