//! The faults of a plan: which families, how many, how hard, and when.

use super::size::Limits;
use super::{
    Dialled, Ending, Episode, Families, Family, Fault, Kept, MS, Manner, Mode, Moment, Nudge, Plan,
    SEC, Side, Temper, Told, Twin, Way, Who, Workers,
};
use crate::decide::{Decide, Site};

/// Families that have episodes.
const EPISODIC: [Family; 23] = [
    Family::N3,
    Family::N4,
    Family::N5,
    Family::N7,
    Family::N8,
    Family::N9,
    Family::N10,
    Family::N11,
    Family::N12,
    Family::C1,
    Family::C2,
    Family::C3,
    Family::C4,
    Family::C5,
    Family::H1,
    Family::H2,
    Family::H3,
    Family::H4,
    Family::H5,
    Family::T1,
    Family::T3,
    Family::D1,
    Family::O1,
];

impl Families {
    /// Those that go wrong in a world: each with probability 1/2, or one alone.
    pub(crate) fn draw(draws: &dyn Decide, temper: Temper, mode: Mode) -> Self {
        let place = |k| draws.draw(Site::Plan, 1, k, Family::ALL.len() as u64);
        let drawn = match temper {
            Temper::Calm => Self::NONE,
            Temper::Cranked => {
                let one = usize::try_from(place(0)).unwrap_or(0);
                Self::NONE.with(Family::ALL[one])
            }
            Temper::Common | Temper::Extreme => {
                let is_on = |family: &&Family| draws.draw(Site::Plan, 5, **family as u64, 2) == 1;
                Family::ALL.iter().filter(is_on).fold(Self::NONE, |all, one| all.with(*one))
            }
        };
        let drawn = match mode {
            Mode::Honest => drawn.without(Family::N5),
            Mode::Hostile => drawn,
        };
        match temper {
            Temper::Extreme => drawn.with(Family::K1),
            Temper::Calm | Temper::Common | Temper::Cranked => drawn,
        }
    }
}

/// Draws the episodes of a plan that is complete but for them.
pub(super) struct Drawing<'a> {
    pub(super) draws: &'a dyn Decide,
    pub(super) plan: &'a Plan,
    pub(super) families: Families,
    pub(super) limits: &'a Limits,
}

