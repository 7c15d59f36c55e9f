//! How fast workers may come in: a virtual clock of registrations, and tickets for its later slots.
//!
//! Of workers that are refused only so much is kept as [`PROMISES`] says (P90). Slots are handed out by the generic cell rate
//! algorithm: a clock that each registration moves on by `1 / rate`, and that may run ahead of the
//! time by a burst. Who finds it further ahead gets the slot it stands at, as a ticket: the epoch, the
//! slot, and a hash of both and of the worker under a key that only this life of the coordinator
//! knows. Shown within [`LATE`] from its slot it costs nothing more, once; anything else counts as
//! no ticket.
//!
//! Who asks again before its slot is told the same one, as long as it is among those that are
//! remembered: a coordinator that stood still reads the Hello of each dial that was given up
//! meanwhile, and all of them together are one worker that waits.
//!
//! Who comes first (P91) has a second clock of half the rate and takes the earlier of both slots.
//! It moves the common clock on in any case, so that the rate holds on the average; while slots of
//! others that were promised before are being used up, it is one and a half times the rate at most,
//! which is below what the coordinator can take (the rate is half of that).
//!
//! All of it is effective time: after a stall of the coordinator's own, tickets are early by as much
//! and their owners are spread anew, instead of all at once.

use alloc::collections::{BTreeMap, BTreeSet};
use core::hash::{Hash, Hasher};
use core::time::Duration;

use super::config::{HubConfig, RegistrationRate};
use crate::backoff::mix;
use crate::canonical::View;
use crate::siphash::sip24;
use crate::time::saturating_nanos;
use crate::{ComeBack, Epoch, Instant, Ticket, WorkerId};

/// Registrations at once, after a pause: nobody waits for a coordinator of few workers.
const BURST: u32 = 64;
/// The same on the clock of those that come first.
const BURST_FIRST: u32 = 16;
/// A ticket holds from its slot for this long: a worker dials, and may have to be patient with it.
const LATE: Duration = Duration::from_secs(2);
/// Slots further away are not promised: it is about as far as a worker heeds any hint.
const HORIZON: Duration = Duration::from_secs(600);
/// While too many handshakes are under way, a slot is at least this far away.
const CROWDED: Duration = Duration::from_millis(250);
/// Slots still to come that are remembered by worker; who asks again beyond them gets one more.
const PROMISES: usize = 4_096;
/// Registrations that must have been measured before the rate follows them.
const MEASURED_MIN: u32 = 32;

/// Registrations that a [`Hub`](super::Hub) put off in its life, and what became of their tickets.
/// Who was refused for what it is, and not for the crowd it came in, is not among them.
///
/// ```
/// use moorline_link::{Epoch, Hub, HubConfig, Instant};
///
/// let hub = Hub::new(HubConfig::default(), Epoch(1), 7, Instant::ZERO);
/// let counts = hub.admissions();
/// assert_eq!(counts.tickets_given(), 0);
/// assert_eq!(counts.by_reason().map(|(reason, _)| reason), ["rate", "handshakes", "horizon", "unheard"]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Admissions {
    /// The rate of registrations was used up: put off to a slot, with a ticket.
    pub rate: u64,
    /// As many handshakes as are allowed were under way: put off to a slot, with a ticket.
    pub handshakes: u64,
    /// The next free slot was too far away to be promised: put off without a ticket.
    pub horizon: u64,
    /// As many connections as are allowed had not said who they are: closed without a word.
    pub unheard: u64,
    /// Tickets that were shown in their time.
    pub tickets_used: u64,
}

impl Admissions {
    /// None yet.
    pub const NONE: Self = Self { rate: 0, handshakes: 0, horizon: 0, unheard: 0, tickets_used: 0 };

    /// Tickets that were given.
    #[must_use]
    pub const fn tickets_given(&self) -> u64 {
        self.rate.saturating_add(self.handshakes)
    }

