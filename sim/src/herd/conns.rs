//! The connections of a fleet: those that there are, and nothing of those that are over.

use moorline_link::ConnId;

use crate::network::End;
use crate::plan::Side;

/// Connections by number. A number is never used again.
#[derive(Debug, Default)]
pub(super) struct Conns {
    slots: Vec<Option<Conn>>,
    free: Vec<u64>,
    made: u64,
}

/// Bits of a number that say where it is.
const PLACE: u32 = 24;

/// A dial, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conn {
    /// What the coordinator calls it.
    pub(super) number: u64,
    /// Whose.
    pub(super) worker: usize,
    /// What the worker calls it.
    pub(super) name: ConnId,
    ends: [End; 2],
    /// When the last thing that either side sent arrives.
    last: [u64; 2],
    /// What has travelled.
    sent: u64,
}

impl Conns {
    pub(super) fn dial(&mut self, worker: usize, name: ConnId) -> u64 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u64 - 1
        });
        self.made += 1;
        let number = self.made << PLACE | place;
        let ends = [End::Waiting; 2];
        self.slots[index(number)] =
            Some(Conn { number, worker, name, ends, last: [0; 2], sent: 0 });
        number
    }

    pub(super) fn get(&self, number: u64) -> Option<&Conn> {
        self.slots.get(index(number))?.as_ref().filter(|conn| conn.number == number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Conn> {
        self.slots.get_mut(index(number))?.as_mut().filter(|conn| conn.number == number)
    }

    pub(super) fn all(&self) -> Vec<u64> {
        self.slots.iter().flatten().map(|conn| conn.number).collect()
    }

    /// Closes an end, and forgets the connection when both are. Returns what that end was.
    pub(super) fn close(&mut self, number: u64, side: Side) -> End {
        let Some(conn) = self.get_mut(number) else { return End::Closed };
        let was = std::mem::replace(&mut conn.ends[side.index()], End::Closed);
        if conn.ends == [End::Closed; 2] {
            self.slots[index(number)] = None;
            self.free.push(number & ((1 << PLACE) - 1));
        }
        was
    }
}

impl Conn {
    pub(super) fn end(&self, side: Side) -> End {
        self.ends[side.index()]
    }

    pub(super) fn open(&mut self, side: Side) {
        self.ends[side.index()] = End::Open;
    }

    /// Counts what travels, for the decision of how long it takes.
    pub(super) fn next(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// What this side sends arrives then, or when what it sent before does.
    pub(super) fn arrives(&mut self, from: Side, at: u64) -> u64 {
        let last = &mut self.last[from.index()];
        *last = at.max(*last);
        *last
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number & ((1 << PLACE) - 1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{ConnId, Conns, End, Side};

    #[test]
    fn a_place_is_used_again_and_a_number_is_not() {
        let mut conns = Conns::default();
        let first = conns.dial(1, ConnId(1));
        assert_eq!(conns.close(first, Side::Worker), End::Waiting);
        assert!(conns.get(first).is_some(), "the other end is not closed");
        conns.close(first, Side::Coordinator);
        let second = conns.dial(2, ConnId(1));
        assert_eq!((conns.get(first).is_some(), conns.slots.len()), (false, 1));
        assert_eq!(conns.get(second).map(|conn| conn.worker), Some(2));
        assert_eq!(conns.close(first, Side::Worker), End::Closed);
        assert_eq!(conns.all(), [second]);
    }
}
