//! Which fingerprints were seen: open addressing in one flat table, 20 to 40 bytes a state.

/// Fingerprints by the number of their state.
#[derive(Debug)]
pub(super) struct Table {
    prints: Vec<u128>,
    /// One more than the number of a state; 0 is free.
    slots: Vec<u32>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { prints: Vec::new(), slots: vec![0; 1 << 10] }
    }

    pub(super) fn len(&self) -> usize {
        self.prints.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.prints.capacity() * size_of::<u128>() + self.slots.capacity() * size_of::<u32>()
    }

    /// The number of the state with this fingerprint, and whether it is new.
    pub(super) fn number(&mut self, print: u128) -> (u32, bool) {
        if (self.prints.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let slot = self.find(print);
        if let Some(known) = self.slots[slot].checked_sub(1) {
            return (known, false);
        }
        // A search is bounded far below what a number of 32 bits counts.
        let number = u32::try_from(self.prints.len()).unwrap_or(u32::MAX - 1);
        self.prints.push(print);
        self.slots[slot] = number + 1;
        (number, true)
    }

    /// The slot where it is, or would be.
    fn find(&self, print: u128) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = print as usize & mask;
        loop {
            match self.slots[slot].checked_sub(1) {
                Some(number) if self.prints[number as usize] != print => slot = (slot + 1) & mask,
                Some(_) | None => return slot,
            }
        }
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for (number, print) in (1..).zip(&self.prints) {
            let slot = self.find(*print);
            self.slots[slot] = number;
        }
    }
}
