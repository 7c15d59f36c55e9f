//! What kinds of worlds a swarm has run, and how many of each.

use crate::{Mode, Origin, Plan, Size, Temper};

/// What a world that was drawn is like.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Kind {
    /// What may go wrong in it.
    pub mode: Mode,
    /// How large it is.
    pub size: Size,
    /// How hard it is.
    pub temper: Temper,
    /// Whether its faults were chosen, and not only drawn.
    pub steered: bool,
}

impl Kind {
    pub(super) const fn of(origin: &Origin, plan: &Plan) -> Self {
        let (mode, temper) = (plan.mode, plan.temper);
        Self { mode, size: origin.size, temper, steered: origin.is_narrowed() }
    }
}

/// How much there was of a kind of worlds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amount {
    /// Worlds.
    pub worlds: u64,
    /// Of those: worlds in which a promise was broken; the others are in the figures below.
    pub failures: u64,
    /// Time that passed in them, in milliseconds.
    pub lasted: u64,
    /// Events.
    pub events: u64,
    /// Packets.
    pub packets: u64,
}

impl Amount {
    /// Adds what another one has.
    pub fn add(&mut self, other: &Self) {
        let Self { worlds, failures, lasted, events, packets } = *other;
        self.worlds += worlds;
        self.failures += failures;
        self.lasted += lasted;
        self.events += events;
        self.packets += packets;
    }
}