impl Drawing<'_> {
    /// The faults of a world, by their times.
    pub(super) fn all(&self) -> Vec<Episode> {
        let families: Vec<Family> =
            EPISODIC.into_iter().filter(|family| self.families.contains(*family)).collect();
        if families.is_empty() {
            return Vec::new();
        }
        let quiet_at = self.plan.quiet_at;
        let is_cranked = self.plan.temper == Temper::Cranked;
        let (least, most) =
            if is_cranked { self.limits.cranked } else { (1, self.limits.episodes) };
        let count = self.draws.log_between(Site::Plan, 0, 11, least, most);
        // A third of the worlds is struck where it hurts only.
        let aimed = self.draws.draw(Site::Plan, 0, 12, 3) == 2;
        let mut episodes = Vec::new();
        for index in 0..count {
            let draw = |k, bound| self.draws.draw(Site::Episode, index, k, bound);
            let family = families[usize::try_from(draw(0, families.len() as u64)).unwrap_or(0)];
            let first = self.draws.between(Site::Episode, index, 1, 100 * MS, quiet_at - SEC);
            let Some(fault) = self.one(index, family) else { continue };
            let moment = if aimed || draw(16, 4) == 3 {
                let place = usize::try_from(draw(17, Moment::ALL.len() as u64)).unwrap_or(0);
                Some(Moment::ALL[place])
            } else {
                None
            };
            // Again and again.
            let times = if draw(18, 5) == 4 { 2 + draw(19, 5) } else { 1 };
            let gap = self.log(index, 20, 50 * MS, 8 * SEC);
            for at in (0..times).map(|time| first + time * gap).filter(|at| at + SEC <= quiet_at) {
                episodes.push(Episode { at, moment, fault });
            }
        }
        episodes.sort_by_key(|episode| episode.at);
        episodes
    }

    fn log(&self, index: u64, k: u64, low: u64, high: u64) -> u64 {
        self.draws.log_between(Site::Episode, index, k, low.min(high), high)
    }

    /// How long something lasts: mostly short; in a third, for about as long as it takes to be given up.
    fn lasts(&self, index: u64, k: u64, low: u64, high: u64) -> u64 {
        let is_long = self.draws.draw(Site::Episode, index, 21, 3) == 2;
        let low = if is_long { self.plan.settings.lost_after / 2 } else { low };
        self.log(index, k, low, high)
    }

    /// How many of a million, from rare to often; at its end where one family is all there is.
    fn ppm(&self, index: u64, k: u64, low: u64, high: u64) -> u64 {
        let low = if self.plan.temper == Temper::Cranked { high / 4 } else { low };
        self.log(index, k, low, high)
    }

    /// One worker, some, or all.
    fn some(&self, index: u64) -> Workers {
        let count = self.plan.workers.len() as u64;
        let draw = |k, bound| self.draws.draw(Site::Episode, index, k, bound);
        let one = usize::try_from(draw(2, count)).unwrap_or(0);
        match draw(22, 4) {
            0 | 1 => Workers::one(one),
            2 => Workers::from_bits(draw(23, u64::MAX))
                .and(Workers::first(self.plan.workers.len()))
                .with(one),
            _ => Workers::first(self.plan.workers.len()),
        }
    }

    /// A fault of a family; none if it has none of its own.
    fn one(&self, index: u64, family: Family) -> Option<Fault> {
        let draw = |k, bound| self.draws.draw(Site::Episode, index, k, bound);
        let is_hostile = self.plan.mode == Mode::Hostile;
        let lost_after = self.plan.settings.lost_after;
        let long = lost_after * 2;
        let worker = usize::try_from(draw(2, self.plan.workers.len() as u64)).unwrap_or(0);
        let who = if draw(3, 3) == 0 { Who::Coordinator } else { Who::Worker(worker) };
        let workers = self.some(index);
        let way = [Way::Both, Way::Up, Way::Down][usize::try_from(draw(24, 3)).unwrap_or(0)];
        let lasts = |k, low, high| self.lasts(index, k, low, high);
        let log = |k, low, high| self.log(index, k, low, high);
        let count = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let manner = match draw(6, 5) {
            0 | 1 => Manner::Killed,
            2 | 3 => Manner::Vanished,
            _ => Manner::Asked,
        };
        Some(match family {
            Family::N3 => Fault::Spikes {
                workers,
                way,
                ppm: self.ppm(index, 30, 100, 50_000),
                most: log(31, 10 * MS, 5 * SEC),
                lasts: lasts(32, SEC, long * 2),
            },
            Family::N4 => Fault::Stalls {
                workers,
                way,
                ppm: self.ppm(index, 30, 1_000, 300_000),
                burst: count(log(31, 1, 50)),
                rto: log(33, 50 * MS, SEC),
                lasts: lasts(32, SEC, long * 2),
            },
            Family::N5 => Fault::Replay {
                workers,
                way,
                ppm: self.ppm(index, 30, 1_000, 500_000),
                copies: count(1 + draw(31, 5)),
                delay: log(33, MS, 10 * SEC),
                lasts: lasts(32, SEC, long * 2),
            },
            Family::N7 => {
                let ppm = self.ppm(index, 30, 10, 20_000);
                Fault::Corrupt { workers, way, ppm, lasts: lasts(32, SEC, long * 2) }
            }
            Family::N8 => {
                let lasts = lasts(32, 100 * MS, (long * 2).min(600 * SEC));
                let again =
                    if draw(31, 2) == 0 { 0 } else { log(33, 10 * MS, lasts.min(120 * SEC)) };
                Fault::Partition { workers, way, lasts, again }
            }
            Family::N9 => {
                let period = log(30, 50 * MS, 90 * SEC);
                let broken = count(self.draws.between(Site::Episode, index, 31, 100_000, 900_000));
                let lasts = lasts(32, period * 2, long * 2).min(period * 200);
                Fault::Flap { workers, way, period, broken, lasts }
            }
            Family::N10 => {
                let spread = if draw(30, 4) == 0 { 0 } else { log(31, MS, 10 * SEC) };
                Fault::Swizzle { workers, spread, lasts: lasts(32, 100 * MS, long) }
            }
            Family::N11 => Fault::Narrow {
                workers,
                way,
                rate: log(30, 64, 1_000_000_000),
                queue: log(31, 1 << 10, 256 << 10),
                lasts: lasts(32, SEC, long * 2),
            },
            Family::N12 => Fault::Segments {
                workers,
                way,
                size: log(30, 1, 65_536),
                gap: log(31, 1_000, MS),
                lasts: lasts(32, SEC, long * 2),
            },
            Family::C1 => {
                let outcome = match draw(9, 4) {
                    0 => Dialled::Refused,
                    1 => Dialled::Hangs,
                    2 => Dialled::Closed,
                    _ => Dialled::Late { by: log(31, 10 * MS, 20 * SEC) },
                };
                Fault::Dials { worker, outcome, lasts: lasts(10, 100 * MS, long) }
            }
            Family::C2 => match draw(4, 4) {
                0 => Fault::Cut { worker, told: Told::Both },
                one => {
                    let ending = match one {
                        1 => Ending::Reset,
                        2 => Ending::Closed,
                        _ => Ending::Half,
                    };
                    Fault::Close { worker, way, after: log(31, 1, 65_536) - 1, ending }
                }
            },
            Family::C3 => {
                let told = match draw(4, 5) {
                    0 | 1 => Told::Only(Side::Worker),
                    2 | 3 => Told::Only(Side::Coordinator),
                    _ => Told::Nobody,
                };
                Fault::Cut { worker, told }
            }
            Family::C4 => Fault::Rebind { worker, answered: draw(4, 2) == 1 },
            Family::C5 => {
                let lasts = lasts(8, 10 * MS, lost_after.min(120 * SEC));
                Fault::Jam { worker, way, lasts, haunts: is_hostile && draw(4, 2) == 1 }
            }
            Family::H1 => {
                let kept = match draw(31, if is_hostile { 4 } else { 2 }) {
                    0 => Kept::All,
                    1 => Kept::Synced,
                    2 => Kept::Before { commits: count(log(33, 1, 50)) },
                    _ => Kept::Nothing,
                };
                let kept = if who == Who::Coordinator { kept } else { Kept::All };
                Fault::Crash { who, manner, back: lasts(7, 10 * MS, long.min(300 * SEC)), kept }
            }
            Family::H2 => Fault::CrashLoop {
                who,
                manner,
                back: log(7, 10 * MS, self.limits.lives),
                lives: log(31, 10 * MS, self.limits.lives),
                times: count(2 + draw(33, 9)),
            },
            Family::H3 => {
                Fault::Freeze { who, lasts: lasts(5, MS, long * 2), suspended: draw(31, 2) == 1 }
            }
            Family::H4 => {
                Fault::Busy { who, each: log(31, 10_000, 50 * MS), lasts: lasts(32, SEC, long) }
            }
            Family::H5 => {
                let twin = match draw(4, 4) {
                    0 | 1 => Twin::Same,
                    2 => Twin::Renamed,
                    _ => Twin::Namesake,
                };
                Fault::Twin { worker, twin, lasts: lasts(32, SEC, long * 2) }
            }
            Family::T1 => {
                let by = i64::try_from(log(31, 1_000, 3 * 86_400_000)).unwrap_or(0);
                Fault::SetClock { by: if draw(32, 2) == 0 { by } else { -by } }
            }
            Family::T3 => {
                let grain = if draw(33, 2) == 0 { 0 } else { log(34, MS, 100 * MS) };
                let most = log(31, MS, 2 * SEC);
                Fault::Late { who, most, grain, lasts: lasts(32, SEC, long) }
            }
            Family::D1 => {
                if draw(31, 2) == 0 {
                    let slowest = self.limits.commit;
                    let delay = lasts(11, 50 * MS, slowest);
                    Fault::Slow { delay: delay.min(slowest), lasts: lasts(12, SEC, long) }
                } else {
                    Fault::Fails { lasts: lasts(12, 100 * MS, long) }
                }
            }
            Family::O1 => Fault::Nudge {
                worker,
                nudge: match draw(13, 5) {
                    0 => Nudge::Reconnect,
                    // Three ways to change a connection while it stands.
                    1 => match draw(35, 3) {
                        0 => Nudge::Redirect { nowhere: false },
                        1 => Nudge::Redirect { nowhere: true },
                        _ => Nudge::Migrate,
                    },
                    2 => Nudge::Kick,
                    3 => Nudge::Disconnect,
                    _ => Nudge::Stop {
                        within: lasts(14, 10 * MS, self.limits.drain),
                        back: lasts(15, 10 * MS, lost_after),
                    },
                },
            },
            Family::N1 | Family::N2 | Family::H6 | Family::H7 | Family::T2 | Family::K1 => {
                return None;
            }
        })
    }
}
