//! Decisions out of bytes, as fuzzers make them.

use std::cell::Cell;

use super::{Decide, Site};

/// Takes each decision from the next bytes, in the order in which they are asked for; benign ones when
/// there are no more. So a fuzzer's input is a world, and every prefix of it is one.
///
/// ```
/// use moorline_sim::{Decide, FromBytes, Site};
///
/// let decisions = FromBytes::new(&[7, 200]);
/// assert_eq!(decisions.draw(Site::Dial, 0, 0, 10), 7);
/// assert_eq!(decisions.draw(Site::Dial, 0, 1, 10), 0, "200 modulo 10");
/// assert_eq!(decisions.draw(Site::Dial, 0, 2, 10), 0, "there are no more");
/// ```
#[derive(Debug)]
pub struct FromBytes<'a> {
    left: Cell<&'a [u8]>,
}

impl<'a> FromBytes<'a> {
    /// These bytes, from the first.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { left: Cell::new(bytes) }
    }
}

impl Decide for FromBytes<'_> {
    fn draw(&self, _site: Site, _entity: u64, _k: u64, bound: u64) -> u64 {
        if bound < 2 {
            return 0;
        }
        // As many bytes as the largest value has.
        let wanted = (u64::BITS - (bound - 1).leading_zeros()).div_ceil(8) as usize;
        let left = self.left.get();
        let (taken, left) = left.split_at(wanted.min(left.len()));
        self.left.set(left);
        taken.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)) % bound
    }
}
