//! Which faults met which states of the protocol, and on which frames.

mod reach;

use moorline_link::{Presence, State};

use crate::FrameKind;
use crate::plan::{Families, Family};

/// The state in which something was met: of a worker's link, or of a worker as the coordinator sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Met {
    /// Of the worker's link.
    Link(State),
    /// The worker's presence at the coordinator.
    Presence(Presence),
}

impl Met {
    /// Every state, those of links first.
    pub const ALL: [Self; 14] = [
        Self::Link(State::Disconnected),
        Self::Link(State::Connecting),
        Self::Link(State::Registered),
        Self::Link(State::Active),
        Self::Link(State::Failed),
        Self::Link(State::Shutdown),
        Self::Presence(Presence::Expected),
        Self::Presence(Presence::Restoring),
        Self::Presence(Presence::Active),
        Self::Presence(Presence::Suspect),
        Self::Presence(Presence::Disconnected),
        Self::Presence(Presence::Lost),
        Self::Presence(Presence::Draining),
        Self::Presence(Presence::Departed),
    ];

    fn place(self) -> Option<usize> {
        Self::ALL.iter().position(|met| *met == self)
    }
}

/// How often each family of faults was there when a frame of each kind was written in each state: of the
/// worker's link, and of the worker as the coordinator sees it. A fault counts until a second
/// after its end.
///
/// ```
/// use moorline_sim::{Coverage, Plan, run_plan};
///
/// let mut all = Coverage::default();
/// for seed in 0..20 {
///     all.merge(&run_plan(Plan::new(seed)).expect("every promise is kept").coverage);
/// }
/// assert!(all.covered() > 100);
/// let (family, met, kind, times) = all.cells().next().expect("something was met");
/// assert_eq!(all.count(family, met, kind), times);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    /// Nothing until something was met.
    cells: Vec<u32>,
}

const KINDS: usize = FrameKind::ALL.len();
const ROW: usize = Met::ALL.len() * KINDS;
const CELLS: usize = Family::ALL.len() * ROW;

impl Coverage {
    fn place(family: Family, met: usize, kind: FrameKind) -> usize {
        (family as usize * Met::ALL.len() + met) * KINDS + kind as usize
    }

    pub(crate) fn add(&mut self, family: Family, met: Met, kind: FrameKind) {
        // A state that is added to the machines has to be added here.
        let Some(met) = met.place() else { return };
        if self.cells.is_empty() {
            self.cells.resize(CELLS, 0);
        }
        let cell = &mut self.cells[Self::place(family, met, kind)];
        *cell = cell.saturating_add(1);
    }

    /// Adds what another run has met, and says which families that were.
    pub fn merge(&mut self, other: &Self) -> Families {
        if self.cells.is_empty() && !other.cells.is_empty() {
            self.cells.resize(CELLS, 0);
        }
        let rows = self.cells.chunks_exact_mut(ROW).zip(other.cells.chunks_exact(ROW));
        let mut met = Families::NONE;
        for (family, (row, more)) in Family::ALL.iter().zip(rows) {
            // Every world is merged here: what most of them have is nothing.
            if more.iter().all(|more| *more == 0) {
                continue;
            }
            met = met.with(*family);
            for (cell, more) in row.iter_mut().zip(more) {
                *cell = cell.saturating_add(*more);
            }
        }
        met
    }

    /// How many frames were written while a fault of this family was there. Each is counted once for the
    /// state of the link and not again for how the coordinator saw the worker.
    #[must_use]
    pub fn frames(&self, family: Family) -> u64 {
        let places = Met::ALL.iter().enumerate().filter(|(_, met)| matches!(met, Met::Link(_)));
        let row = |(met, _)| {
            let from = (family as usize * Met::ALL.len() + met) * KINDS;
            self.cells.get(from..from + KINDS).unwrap_or_default()
        };
        places.flat_map(row).map(|times| u64::from(*times)).sum()
    }

    /// How often a frame of this kind was written in this state while a fault of this family was there.
    #[must_use]
    pub fn count(&self, family: Family, met: Met, kind: FrameKind) -> u32 {
        let place = met.place().map(|met| Self::place(family, met, kind));
        place.and_then(|place| self.cells.get(place)).copied().unwrap_or(0)
    }

    /// Every cell that is not empty.
    pub fn cells(&self) -> impl Iterator<Item = (Family, Met, FrameKind, u32)> {
        let places = Family::ALL.iter().flat_map(|family| {
            let of_state = move |met| FrameKind::ALL.iter().map(move |kind| (*family, met, *kind));
            Met::ALL.into_iter().flat_map(of_state)
        });
        let filled = places.zip(&self.cells).filter(|(_, times)| **times > 0);
        filled.map(|((family, met, kind), times)| (family, met, kind, *times))
    }

    /// How many cells there are that can be covered: those of every family, in which a frame
    /// [can be written](Met::can_meet).
    ///
    /// ```
    /// assert!(moorline_sim::Coverage::reachable() > 6_000);
    /// ```
    #[must_use]
    pub fn reachable() -> usize {
        let kinds = |met: Met| FrameKind::ALL.iter().filter(move |kind| met.can_meet(**kind));
        Family::ALL.len() * Met::ALL.into_iter().flat_map(kinds).count()
    }

    /// Cells that are not empty although no frame can be written there: then it can.
    pub fn surprises(&self) -> impl Iterator<Item = (Family, Met, FrameKind, u32)> {
        self.cells().filter(|(_, met, kind, _)| !met.can_meet(*kind))
    }

    /// How many cells are not empty.
    #[must_use]
    pub fn covered(&self) -> usize {
        self.cells.iter().filter(|times| **times > 0).count()
    }
}

#[cfg(test)]
mod tests {
    use moorline_link::{Presence, State};

    use super::{Coverage, Met};
    use crate::FrameKind;
    use crate::plan::Family;

    #[test]
    fn what_is_counted_is_found_under_its_own_place_only() {
        let mut one = Coverage::default();
        let met = Met::Link(State::Active);
        one.add(Family::C5, met, FrameKind::Result);
        one.add(Family::C5, met, FrameKind::Result);
        let mut other = Coverage::default();
        other.add(Family::O1, Met::Presence(Presence::Departed), FrameKind::GoAway);
        other.merge(&one);
        let cells: Vec<_> = other.cells().collect();
        let last = (Family::O1, Met::Presence(Presence::Departed), FrameKind::GoAway, 1);
        assert_eq!(cells, [(Family::C5, met, FrameKind::Result, 2), last]);
        assert_eq!((other.covered(), other.count(Family::C5, met, FrameKind::Result)), (2, 2));
        assert_eq!(other.count(Family::C4, met, FrameKind::Result), 0);
        let mut none = Coverage::default();
        none.merge(&other);
        assert_eq!(none, other);
    }
}
