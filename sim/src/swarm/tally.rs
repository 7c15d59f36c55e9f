//! What many worlds come to together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::{Amount, Kind};
use crate::{Coverage, Failure, Family, Origin, Report, Seen};

/// How much went wrong of one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Under {
    /// Which.
    pub family: Family,
    /// In how many worlds a frame was written under a fault of it, or up to a second after it.
    pub worlds: u64,
    /// How many frames.
    pub frames: u64,
}

/// A world that was run.
pub(super) struct Ran {
    pub(super) origin: Option<Origin>,
    pub(super) kind: Option<Kind>,
    pub(super) result: Result<Report, Box<Failure>>,
}

/// How often one of the rarer things happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeenIn {
    /// Its name in [`Seen`].
    pub name: &'static str,
    /// How often in all worlds.
    pub times: u64,
    /// In how many worlds.
    pub worlds: u64,
}

/// How much of a bound was used, in thousandths, by how many worlds.
///
/// ```
/// use moorline_sim::Swarm;
///
/// let used = Swarm::of(0..40).run().ended;
/// assert!(used.within(500) <= used.within(1_000), "half of the worlds, and all");
/// assert!(used.most().is_some_and(|(_, most)| most == used.within(1_000)));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Used {
    counts: Vec<u64>,
    most: Option<(u64, u64)>,
}

impl Default for Used {
    fn default() -> Self {
        Self { counts: vec![0; Self::PLACES], most: None }
    }
}

impl Used {
    /// Places of the histogram: a place for each thousandth, and the last one for everything beyond.
    const PLACES: usize = 1_002;

    pub(super) fn add(&mut self, seed: u64, used: u64) {
        let place = usize::try_from(used).unwrap_or(Self::PLACES).min(Self::PLACES - 1);
        self.counts[place] += 1;
        if self.most.is_none_or(|(_, most)| used > most) {
            self.most = Some((seed, used));
        }
    }

    /// What so many thousandths of the worlds did not go beyond: 500 is the median. 0 if there are none.
    #[must_use]
    pub fn within(&self, share: u64) -> u64 {
        let worlds: u64 = self.counts.iter().sum();
        let wanted = (worlds * share.min(1_000)).div_ceil(1_000).max(1);
        let mut so_far = 0;
        let place = self.counts.iter().position(|count| {
            so_far += count;
            so_far >= wanted
        });
        match (place, self.most) {
            (Some(place), Some((_, most))) => most.min(place as u64),
            (_, _) => 0,
        }
    }

    /// The first seed that used most, and how much.
    #[must_use]
    pub fn most(&self) -> Option<(u64, u64)> {
        self.most
    }

    /// How many worlds used how many thousandths; the last place has those beyond a thousand.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
}

/// What many worlds come to together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SwarmReport {
    /// The seeds that were run, without a gap.
    pub seeds: Range<u64>,
    /// Worlds: seeds without those that were left out.
    pub worlds: u64,
    /// Of everything that happened in all worlds that kept their promises, in the order of seeds.
    pub hash: u64,
    /// Worlds in which a promise was broken, in the order of seeds.
    pub failures: Vec<Failure>,
    /// Where the plans of these come from, by seed, if they were drawn.
    pub origins: BTreeMap<u64, Origin>,
    /// How much there was of each kind of worlds that were drawn.
    pub kinds: BTreeMap<Kind, Amount>,
    /// Time that passed in the worlds, in seconds.
    pub lasted: u64,
    /// Events.
    pub events: u64,
    /// Packets.
    pub packets: u64,
    /// Tasks that ended.
    pub tasks: u64,
    /// Attempts that were started.
    pub attempts: u64,
    /// Dials.
    pub dials: u64,
    /// Processes that ended.
    pub crashes: u64,
    /// After the faults: how much was used of the time in which everybody has to be back.
    pub back: Used,
    /// After the faults: how much was used of the time in which everything has to have ended.
    pub ended: Used,
    /// How often the rarer things happened.
    pub seen: Vec<SeenIn>,
    /// Which faults met which states and frames, in all worlds that kept their promises.
    pub coverage: Coverage,
    /// How much went wrong of each family, in the order of [`Family::ALL`], in the same worlds.
    pub under: Vec<Under>,
    /// How long it took: the one figure that differs from run to run.
    pub took: Duration,
}

impl SwarmReport {
    /// Of nothing yet, before this seed.
    pub(super) fn before(first: u64) -> Self {
        let names = Seen::default().counts().into_iter();
        let under =
            Family::ALL.iter().map(|family| Under { family: *family, worlds: 0, frames: 0 });
        Self {
            seeds: first..first,
            worlds: 0,
            hash: 0,
            failures: Vec::new(),
            origins: BTreeMap::new(),
            kinds: BTreeMap::new(),
            lasted: 0,
            events: 0,
            packets: 0,
            tasks: 0,
            attempts: 0,
            dials: 0,
            crashes: 0,
            back: Used::default(),
            ended: Used::default(),
            seen: names.map(|(name, _)| SeenIn { name, times: 0, worlds: 0 }).collect(),
            coverage: Coverage::default(),
            under: under.collect(),
            took: Duration::ZERO,
        }
    }

    /// The next seed has come to this; to nothing if it was left out.
    pub(super) fn take(&mut self, seed: u64, ran: Option<Ran>, took: Duration) {
        self.seeds.end = seed + 1;
        self.took = took;
        let Some(Ran { origin, kind, result }) = ran else { return };
        self.worlds += 1;
        if let Some(kind) = kind {
            self.kinds.entry(kind).or_default().add(&amount(&result));
        }
        let report = match result {
            Ok(report) => report,
            Err(failure) => {
                self.failures.push(*failure);
                self.origins.extend(origin.map(|origin| (seed, origin)));
                return;
            }
        };
        self.hash = self.hash.rotate_left(1) ^ report.hash;
        self.lasted += report.lasted / 1_000_000_000;
        self.events += report.events;
        self.packets += report.packets;
        self.tasks += report.tasks;
        self.attempts += report.attempts;
        self.dials += report.dials;
        self.crashes += report.crashes;
        self.back.add(seed, report.back);
        self.ended.add(seed, report.ended);
        for family in self.coverage.merge(&report.coverage).iter() {
            let under = &mut self.under[family as usize];
            under.worlds += 1;
            under.frames += report.coverage.frames(family);
        }
        for (seen, (_, times)) in self.seen.iter_mut().zip(report.seen.counts()) {
            seen.times += times;
            seen.worlds += u64::from(times > 0);
        }
    }

    /// So many of these a second: worlds, events or packets.
    #[must_use]
    pub fn a_second(&self, count: u64) -> u64 {
        let millis = self.took.as_millis().max(1);
        u64::try_from(u128::from(count) * 1_000 / millis).unwrap_or(u64::MAX)
    }
}

fn amount(result: &Result<Report, Box<Failure>>) -> Amount {
    match result {
        Ok(report) => Amount {
            worlds: 1,
            failures: 0,
            lasted: report.lasted / 1_000_000,
            events: report.events,
            packets: report.packets,
        },
        Err(_) => Amount { worlds: 1, failures: 1, ..Amount::default() },
    }
}
