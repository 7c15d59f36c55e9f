//! Parts that do not do what they should: a rule that nothing can break proves nothing.

use crate::Invariant;

/// A part of a world that is broken on purpose, in a way that no machine can make good. The machines
/// stay as they are: what they stand on lies to them, or does to others what a broken machine would.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sabotage {
    /// The store says that a task is durable, and has forgotten it after a crash.
    StoreForgets,
    /// The store applies every end twice.
    StoreRepeats,
    /// The store says that the id of every new task is taken.
    StoreConfuses,
    /// The store fails, which it is said never to do.
    StoreFails,
    /// The store does not write down when a task ends well.
    StoreConceals,
    /// A byte of every result changes on its way.
    ResultsChange,
    /// Results arrive as failures.
    OutcomesChange,
    /// A packet loses its last byte.
    PacketsShrink,
    /// The coordinator is told that every assignment that was accepted was refused.
    AcceptsLie,
    /// Workers are told that their results are stale when they were accepted.
    AnswersLie,
    /// Answers to heartbeats get lost, and nothing else.
    BeatsVanish,
    /// The coordinator believes that workers have one slot more than they have.
    SlotsDiffer,
    /// Workers run one attempt more at once than they should.
    SlotsGrow,
    /// A worker's driver starts every run twice.
    DriverRepeats,
    /// A worker's driver runs its machine by a clock that lags behind its timer.
    ClockLags,
    /// The coordinator's clock runs four times too fast.
    ClockRaces,
    /// The coordinator's clock runs four times too slowly.
    ClockCrawls,
    /// One worker never gets a connection any more, once everything has healed.
    NeverBack,
    /// One worker is sent to another connection when there is nothing to do.
    Restless,
    /// Dials are answered by an authority that has banned the worker.
    Banned,
}

impl Sabotage {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::StoreForgets,
        Self::StoreRepeats,
        Self::StoreConfuses,
        Self::StoreFails,
        Self::StoreConceals,
        Self::ResultsChange,
        Self::OutcomesChange,
        Self::PacketsShrink,
        Self::AcceptsLie,
        Self::AnswersLie,
        Self::BeatsVanish,
        Self::SlotsDiffer,
        Self::SlotsGrow,
        Self::DriverRepeats,
        Self::ClockLags,
        Self::ClockRaces,
        Self::ClockCrawls,
        Self::NeverBack,
        Self::Restless,
        Self::Banned,
    ];

    /// The promise that is broken by it.
    #[must_use]
    pub const fn breaks(self) -> Invariant {
        match self {
            Self::StoreForgets => Invariant::TaskLost,
            Self::StoreRepeats => Invariant::AppliedTwice,
            Self::StoreConfuses => Invariant::Client,
            Self::StoreFails => Invariant::Panic,
            Self::StoreConceals => Invariant::EventsDiffer,
            Self::OutcomesChange => Invariant::EndedWrongly,
            Self::ResultsChange => Invariant::ResultInvented,
            Self::PacketsShrink => Invariant::Wire,
            Self::AcceptsLie => Invariant::RanTwice,
            Self::AnswersLie => Invariant::AnsweredWrongly,
            Self::BeatsVanish => Invariant::NotCalm,
            Self::SlotsDiffer => Invariant::OutOfStep,
            Self::SlotsGrow => Invariant::TooManyAtOnce,
            Self::DriverRepeats => Invariant::StartedTwice,
            Self::ClockLags => Invariant::Spinning,
            Self::ClockRaces => Invariant::LostEarly,
            Self::ClockCrawls => Invariant::ShownWrongly,
            Self::NeverBack => Invariant::NotEnded,
            Self::Restless => Invariant::NotSilent,
            Self::Banned => Invariant::GaveUp,
        }
    }

    /// Whether it shows only in worlds without faults, or only in worlds with them.
    #[must_use]
    pub const fn needs_calm(self) -> Option<bool> {
        match self {
            Self::BeatsVanish => Some(true),
            Self::SlotsDiffer | Self::ClockCrawls | Self::NeverBack | Self::Restless => Some(false),
            Self::StoreForgets
            | Self::StoreRepeats
            | Self::StoreConfuses
            | Self::StoreFails
            | Self::StoreConceals
            | Self::ResultsChange
            | Self::OutcomesChange
            | Self::PacketsShrink
            | Self::AcceptsLie
            | Self::AnswersLie
            | Self::SlotsGrow
            | Self::DriverRepeats
            | Self::ClockLags
            | Self::ClockRaces
            | Self::Banned => None,
        }
    }
}
