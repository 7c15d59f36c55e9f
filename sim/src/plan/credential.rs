//! Worlds whose coordinator looks at what workers prove themselves with.

use super::{Episode, Fault, MS, Plan, Refusal, SEC, Temper};
use crate::decide::{Decide, Draws, Site};

impl Plan {
    /// Whether the coordinator looks at what workers show in it.
    pub(crate) fn authenticates(&self) -> bool {
        self.episodes.iter().any(|episode| match episode.fault {
            Fault::Credential { .. } | Fault::Vetting { .. } => true,
            Fault::Spikes { .. }
            | Fault::Stalls { .. }
            | Fault::Replay { .. }
            | Fault::Corrupt { .. }
            | Fault::Partition { .. }
            | Fault::Flap { .. }
            | Fault::Swizzle { .. }
            | Fault::Narrow { .. }
            | Fault::Segments { .. }
            | Fault::Dials { .. }
            | Fault::Close { .. }
            | Fault::Cut { .. }
            | Fault::Rebind { .. }
            | Fault::Jam { .. }
            | Fault::Crash { .. }
            | Fault::CrashLoop { .. }
            | Fault::Freeze { .. }
            | Fault::Busy { .. }
            | Fault::Twin { .. }
            | Fault::Swallow { .. }
            | Fault::SetClock { .. }
            | Fault::Late { .. }
            | Fault::Slow { .. }
            | Fault::Fails { .. }
            | Fault::Nudge { .. } => false,
        })
    }

    /// The plan of this seed, in which the coordinator also looks at what workers show, and some of that
    /// expires, is rejected for a while or is withdrawn; sometimes it takes long to find out.
    #[must_use]
    pub fn authenticating(seed: u64) -> Self {
        let mut plan = Self::new(seed);
        let draws = Draws::new(seed);
        plan.temper = Temper::Common;
        let last = plan.quiet_at.saturating_sub(SEC).max(200 * MS);
        for worker in 0..plan.workers.len() {
            let entity = worker as u64;
            let draw = |k, bound| draws.draw(Site::Credential, entity, k, bound);
            // The first one loses it in any case.
            let times = if worker == 0 { 1 + draw(0, 3) } else { draw(0, 4) };
            for time in 0..times {
                let k = 8 * (time + 1);
                let at = draws.between(Site::Credential, entity, k, 100 * MS, last);
                let lasts =
                    draws.log_between(Site::Credential, entity, k + 1, SEC, plan.quiet_at.max(SEC));
                let refusal = match draw(k + 2, 4) {
                    0 | 1 => Refusal::Expired,
                    2 => Refusal::Rejected { lasts },
                    _ => Refusal::Revoked { lasts },
                };
                let fault = Fault::Credential { worker, refusal, ends: draw(k + 3, 2) == 1 };
                plan.episodes.push(Episode { at, moment: None, fault });
            }
        }
        let everybody = u64::MAX;
        if draws.draw(Site::Credential, everybody, 0, 2) == 1 {
            let at = draws.between(Site::Credential, everybody, 1, 100 * MS, last);
            let delay = draws.log_between(Site::Credential, everybody, 2, MS, 20 * SEC);
            let lasts =
                draws.log_between(Site::Credential, everybody, 3, SEC, plan.quiet_at.max(SEC));
            let fault = Fault::Vetting { delay, lasts };
            plan.episodes.push(Episode { at, moment: None, fault });
        }
        plan.episodes.sort_by_key(|episode| episode.at);
        plan
    }
}
