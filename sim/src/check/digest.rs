//! Fingerprints of 128 bits: two states of a search are taken for one if these are equal. Among ten
//! million states the chance that any two are mistaken for each other is below 10^-24.

use std::hash::{Hash, Hasher};

/// Takes in words and mixes each into two halves that know nothing of each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest {
    low: u64,
    high: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { low: 0x2436_6a96_3a3f_4a5d, high: 0x9216_d5d9_8979_fb1b }
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Digest {
    /// The fingerprint of one value.
    pub(crate) fn of(value: &impl Hash) -> u128 {
        let mut digest = Self::default();
        value.hash(&mut digest);
        digest.value()
    }

    pub(crate) fn value(&self) -> u128 {
        let low = fold(self.low ^ 0xa076_1d64_78bd_642f, self.high | 1);
        let high = fold(self.high ^ 0xe703_7ed1_a0b4_28db, self.low | 1);
        u128::from(high) << 64 | u128::from(low)
    }

    fn take(&mut self, word: u64) {
        self.low = fold(self.low ^ word, 0x9e37_79b9_7f4a_7c15).wrapping_add(word);
        self.high =
            fold(self.high.rotate_left(23) ^ word, 0xd6e8_feb8_6659_fd93) ^ word.rotate_left(41);
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.take(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // Its length goes with it: what is shorter is not the same with zeros behind.
        self.take(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
    }

    fn write_u8(&mut self, value: u8) {
        self.take(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.take(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.take(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.take(value);
    }

    fn write_u128(&mut self, value: u128) {
        let (low, high) = (value as u64, (value >> 64) as u64);
        self.take(low);
        self.take(high);
    }

    fn write_usize(&mut self, value: usize) {
        self.take(value as u64);
    }

    fn finish(&self) -> u64 {
        fold(self.low ^ 0xa076_1d64_78bd_642f, self.high | 1)
    }
}
