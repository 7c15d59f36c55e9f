//! What happened: always as one number, in words when asked.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::draw::mix;
use crate::report::seconds;

/// Lines that are kept.
const LINES: usize = 400;

/// The lines of a run, readable also after it has panicked.
pub(crate) type Lines = Rc<RefCell<VecDeque<String>>>;

/// The record of a run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Lines>,
}

impl Trace {
    pub(crate) fn new(lines: Option<Lines>) -> Self {
        Self { hash: 0, lines }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Something happened; `number` tells it from other things that might have.
    pub(crate) fn note(&mut self, now: u64, number: u64, words: impl FnOnce() -> String) {
        self.hash = mix(self.hash ^ now.rotate_left(32) ^ number);
        if let Some(lines) = &self.lines {
            let mut lines = lines.borrow_mut();
            if lines.len() == LINES {
                lines.pop_front();
            }
            let mut line = words();
            if line.len() > 600 {
                let cut = (0..=600).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
                line.truncate(cut);
                line.push_str(" ...");
            }
            lines.push_back(format!("{:>16}  {line}", seconds(now)));
        }
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
