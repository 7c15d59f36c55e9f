//! What will happen, in order: by time, ties by the order in which it was planned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events in the order of their times.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<(u64, u64, Slot)>>,
    events: Vec<Option<E>>,
    free: Vec<Slot>,
    order: u64,
}

/// The place of an event in the slab, so that the heap moves small things.
type Slot = usize;

impl<E> Queue<E> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), order: 0 }
    }

    pub(crate) fn push(&mut self, at: u64, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.events.push(None);
                self.events.len() - 1
            }
        };
        self.events[slot] = Some(event);
        self.heap.push(Reverse((at, self.order, slot)));
        self.order += 1;
    }

    /// When the next one happens.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, E)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        self.events[slot].take().map(|event| (at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn events_come_by_time_and_ties_in_the_order_they_were_planned() {
        let mut queue = Queue::new();
        for (at, event) in [(5, 'a'), (3, 'b'), (5, 'c'), (3, 'd'), (9, 'e')] {
            queue.push(at, event);
        }
        assert_eq!(queue.next_at(), Some(3));
        assert_eq!(queue.pop(), Some((3, 'b')));
        queue.push(5, 'f');
        let rest: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(rest, "dacfe");
    }
}
