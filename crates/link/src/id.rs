//! Who is who: identities and generations, all `Copy`.

/// Who a worker is: stable across restarts of its process.
///
/// It comes from the worker's data directory, or is derived from its name where it has none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WorkerId(pub u128);

/// Which process of a worker: a random number, compared only for equality.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Incarnation(pub u64);

/// Which life of a coordinator: allocated by its store, never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Epoch(pub u64);

/// One logical attachment of a worker, granted by the coordinator.
///
/// It survives connections, but not the epoch that granted it.
///
/// ```
/// use moorline_link::{Epoch, SessionId};
///
/// let first = SessionId { epoch: Epoch(1), n: 2 };
/// assert!(first < SessionId { n: 3, ..first }, "later sessions of an epoch are larger");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SessionId {
    /// The life of the coordinator that granted it.
    pub epoch: Epoch,
    /// Counts the sessions of that epoch; a later one has a larger number.
    pub n: u64,
}

/// One dial or one accept: a generation chosen by the driver, never an index, never reused.
///
/// An input that quotes a connection which is not current is stale and changes nothing (P11).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ConnId(pub u64);

/// The number of a message in its lane: dense, the first message of a session is 1.
///
/// As a watermark it means "everything up to and including"; zero is "nothing yet".
///
/// ```
/// use moorline_link::Seq;
///
/// assert_eq!(Seq::default().next(), Seq(1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// An interned name (a worker's name, a handler, a label): the embedder keeps the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sym(pub u32);

/// The embedder's own mark on a message it enqueued: opaque here, given back when the message is
/// transmitted and when it is released. Unique among the messages of one machine that are not
/// released.
///
/// ```
/// use moorline_link::{Lane, LinkInput, Tag};
///
/// let input = LinkInput::Enqueue { lane: Lane::C, tag: Tag(7), len: 120 };
/// # let _ = input;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tag(pub u64);
