//! What happened: always as one number, as records and in words when asked.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::decide::mix;
use crate::plan::Who;
use crate::report::{plain, seconds};

/// Of one line.
const WORDS_MAX: usize = 600;

macro_rules! what {
    ($($name:ident $meaning:literal;)*) => {
        /// What kind of thing happened.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum What { $(#[doc = $meaning] $name,)* }

        impl What {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

what! {
    Begins "A process begins; the value tells it from its earlier lives.";
    Gone "A process is gone.";
    Freezes "A process gets nothing for a while: the value, in nanoseconds.";
    Thaws "A process runs again; the value is how many events waited for it.";
    Wakes "The timer of a process fires.";
    Dials "A worker dials; the value is the number of the attempt.";
    DialFails "A dial fails; the value is the reason's place in the list of reasons.";
    Opens "A dial succeeds.";
    Accepts "The coordinator takes a connection.";
    Sends "A packet is written; the value is its length.";
    Says "A frame of a packet, in the record after it: the value is the frame's kind, and above 32 bits the attempt.";
    Gets "A packet arrives; the value is a number for its bytes.";
    Loses "A packet never arrives; the value is a number for its bytes.";
    Closes "A process closes its end of a connection; the value is the reason's place in the list of reasons.";
    Notices "A process is told that a connection ended; the value as for `Closes`.";
    Cut "A connection is dead from here on.";
    State "A worker's link has another state; the value is its place in the list of states.";
    Presence "The coordinator sees a worker otherwise; the value is the presence's place in the list of presences.";
    Event "A node says something else.";
    Starts "A handler starts; the value is the attempt.";
    Aborts "A handler is told to stop; the value is the attempt.";
    Ends "A handler ends; the value is the attempt.";
    Wants "The coordinator hands an operation to its store; the value is its number.";
    Durable "A commit is durable; the value is the number of its last operation.";
    Conflicts "The condition of an operation failed; the value is its number.";
    Asks "A client asks for something.";
    Answered "A client is answered.";
    Fault "A fault of the plan strikes; the value is its place in the plan.";
    Phase "The run enters another phase.";
    Violation "A promise is broken.";
}

impl What {
    /// It happens to this process, or is done by it.
    pub(crate) fn by(self, who: Who) -> Happened {
        Happened { what: self, node: Record::node_of(who), conn: 0, task: 0, value: 0 }
    }

    /// It happens to no process.
    pub(crate) const fn to_nobody(self) -> Happened {
        Happened { what: self, node: Record::NOBODY, conn: 0, task: 0, value: 0 }
    }
}

/// What is to be noted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happened {
    what: What,
    node: u16,
    conn: u32,
    task: u32,
    value: u64,
}

/// Numbers from 0 in the upper part of those that a field has.
fn numbered(index: usize) -> u32 {
    u32::try_from(index).map_or(u32::MAX, |index| index.saturating_add(1))
}

impl Happened {
    /// On this connection.
    pub(crate) fn on(self, conn: usize) -> Self {
        Self { conn: numbered(conn), ..self }
    }

    /// It is about this task.
    pub(crate) fn about(self, task: usize) -> Self {
        Self { task: numbered(task), ..self }
    }

    pub(crate) const fn value(self, value: u64) -> Self {
        Self { value, ..self }
    }

    /// One number for all of it.
    fn number(self) -> u64 {
        let place = u64::from(self.what as u8) << 48 | u64::from(self.node) << 32;
        mix(place | u64::from(self.conn)) ^ u64::from(self.task).rotate_left(40) ^ self.value
    }
}

/// One thing that happened, and what led to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Record {
    /// When, in nanoseconds.
    pub at: u64,
    /// What it is about; see [`What`].
    pub value: u64,
    /// The number of the record that led to it; 0 for none. Always before this one.
    pub cause: u32,
    /// Which connection, from 1; 0 for none.
    pub conn: u32,
    /// Which task, from 1; 0 for none.
    pub task: u32,
    /// Which process: 0 is the coordinator, 1 the worker `w0`; [`Record::NOBODY`] for none.
    pub node: u16,
    /// What happened.
    pub what: What,
}

const _: () = assert!(size_of::<Record>() == 32, "two records in a cache line");

impl Record {
    /// The node of what happens to no process.
    pub const NOBODY: u16 = u16::MAX;

    fn node_of(who: Who) -> u16 {
        match who {
            Who::Coordinator => 0,
            // A world that is recorded has fewer.
            Who::Worker(index) => u16::try_from(index + 1).unwrap_or(Self::NOBODY),
        }
    }

    /// Which process it happened to.
    #[must_use]
    pub fn who(&self) -> Option<Who> {
        match self.node {
            0 => Some(Who::Coordinator),
            Self::NOBODY => None,
            node => Some(Who::Worker(usize::from(node) - 1)),
        }
    }
}

/// What happened in a run, one record after the other, each with words for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    records: VecDeque<Record>,
    words: VecDeque<String>,
    /// So many were forgotten.
    forgotten: u32,
    /// So many are kept.
    keeps: usize,
}

