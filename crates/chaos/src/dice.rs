//! What is drawn: the same for the same seed, connection, way and piece, whatever was drawn before.

use std::time::Duration;

use crate::faults::{Share, Way};
use crate::route::{Id, Kind};

/// What is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Site {
    Jitter = 1,
    Loss = 2,
    Corrupt = 3,
    Where = 4,
    Reorder = 5,
    Duplicate = 6,
}

/// The dice of one way of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, id: Id, way: Way) -> Self {
        let kind = match id.kind {
            Kind::Tcp => 0,
            Kind::Udp => 1,
        };
        let place = [kind, id.number, way.index() as u64];
        Self(place.into_iter().fold(mixed(seed), stirred))
    }

    fn draw(self, site: Site, number: u64, again: u64) -> u64 {
        [site as u64, number, again].into_iter().fold(self.0, stirred)
    }

    /// Whether piece `number` is one of this share, when it is asked for the `again`th time.
    pub(crate) fn hits(self, site: Site, number: u64, again: u64, share: Share) -> bool {
        self.draw(site, number, again) % 1_000_000 < u64::from(share.ppm())
    }

    /// From 0 to below `end`; 0 if that is 0.
    pub(crate) fn below(self, site: Site, number: u64, end: u64) -> u64 {
        self.draw(site, number, 0) % end.max(1)
    }

    /// From nothing to `most`, evenly.
    pub(crate) fn up_to(self, site: Site, number: u64, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(site, number, most.saturating_add(1)))
    }

    /// Flips one bit.
    pub(crate) fn flip(self, number: u64, bytes: &mut [u8]) {
        let bit = self.below(Site::Where, number, 8 * bytes.len() as u64);
        // Nothing has no bits.
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

fn stirred(state: u64, word: u64) -> u64 {
    mixed(state.wrapping_add(mixed(word.wrapping_add(0x9e37_79b9_7f4a_7c15))))
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Dice, Site};
    use crate::faults::{Share, Way};
    use crate::route::{Id, Kind};

    const ID: Id = Id { kind: Kind::Tcp, number: 1 };

    fn drawn(dice: Dice) -> Vec<bool> {
        let half = Share::from_ppm(500_000).unwrap();
        (0..64).map(|number| dice.hits(Site::Loss, number, 0, half)).collect()
    }

    #[test]
    fn the_same_place_draws_the_same_and_every_other_place_draws_its_own() {
        let dice = Dice::new(7, ID, Way::Back);
        assert_eq!(drawn(dice), drawn(Dice::new(7, ID, Way::Back)));
        let others = [
            Dice::new(8, ID, Way::Back),
            Dice::new(7, ID, Way::ToTarget),
            Dice::new(7, Id { number: 2, ..ID }, Way::Back),
            Dice::new(7, Id { kind: Kind::Udp, ..ID }, Way::Back),
        ];
        for other in others {
            assert_ne!(drawn(dice), drawn(other), "{other:?}");
        }
    }

    #[test]
    fn a_share_is_hit_as_often_as_it_says() {
        let dice = Dice::new(7, ID, Way::ToTarget);
        let hits = |ppm| {
            let share = Share::from_ppm(ppm).unwrap();
            (0..100_000).filter(|&number| dice.hits(Site::Loss, number, 0, share)).count()
        };
        assert_eq!([hits(0), hits(1_000_000)], [0, 100_000]);
        // Five deviations either way, of a draw that is always the same.
        assert!((850..1_150).contains(&hits(10_000)), "{}", hits(10_000));
        assert!((29_300..30_700).contains(&hits(300_000)), "{}", hits(300_000));
    }

    #[test]
    fn times_are_drawn_from_nothing_to_the_most() {
        let dice = Dice::new(7, ID, Way::ToTarget);
        let most = Duration::from_nanos(3);
        let drawn = (0..100).map(|number| dice.up_to(Site::Jitter, number, most).as_nanos());
        let drawn: std::collections::BTreeSet<_> = drawn.collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(dice.up_to(Site::Jitter, 0, Duration::ZERO), Duration::ZERO);
        // The longest there is does not overflow.
        let _ = dice.up_to(Site::Jitter, 0, Duration::MAX);
    }

    #[test]
    fn one_bit_is_flipped_somewhere() {
        let dice = Dice::new(7, ID, Way::ToTarget);
        let mut places = std::collections::BTreeSet::new();
        for number in 0..200 {
            let mut bytes = [0; 4];
            dice.flip(number, &mut bytes);
            let word = u32::from_be_bytes(bytes);
            assert_eq!(word.count_ones(), 1);
            places.insert(word);
        }
        assert_eq!(places.len(), 32, "every bit, sooner or later");
        dice.flip(0, &mut []);
    }
}
