//! The faults of a plan.

use super::fault::{Dialled, Episode, Fault, Kept, Manner, Nudge, Side, Told, Way, Who};
use super::{MS, Moment, SEC, Settings};
use crate::decide::{Decide, Site};

/// How much longer a commit takes at most by a fault.
pub(crate) const SLOWEST_COMMIT: u64 = 20 * SEC;

/// Families of faults; each is on or off in a world.
const FAMILIES: u64 = 7;

/// The faults of a world.
pub(super) fn draw_all(
    draws: &dyn Decide,
    settings: &Settings,
    workers: usize,
    quiet_at: u64,
) -> Vec<Episode> {
    // Half of the families, at least one.
    let first = draws.draw(Site::Plan, 0, 10, FAMILIES);
    let families: Vec<u64> = (0..FAMILIES)
        .filter(|family| *family == first || draws.chance(Site::Plan, 1, *family, 500_000))
        .collect();
    let count = draws.log_between(Site::Plan, 0, 11, 1, 16);
    // A third of the worlds is struck where it hurts only.
    let aimed = draws.draw(Site::Plan, 0, 12, 3) == 2;
    let mut episodes = Vec::new();
    for index in 0..count {
        let draw = |k, bound| draws.draw(Site::Episode, index, k, bound);
        let family = families[usize::try_from(draw(0, families.len() as u64)).unwrap_or(0)];
        let first = draws.between(Site::Episode, index, 1, 100 * MS, quiet_at - SEC);
        let fault = draw_one(draws, settings, index, family, workers);
        let moment = if aimed || draw(16, 4) == 3 {
            Some(Moment::ALL[usize::try_from(draw(17, Moment::ALL.len() as u64)).unwrap_or(0)])
        } else {
            None
        };
        // Again and again, as flapping links and crash loops do.
        let times = if draw(18, 5) == 4 { 2 + draw(19, 5) } else { 1 };
        let gap = draws.log_between(Site::Episode, index, 20, 50 * MS, 8 * SEC);
        for at in (0..times).map(|time| first + time * gap).filter(|at| at + SEC <= quiet_at) {
            episodes.push(Episode { at, moment, fault });
        }
    }
    episodes.sort_by_key(|episode| episode.at);
    episodes
}

/// A fault of a family.
fn draw_one(
    draws: &dyn Decide,
    settings: &Settings,
    index: u64,
    family: u64,
    workers: usize,
) -> Fault {
    let draw = |k, bound| draws.draw(Site::Episode, index, k, bound);
    let worker = usize::try_from(draw(2, workers as u64)).unwrap_or(0);
    let who = if draw(3, 3) == 0 { Who::Coordinator } else { Who::Worker(worker) };
    // Mostly short; in a third, for about as long as it takes to be given up.
    let long = settings.lost_after * 2;
    let is_long = draw(21, 3) == 2;
    let lasts = |k, low, high: u64| {
        let low = if is_long { settings.lost_after / 2 } else { low };
        draws.log_between(Site::Episode, index, k, low.min(high), high)
    };
    match family {
        0 => Fault::Cut {
            worker,
            told: match draw(4, 8) {
                0..=2 => Told::Both,
                3..=4 => Told::Only(Side::Worker),
                5..=6 => Told::Only(Side::Coordinator),
                _ => Told::Nobody,
            },
        },
        1 => Fault::Freeze { who, lasts: lasts(5, 10 * MS, long), suspended: false },
        2 => {
            let manner = match draw(6, 5) {
                0..=1 => Manner::Killed,
                2..=3 => Manner::Vanished,
                _ => Manner::Asked,
            };
            Fault::Crash { who, manner, back: lasts(7, 10 * MS, long), kept: Kept::All }
        }
        3 => Fault::Jam {
            worker,
            way: Way::Both,
            lasts: lasts(8, 10 * MS, settings.lost_after),
            haunts: false,
        },
        4 => Fault::Dials {
            worker,
            outcome: if draw(9, 2) == 0 { Dialled::Refused } else { Dialled::Hangs },
            lasts: lasts(10, 100 * MS, long),
        },
        5 => Fault::Slow { delay: lasts(11, 50 * MS, SLOWEST_COMMIT), lasts: lasts(12, SEC, long) },
        _ => Fault::Nudge {
            worker,
            nudge: match draw(13, 5) {
                0 => Nudge::Reconnect,
                1 => Nudge::Migrate,
                2 => Nudge::Kick,
                3 => Nudge::Disconnect,
                _ => Nudge::Stop {
                    within: lasts(14, 10 * MS, 30 * SEC),
                    back: lasts(15, 10 * MS, settings.lost_after),
                },
            },
        },
    }
}
