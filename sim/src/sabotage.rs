//! Parts that do not do what they should: a rule that nothing can break proves nothing.

use crate::Rule;

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
    /// Workers say more than heartbeats when there is nothing to do.
    Restless,
    /// Dials are answered by an authority that has banned the worker.
    Banned,
    /// The store gives every life of the coordinator the number of the first.
    EpochRepeats,
    /// Handlers never end.
    RunsHang,
    /// Assignments are acknowledged and go nowhere, and whoever is asked for them says that it has them.
    AssignsVanish,
    /// A connection breaks after everybody was back.
    Breaks,
    /// Workers say something before their Hello.
    EarlyBeat,
    /// Workers say something after their goodbye.
    SpeaksOn,
    /// The coordinator says that every session goes on.
    WelcomesOn,
    /// The coordinator counts one slot more than it was told of.
    SlotsBelieved,
    /// Workers wait for three seconds before every dial, whatever their settings say.
    DialsLate,
    /// The coordinator keeps more tasks in memory than its settings say.
    WindowGrows,
    /// Workers that are told to drain are given no time for it.
    StopsAtOnce,
    /// Copies of machines are told something else.
    CopiesDiffer,
    /// Workers count anew from some moment on.
    FiguresReset,
    /// The coordinator believes that every worker is paused.
    AllPaused,
    /// Workers dial at once, whatever their settings say.
    DialsTogether,
    /// Workers give a coordinator up that has not answered one heartbeat, whatever their settings say.
    Impatient,
    /// Handlers never end, in processes that are gone and whose connections go on.
    Ghosts,
    /// The coordinator lets in whoever knocks, although it is to look at everybody.
    DoorOpen,
    /// The process behind one that had a journal is told that this is empty.
    JournalConcealed,
    /// A worker's driver forgets every result in the journal as soon as it is written.
    JournalForgets,
}

impl Sabotage {
    /// Every kind.
    pub const ALL: [Self; 40] = [
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
        Self::EpochRepeats,
        Self::RunsHang,
        Self::AssignsVanish,
        Self::Breaks,
        Self::EarlyBeat,
        Self::SpeaksOn,
        Self::WelcomesOn,
        Self::SlotsBelieved,
        Self::DialsLate,
        Self::WindowGrows,
        Self::StopsAtOnce,
        Self::CopiesDiffer,
        Self::FiguresReset,
        Self::AllPaused,
        Self::DialsTogether,
        Self::Impatient,
        Self::Ghosts,
        Self::DoorOpen,
        Self::JournalConcealed,
        Self::JournalForgets,
    ];

    /// The rule that is broken by it.
    #[must_use]
    pub const fn breaks(self) -> Rule {
        match self {
            Self::StoreForgets => Rule::TaskLost,
            Self::StoreRepeats => Rule::AppliedTwice,
            Self::StoreConfuses => Rule::Client,
            Self::StoreFails => Rule::Panic,
            Self::StoreConceals => Rule::EventsDiffer,
            Self::OutcomesChange => Rule::EndedWrongly,
            Self::ResultsChange => Rule::ResultInvented,
            Self::PacketsShrink => Rule::Wire,
            Self::AcceptsLie => Rule::RanTwice,
            Self::AnswersLie => Rule::AnsweredWrongly,
            Self::BeatsVanish => Rule::NotCalm,
            Self::SlotsDiffer => Rule::OutOfStep,
            Self::SlotsGrow => Rule::TooManyAtOnce,
            Self::DriverRepeats => Rule::StartedTwice,
            Self::ClockLags => Rule::Spinning,
            Self::ClockRaces => Rule::LostEarly,
            Self::ClockCrawls => Rule::ShownWrongly,
            Self::NeverBack => Rule::NotBack,
            Self::Restless => Rule::NotSilent,
            Self::Banned => Rule::GaveUp,
            Self::EpochRepeats => Rule::WentBack,
            Self::RunsHang => Rule::NotEnded,
            Self::AssignsVanish => Rule::Strayed,
            Self::Breaks => Rule::Flaps,
            Self::EarlyBeat => Rule::SaidTooEarly,
            Self::SpeaksOn => Rule::SaidAfterEnd,
            Self::WelcomesOn => Rule::TwoSessions,
            Self::SlotsBelieved => Rule::GivenWrongly,
            Self::DialsLate => Rule::DialledWrongly,
            Self::WindowGrows => Rule::Grown,
            Self::StopsAtOnce => Rule::LeftBehind,
            Self::CopiesDiffer => Rule::Impure,
            Self::FiguresReset => Rule::FiguresDiffer,
            Self::AllPaused => Rule::Blocked,
            Self::DialsTogether => Rule::Herd,
            Self::Impatient => Rule::GivenUpEarly,
            Self::Ghosts => Rule::NotRerun,
            Self::DoorOpen => Rule::Unproven,
            Self::JournalConcealed | Self::JournalForgets => Rule::KeptLost,
        }
    }

    /// Whether it shows only in worlds without faults, or only in worlds with them.
    #[must_use]
    pub const fn needs_calm(self) -> Option<bool> {
        match self {
            Self::BeatsVanish => Some(true),
            Self::SlotsDiffer
            | Self::ClockCrawls
            | Self::NeverBack
            | Self::Restless
            | Self::Breaks
            | Self::SpeaksOn
            | Self::StopsAtOnce
            | Self::FiguresReset
            | Self::Impatient => Some(false),
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
            | Self::Banned
            | Self::EpochRepeats
            | Self::RunsHang
            | Self::AssignsVanish
            | Self::EarlyBeat
            | Self::WelcomesOn
            | Self::SlotsBelieved
            | Self::DialsLate
            | Self::WindowGrows
            | Self::CopiesDiffer
            | Self::AllPaused
            | Self::DialsTogether
            | Self::Ghosts
            | Self::DoorOpen
            | Self::JournalConcealed
            | Self::JournalForgets => None,
        }
    }

    /// Whether it shows only where there are many workers.
    #[must_use]
    pub const fn needs_many(self) -> bool {
        matches!(self, Self::DialsTogether)
    }
}
