//! One way of one UDP flow: which datagrams wait on it, and until when.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dice::Site;
use crate::faults::Faults;
use crate::lane::Pass;

/// Datagrams that wait before more are dropped.
const DATAGRAMS_MAX: usize = 1_024;
/// Bytes that wait before more are dropped.
const BYTES_MAX: usize = 1 << 20;
/// How long one that is held back waits for the next one to pass.
const HOLD: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
struct Datagram {
    number: u64,
    bytes: Vec<u8>,
}

/// What is drawn for a datagram: all of it each time, from its number alone. What waits on the lane decides only
/// where there is no room for it, or none to hold another one back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Drawn {
    lost: bool,
    corrupted: bool,
    reordered: bool,
    duplicated: bool,
}

impl Drawn {
    fn of(number: u64, pass: &Pass<'_>) -> Self {
        let hits = |site, share| pass.dice.hits(site, number, 0, share);
        let Faults { loss, corrupt, reorder, duplicate, .. } = pass.faults;
        Self {
            lost: hits(Site::Loss, loss),
            corrupted: hits(Site::Corrupt, corrupt),
            reordered: hits(Site::Reorder, reorder),
            duplicated: hits(Site::Duplicate, duplicate),
        }
    }
}

/// One that waits for a later one to pass.
#[derive(Debug)]
struct Held {
    /// When it would have passed.
    due: Duration,
    datagram: Datagram,
}

impl Held {
    /// When it has waited long enough.
    fn until(&self) -> Duration {
        self.due.saturating_add(HOLD)
    }
}

/// The machine of one way of a flow: [`take`](Self::take) what comes, [`pop`](Self::pop) what is to be sent
/// now, [`keep_up`](Self::keep_up) whenever something may have changed. Nothing changes by itself before
/// [`next_wake`](Self::next_wake).
#[derive(Default, Debug)]
pub(crate) struct Datagrams {
    /// By the time they are due, and in the order they came.
    queue: BTreeMap<(Duration, u64), Datagram>,
    /// Held back until one that came after it has passed: one at a time.
    held: Option<Held>,
    waiting: usize,
    numbered: u64,
    placed: u64,
    era: u64,
}

impl Datagrams {
    /// Heeds changes of the route.
    pub(crate) fn keep_up(&mut self, now: Duration, pass: &mut Pass<'_>) {
        if self.era == pass.era {
            return;
        }
        self.era = pass.era;
        let waiting = std::mem::take(&mut self.queue);
        let held = self.held.take();
        self.waiting = 0;
        for datagram in waiting.into_values().chain(held.map(|held| held.datagram)) {
            if pass.silent {
                pass.counts.swallowed += datagram.bytes.len() as u64;
            } else {
                let due = due(now, &datagram, pass);
                self.place(due, datagram);
            }
        }
    }

    /// Takes a datagram.
    pub(crate) fn take(&mut self, now: Duration, bytes: &[u8], pass: &mut Pass<'_>) {
        self.keep_up(now, pass);
        let number = self.numbered;
        self.numbered += 1;
        pass.counts.pieces += 1;
        if pass.silent {
            pass.counts.swallowed += bytes.len() as u64;
            return;
        }
        let drawn = Drawn::of(number, pass);
        if drawn.lost {
            pass.counts.lost += 1;
            return;
        }
        if !self.has_room(1, bytes.len()) {
            pass.counts.overflowed += 1;
            return;
        }
        let holds = drawn.reordered && self.held.is_none();
        let twice = drawn.duplicated && self.has_room(2, 2 * bytes.len());
        let mut datagram = Datagram { number, bytes: bytes.to_vec() };
        if drawn.corrupted && !bytes.is_empty() {
            pass.dice.flip(number, &mut datagram.bytes);
            pass.counts.corrupted += 1;
        }
        let copy = twice.then(|| datagram.clone());
        let at = due(now, &datagram, pass);
        if holds {
            pass.counts.reordered += 1;
            self.waiting += datagram.bytes.len();
            self.held = Some(Held { due: at, datagram });
        } else {
            self.place(at, datagram);
        }
        if let Some(copy) = copy {
            pass.counts.duplicated += 1;
            let at = due(now, &copy, pass);
            self.place(at, copy);
        }
    }

    /// A datagram to be sent now.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<Vec<u8>> {
        let first = self.queue.first_key_value().map(|((due, _), _)| *due);
        // Also for whoever looks late, what became due first comes first.
        let alone =
            |held: &mut Held| held.until() <= now && first.is_none_or(|due| held.until() < due);
        let datagram = match self.held.take_if(alone) {
            Some(held) => held.datagram,
            None => {
                let first = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
                let ((due, place), datagram) = first.remove_entry();
                // The one that was held back comes right behind one that came after it, before all others;
                // and where that one was quicker, not before its own time.
                let passed = |held: &mut Held| datagram.number > held.datagram.number;
                if let Some(held) = self.held.take_if(passed) {
                    self.queue.insert((due.max(held.due), place), held.datagram);
                }
                datagram
            }
        };
        self.waiting -= datagram.bytes.len();
        Some(datagram.bytes)
    }

    /// When one becomes due; `None` if none waits. It may have passed already.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        let first = self.queue.first_key_value().map(|((due, _), _)| *due);
        let held = self.held.as_ref().map(Held::until);
        first.into_iter().chain(held).min()
    }

    fn has_room(&self, datagrams: usize, bytes: usize) -> bool {
        let waiting = self.queue.len() + usize::from(self.held.is_some());
        waiting + datagrams <= DATAGRAMS_MAX && self.waiting + bytes <= BYTES_MAX
    }

    fn place(&mut self, due: Duration, datagram: Datagram) {
        self.waiting += datagram.bytes.len();
        self.queue.insert((due, self.placed), datagram);
        self.placed += 1;
    }
}

fn due(now: Duration, datagram: &Datagram, pass: &mut Pass<'_>) -> Duration {
    let Faults { latency, jitter, bandwidth, .. } = pass.faults;
    let left = pass.line.leave(now, datagram.bytes.len(), bandwidth);
    let jitter = pass.dice.up_to(Site::Jitter, datagram.number, jitter);
    left.saturating_add(latency).saturating_add(jitter)
}

#[cfg(test)]
mod tests;