impl Recording {
    /// Keeps the last so many.
    pub(crate) fn keeping(keeps: usize) -> Self {
        Self { records: VecDeque::new(), words: VecDeque::new(), forgotten: 0, keeps }
    }

    fn push(&mut self, record: Record, mut words: String) -> u32 {
        if words.len() > WORDS_MAX {
            let cut = (0..=WORDS_MAX).rev().find(|at| words.is_char_boundary(*at)).unwrap_or(0);
            words.truncate(cut);
            words.push_str(" ...");
        }
        if self.records.len() == self.keeps {
            self.records.pop_front();
            self.words.pop_front();
            self.forgotten += 1;
        }
        self.records.push_back(record);
        self.words.push_back(words);
        self.last()
    }

    /// The number of the last record; 0 if there is none.
    #[must_use]
    pub fn last(&self) -> u32 {
        self.forgotten + u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    fn place(&self, number: u32) -> Option<usize> {
        number.checked_sub(self.forgotten + 1).map(|place| place as usize)
    }

    /// A record by its number; `None` if it is forgotten, or not there yet.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Record> {
        self.records.get(self.place(number)?)
    }

    /// The words for a record.
    #[must_use]
    pub fn words(&self, number: u32) -> Option<&str> {
        self.words.get(self.place(number)?).map(String::as_str)
    }

    /// All records that are kept, with their numbers, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Record)> {
        (self.forgotten + 1..).zip(&self.records)
    }

    /// A record with what led to it, the latest first: a walk over causes.
    pub fn causes(&self, number: u32) -> impl Iterator<Item = (u32, &Record)> {
        let with_number = |number| self.get(number).map(|record| (number, record));
        std::iter::successors(with_number(number), move |(_, record)| with_number(record.cause))
    }

    /// The last so many as lines with their times.
    #[must_use]
    pub fn lines(&self, most: usize) -> Vec<String> {
        let from = self.records.len().saturating_sub(most);
        let both = self.records.iter().zip(&self.words).skip(from);
        both.map(|(record, words)| format!("{:>16}  {words}", seconds(record.at))).collect()
    }
}

/// A recording that can be read also when the run has panicked.
pub(crate) type Shared = Rc<RefCell<Recording>>;

/// The record of a run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    recording: Option<Shared>,
}

impl Trace {
    pub(crate) fn new(recording: Option<Shared>) -> Self {
        Self { hash: 0, recording }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Something happened because of `cause`. The number of its record, if there is one.
    pub(crate) fn note(
        &mut self,
        now: u64,
        cause: u32,
        happened: Happened,
        words: impl FnOnce() -> String,
    ) -> u32 {
        self.hash = mix(self.hash ^ now.rotate_left(32) ^ happened.number());
        self.detail(now, cause, happened, words)
    }

    /// The same for what follows from something else that is noted: it is in no hash.
    pub(crate) fn detail(
        &mut self,
        now: u64,
        cause: u32,
        happened: Happened,
        words: impl FnOnce() -> String,
    ) -> u32 {
        let Some(recording) = &self.recording else { return 0 };
        let words = || plain(words());
        let Happened { what, node, conn, task, value } = happened;
        let record = Record { at: now, value, cause, conn, task, node, what };
        recording.borrow_mut().push(record, words())
    }
}

/// A number for bytes.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let start = mix(bytes.len() as u64);
    let hash = chunks.iter().fold(start, |hash, chunk| {
        (hash ^ u64::from_le_bytes(*chunk)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    rest.iter().fold(hash, |hash, byte| mix(hash ^ u64::from(*byte)))
}

#[cfg(test)]
mod tests;
