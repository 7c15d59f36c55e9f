//! Which plans lead to cells that are still empty.
//!
//! A cell is a family of faults, a state and a kind of frame. That the family is there can be chosen; in
//! which states such frames are written cannot, but for this: in some other worlds such a frame was
//! written in such a state, mostly under faults of certain families. So the plan has faults of these, too,
//! beside those it has anyhow: the more there are, the more is met; and faults that wait for the moment at which such a frame is written, where there is one. What was never
//! met under any fault is left to chance.

use crate::decide::{Draws, mix};
use crate::{Coverage, Families, Family, FrameKind, Met, Mode, Moment, Origin, Temper};

/// So many families are added to that of the cell.
const HELPERS: usize = 2;

/// So many families are together in a plan whose cells of one state and frame are empty: what leads there
/// is rare, and is to fill more than one.
const TOGETHER: usize = 8;

/// Another hash of a seed than its draws are.
const SALT: u64 = 0x73_74_65_65_72;

/// The cells that are still empty, and what leads there.
#[derive(Debug)]
pub(super) struct Steering {
    targets: Vec<Target>,
}

#[derive(Clone, Copy, Debug)]
struct Target {
    family: Family,
    only: Families,
    at: Option<Moment>,
}

impl Steering {
    /// Towards what this does not cover.
    pub(super) fn towards(coverage: &Coverage) -> Self {
        let frames: Vec<u64> = Family::ALL.iter().map(|family| coverage.frames(*family)).collect();
        let mut targets = Vec::new();
        // Nothing is known yet.
        if coverage.covered() == 0 {
            return Self { targets };
        }
        for met in Met::ALL {
            for kind in FrameKind::ALL.iter().copied().filter(|kind| met.can_meet(*kind)) {
                let of = |family| coverage.count(family, met, kind);
                let is_empty = |family: &Family| of(*family) == 0;
                let empty: Vec<Family> = Family::ALL.iter().copied().filter(is_empty).collect();
                let helpers = helpers(&frames, of);
                // What was never met under any fault is left to chance: nobody knows what leads there.
                if helpers.is_empty() {
                    continue;
                }
                targets.extend(empty.iter().enumerate().map(|(place, family)| {
                    let some = empty.iter().cycle().skip(place).take(TOGETHER);
                    let only = some.fold(helpers, |only, family| only.with(*family));
                    Target { family: *family, only, at: moment(kind) }
                }));
            }
        }
        Self { targets }
    }

    /// The origin, or one for the same seed that leads to an empty cell.
    pub(super) fn aim(&self, origin: Origin) -> Origin {
        let chosen = mix(origin.seed ^ SALT);
        if origin.is_narrowed() || self.targets.is_empty() || chosen & 1 == 0 {
            return origin;
        }
        let place = (chosen >> 8) % self.targets.len() as u64;
        let Some(target) = usize::try_from(place).ok().and_then(|place| self.targets.get(place))
        else {
            return origin;
        };
        let drawn = Families::draw(&Draws::new(origin.seed), Temper::Common, origin.mode);
        let all = target.only.iter().fold(drawn, |all, family| all.with(family));
        let only = match origin.mode {
            Mode::Honest if target.family == Family::N5 => return origin,
            Mode::Honest => all.without(Family::N5),
            Mode::Hostile => all,
        };
        Origin { only, at: target.at.filter(|_| chosen & 2 == 0), ..origin }
    }
}

/// The families under which most of the frames were of this kind in this state.
fn helpers(frames: &[u64], of: impl Fn(Family) -> u32) -> Families {
    const MILLION: u64 = 1_000_000;
    let share = |family: Family| u64::from(of(family)) * MILLION / frames[family as usize].max(1);
    let mut all: Vec<(u64, Family)> =
        Family::ALL.iter().map(|family| (share(*family), *family)).collect();
    all.sort_by_key(|(share, family)| (std::cmp::Reverse(*share), *family));
    let most = all.into_iter().take(HELPERS).filter(|(share, _)| *share > 0);
    most.fold(Families::NONE, |some, (_, family)| some.with(family))
}

/// The moment at which a frame of this kind is written.
const fn moment(kind: FrameKind) -> Option<Moment> {
    Some(match kind {
        FrameKind::Hello => Moment::Hello,
        FrameKind::Welcome => Moment::Welcome,
        FrameKind::Item | FrameKind::ItemsEnd => Moment::Item,
        FrameKind::ItemAnswer => Moment::Answer,
        FrameKind::WorkerActive | FrameKind::CoordinatorActive => Moment::Active,
        FrameKind::Assign => Moment::Assign,
        FrameKind::Accept | FrameKind::Refuse => Moment::Accept,
        FrameKind::Cancel | FrameKind::Revoke | FrameKind::Held | FrameKind::NotHeld => {
            Moment::Recall
        }
        FrameKind::Result => Moment::Result,
        FrameKind::WorkerPart | FrameKind::CoordinatorPart => Moment::Part,
        FrameKind::Settled => Moment::Settled,
        FrameKind::Goodbye => Moment::Goodbye,
        FrameKind::Beat
        | FrameKind::Statistics
        | FrameKind::WorkerAck
        | FrameKind::Refused
        | FrameKind::BeatAnswer
        | FrameKind::Probe
        | FrameKind::CoordinatorAck
        | FrameKind::GoAway
        | FrameKind::Endpoints
        | FrameKind::Redirect => return None,
    })
}

#[cfg(test)]
mod tests;
