//! Steps of the protocol that faults can wait for.

/// A step of the protocol during which a fault is worth most: few faults that strike at random times
/// hit one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Moment {
    /// A worker says Hello.
    Hello,
    /// A worker is welcomed.
    Welcome,
    /// A worker names what it holds.
    Item,
    /// That is answered.
    Answer,
    /// One side says that it is active.
    Active,
    /// A task is assigned.
    Assign,
    /// A worker accepts.
    Accept,
    /// The coordinator asks whether an assignment is held, or wants a run to stop.
    Recall,
    /// A result is sent.
    Result,
    /// A piece of a large body is sent, either way.
    Part,
    /// A result is answered.
    Settled,
    /// A worker leaves.
    Goodbye,
    /// The store is asked for a lease, or to take one back.
    Lease,
    /// The store is asked for the end of a task.
    End,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Self; 14] = [
        Self::Hello,
        Self::Welcome,
        Self::Item,
        Self::Answer,
        Self::Active,
        Self::Assign,
        Self::Accept,
        Self::Recall,
        Self::Result,
        Self::Part,
        Self::Settled,
        Self::Goodbye,
        Self::Lease,
        Self::End,
    ];

    /// What it is called on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Welcome => "welcome",
            Self::Item => "item",
            Self::Answer => "answer",
            Self::Active => "active",
            Self::Assign => "assign",
            Self::Accept => "accept",
            Self::Recall => "recall",
            Self::Result => "result",
            Self::Part => "part",
            Self::Settled => "settled",
            Self::Goodbye => "goodbye",
            Self::Lease => "lease",
            Self::End => "end",
        }
    }
}