    /// How many were put off, by the word for why.
    #[must_use]
    pub const fn by_reason(&self) -> [(&'static str, u64); 4] {
        [
            ("rate", self.rate),
            ("handshakes", self.handshakes),
            ("horizon", self.horizon),
            ("unheard", self.unheard),
        ]
    }
}

/// Who asks to come in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applicant {
    pub(super) worker: WorkerId,
    pub(super) ticket: Option<Ticket>,
    /// It has something to bring: see [`Hub::comes_first`](super::Hub::comes_first).
    pub(super) first: bool,
    /// As many handshakes as are allowed are under way.
    pub(super) crowded: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Admission {
    key: [u64; 2],
    /// Slots are counted in microseconds from here.
    began: Instant,
    /// The common clock: where the next slot is.
    common: Instant,
    /// The clock of those that come first.
    first: Instant,
    /// Tickets that were used, while they would hold: slot and hash.
    used: BTreeSet<(u64, u64)>,
    promises: Promises,
    /// Nanoseconds of work for one registration, and how many were measured (up to `MEASURED_MIN`).
    cost: u64,
    measured: u32,
    counts: Admissions,
}

impl Admission {
    pub(super) fn new(seed: u128, now: Instant) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        let (low, high) = (seed as u64, (seed >> 64) as u64);
        // Session numbers show a part of `low`: neither half of the key follows from it alone.
        let key = [mix(high ^ mix(low)), mix(mix(high).wrapping_add(low))];
        let (used, promises) = (BTreeSet::new(), Promises::default());
        let (cost, measured, counts) = (0, 0, Admissions::NONE);
        Self { key, began: now, common: now, first: now, used, promises, cost, measured, counts }
    }

    pub(super) const fn counts(&self) -> Admissions {
        self.counts
    }

    /// A connection was closed before it could say anything.
    pub(super) fn unheard(&mut self) {
        self.counts.unheard = self.counts.unheard.saturating_add(1);
    }

    /// Registrations per second in force.
    pub(super) fn rate(&self, config: &HubConfig) -> u32 {
        match config.settings().registration_rate {
            RegistrationRate::Fixed(rate) => rate.get(),
            RegistrationRate::Measured { min, max } => {
                if self.measured < MEASURED_MIN {
                    return min.get();
                }
                let half = 500_000_000 / self.cost.max(1);
                u32::try_from(half).unwrap_or(u32::MAX).clamp(min.get(), max.get())
            }
        }
    }

    /// So many registrations took so much work. Each measurement counts a quarter.
    pub(super) fn measure(&mut self, registrations: u32, busy: Duration) {
        if registrations == 0 {
            return;
        }
        let cost = saturating_nanos(busy) / u64::from(registrations);
        let was = if self.measured == 0 { cost } else { self.cost };
        self.cost = was - was / 4 + cost / 4;
        self.measured = self.measured.saturating_add(registrations).min(MEASURED_MIN);
    }

    /// Handshakes that may be under way at a time: as many as are configured, or as come in within
    /// half a second if that is more.
    pub(super) fn handshakes(&self, config: &HubConfig) -> usize {
        let least = config.settings().max_handshakes.get();
        usize::try_from(least.max(self.rate(config) / 2)).unwrap_or(usize::MAX)
    }

