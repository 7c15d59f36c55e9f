//! Whom a fault strikes, and for how long.

use super::{Fault, Nudge, Plan, Refusal, Who, Whom, Workers};

impl Fault {
    /// How long it lasts, in nanoseconds, until what it strikes is as before; 0 for what happens at once
    /// and is over.
    ///
    /// ```
    /// use moorline_sim::{Fault, Told};
    ///
    /// assert_eq!(Fault::Fails { lasts: 7 }.lasts(), 7);
    /// assert_eq!(Fault::Cut { worker: 0, told: Told::Both }.lasts(), 0);
    /// ```
    #[must_use]
    pub const fn lasts(&self) -> u64 {
        match *self {
            Self::Spikes { lasts, .. }
            | Self::Stalls { lasts, .. }
            | Self::Replay { lasts, .. }
            | Self::Corrupt { lasts, .. }
            | Self::Flap { lasts, .. }
            | Self::Narrow { lasts, .. }
            | Self::Segments { lasts, .. }
            | Self::Dials { lasts, .. }
            | Self::Jam { lasts, .. }
            | Self::Freeze { lasts, .. }
            | Self::Busy { lasts, .. }
            | Self::Twin { lasts, .. }
            | Self::Swallow { lasts, .. }
            | Self::Late { lasts, .. }
            | Self::Slow { lasts, .. }
            | Self::Fails { lasts }
            | Self::Credential {
                refusal: Refusal::Rejected { lasts } | Refusal::Revoked { lasts },
                ..
            }
            | Self::Vetting { lasts, .. } => lasts,
            Self::Partition { lasts, again, .. } => lasts.saturating_add(again),
            Self::Swizzle { lasts, spread, .. } => lasts.saturating_add(spread),
            Self::Crash { back, .. } => back,
            Self::CrashLoop { back, lives, times, .. } => {
                back.saturating_add(lives).saturating_mul(times as u64)
            }
            Self::Nudge { nudge: Nudge::Stop { within, back }, .. } => within.saturating_add(back),
            Self::Close { .. }
            | Self::Cut { .. }
            | Self::Rebind { .. }
            | Self::SetClock { .. }
            | Self::Credential { refusal: Refusal::Expired, .. }
            | Self::Nudge { .. } => 0,
        }
    }

    /// The processes that it strikes, or whose links.
    ///
    /// ```
    /// use moorline_sim::{Fault, Plan, Who};
    ///
    /// assert_eq!(Fault::Fails { lasts: 7 }.strikes(&Plan::new(7)), [Who::Coordinator]);
    /// ```
    #[must_use]
    pub fn strikes(&self, plan: &Plan) -> Vec<Who> {
        let there = |workers: Workers| {
            let present = plan.present().map(|(worker, _)| worker);
            present.filter(|worker| workers.contains(*worker)).map(Who::Worker).collect()
        };
        match self.whom() {
            Whom::Workers(workers) => there(workers),
            Whom::Worker(worker) => vec![Who::Worker(worker)],
            Whom::Coordinator => vec![Who::Coordinator],
        }
    }
}
