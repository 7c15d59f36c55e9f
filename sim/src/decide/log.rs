//! Which decisions of a run were not benign.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Decide, Site};

/// A decision that was taken, or is to be taken so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Decision {
    /// Where.
    pub site: Site,
    /// About whom.
    pub entity: u64,
    /// How often it was taken before.
    pub k: u64,
    /// What comes of it; 0 is benign.
    pub value: u64,
}

/// Decisions as they are taken by another, which writes down those that are not benign.
///
/// ```
/// use moorline_sim::{Decide, Draws, Log, Site};
///
/// let log = Log::new(Draws::new(7));
/// let value = log.draw(Site::Latency, 3, 1, 1_000);
/// assert_eq!(log.taken().borrow().first().map(|decision| decision.value), Some(value));
/// ```
#[derive(Debug)]
pub struct Log<D> {
    decisions: D,
    taken: Rc<RefCell<Vec<Decision>>>,
}

impl<D: Decide> Log<D> {
    /// The decisions of this one, written down.
    pub fn new(decisions: D) -> Self {
        Self { decisions, taken: Rc::default() }
    }

    /// What was written down so far: also to be read when the run has panicked.
    #[must_use]
    pub fn taken(&self) -> Rc<RefCell<Vec<Decision>>> {
        Rc::clone(&self.taken)
    }
}

impl<D: Decide> Decide for Log<D> {
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        let value = self.decisions.draw(site, entity, k, bound);
        if value > 0 {
            self.taken.borrow_mut().push(Decision { site, entity, k, value });
        }
        value
    }
}