    /// Lets it in, or says when it may come back.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        epoch: Epoch,
        applicant: Applicant,
        config: &HubConfig,
    ) -> Result<(), ComeBack> {
        let since = self.slot_of(now.before(LATE));
        self.used = self.used.split_off(&(since, 0));
        if !applicant.crowded
            && let Some(ticket) = applicant.ticket
            && self.holds(ticket, now, epoch, applicant.worker)
            && self.used.insert((ticket.slot, ticket.mac))
        {
            self.counts.tickets_used = self.counts.tickets_used.saturating_add(1);
            return Ok(());
        }
        self.promises.forget_until(self.slot_of(now));
        if let Some(slot) = self.promises.of(applicant.worker) {
            self.count_put_off(applicant);
            return Err(self.put_off(slot, now, epoch, applicant.worker));
        }
        let step = Duration::from_secs(1) / self.rate(config);
        let (common, first) = (self.common.max(now), self.first.max(now));
        let (burst, burst_first) =
            if applicant.crowded { (0, 0) } else { (BURST - 1, BURST_FIRST - 1) };
        let slot = common.before(step * burst).max(now);
        let slot_first = first.before(step * 2 * burst_first).max(now);
        let takes_first = applicant.first && slot_first < slot;
        let earliest = if applicant.crowded { now + CROWDED } else { now };
        let at = if takes_first { slot_first } else { slot }.max(earliest);
        if at > now + HORIZON {
            // Nobody can be promised anything so far away, and the clock stays where it is.
            self.counts.horizon = self.counts.horizon.saturating_add(1);
            let spread = self.spread(applicant.worker, HORIZON / 2);
            return Err(ComeBack::After(HORIZON / 2 + spread));
        }
        self.common = common + step;
        if takes_first {
            self.first = first + step * 2;
        }
        if at == now {
            return Ok(());
        }
        self.count_put_off(applicant);
        // Rounded up: who comes after the time it was told is not early.
        let slot = self.slot_of(at) + 1;
        self.promises.keep(applicant.worker, slot);
        Err(self.put_off(slot, now, epoch, applicant.worker))
    }

    fn count_put_off(&mut self, applicant: Applicant) {
        let why =
            if applicant.crowded { &mut self.counts.handshakes } else { &mut self.counts.rate };
        *why = why.saturating_add(1);
    }

    fn put_off(&self, slot: u64, now: Instant, epoch: Epoch, worker: WorkerId) -> ComeBack {
        let after = (self.began + Duration::from_micros(slot)).since(now);
        let mac = self.mac(epoch, slot, worker);
        ComeBack::Slot { after, ticket: Ticket { epoch, slot, mac } }
    }

    /// Whether it is a ticket of ours for this worker, neither early nor late.
    fn holds(&self, ticket: Ticket, now: Instant, epoch: Epoch, worker: WorkerId) -> bool {
        let window = self.slot_of(now.before(LATE))..=self.slot_of(now);
        window.contains(&ticket.slot)
            && ticket.epoch == epoch
            && ticket.mac == self.mac(epoch, ticket.slot, worker)
    }

    fn mac(&self, epoch: Epoch, slot: u64, worker: WorkerId) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "both halves are hashed")]
        let (low, high) = (worker.0 as u64, (worker.0 >> 64) as u64);
        sip24(self.key, &[epoch.0, slot, high, low])
    }

    /// What of it decides: the clocks as far as they are ahead, and the tickets if any was ever given.
    pub(super) fn feed<H: Hasher>(&self, config: &HubConfig, view: &View, state: &mut H) {
        let Self { key, began, common, first, used, promises, cost, measured, counts } = self;
        (key, self.rate(config)).hash(state);
        (view.at((*common).max(view.now())), view.at((*first).max(view.now()))).hash(state);
        (counts.tickets_given() > 0).then(|| (view.at(*began), used, promises)).hash(state);
        (measured, cost).hash(state);
    }

    fn slot_of(&self, at: Instant) -> u64 {
        at.since(self.began).as_nanos() as u64 / 1_000
    }

    /// A time within `window` that is this worker's own.
    pub(super) fn spread(&self, worker: WorkerId, window: Duration) -> Duration {
        #[expect(clippy::cast_possible_truncation, reason = "both halves are hashed")]
        let (low, high) = (worker.0 as u64, (worker.0 >> 64) as u64);
        share(window, sip24(self.key, &[high, low]))
    }
}

/// The slots that workers were told, until they have come.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Promises {
    by_worker: BTreeMap<WorkerId, u64>,
    by_slot: BTreeSet<(u64, WorkerId)>,
}

impl Promises {
    fn of(&self, worker: WorkerId) -> Option<u64> {
        self.by_worker.get(&worker).copied()
    }

    /// Remembers the slot of a worker that has none, if there is room.
    fn keep(&mut self, worker: WorkerId, slot: u64) {
        if self.by_worker.len() < PROMISES {
            self.by_worker.insert(worker, slot);
            self.by_slot.insert((slot, worker));
        }
    }

    /// Slots up to this one have come.
    fn forget_until(&mut self, slot: u64) {
        while let Some(&(first, worker)) = self.by_slot.first()
            && first <= slot
        {
            self.by_slot.pop_first();
            self.by_worker.remove(&worker);
        }
    }
}

/// The part of `window` that a number stands for: all of it at its maximum.
fn share(window: Duration, number: u64) -> Duration {
    let nanos = (u128::from(saturating_nanos(window)) * u128::from(number)) >> 64;
    // Not above a u64, because the window is not.
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
