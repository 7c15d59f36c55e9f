//! Where the worker's coordinators are, and in which order to try them.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use moorline_link::{ConnId, Instant};

use crate::Address;

/// Redirects that are followed within [`HOPS_WITHIN`]: coordinators that send a worker to and fro are
/// not followed for ever (P16).
pub(super) const HOPS_MAX: usize = 4;
/// See [`HOPS_MAX`]. A redirect that could not be tried for so long is forgotten.
pub(super) const HOPS_WITHIN: Duration = Duration::from_secs(60);
/// A failure more than this makes no difference: the history stays small, and old trouble is forgotten
/// by one success.
const FAILURES_MAX: u8 = 8;

/// What the embedder configured, what the coordinator told, and what became of each.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Directory {
    /// As configured: never forgotten.
    configured: Vec<Place>,
    /// As told by the coordinator last.
    told: Vec<Place>,
    /// Where it sent us, until that is tried.
    redirect: Option<Redirect>,
    /// What took us in last.
    good: Option<Address>,
    /// When redirects were followed, the newest last.
    hops: VecDeque<Instant>,
    /// Connections that are not registered yet: where they lead.
    open: Vec<(ConnId, Address)>,
    /// From what an order of its own is drawn, if it is not the one that was configured and told.
    shuffle: Option<u64>,
}

/// An endpoint and its history.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Place {
    address: Address,
    /// Attempts that ended before the coordinator there had taken us in, since it last did.
    failures: u8,
}

/// A redirect that is not over yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Redirect {
    to: Vec<Address>,
    since: Instant,
    /// The dial that tries it.
    by: Option<ConnId>,
}

impl Directory {
    pub(super) fn new(configured: Vec<Address>) -> Self {
        Self { configured: without_repetition(configured), ..Self::default() }
    }

    /// Places that are equally good are in an order that is drawn from this seed, and stays: workers of
    /// different seeds spread over them (P15).
    pub(super) fn shuffled(self, seed: u64) -> Self {
        Self { shuffle: Some(seed), ..self }
    }

    /// Where a dial is to go: all places in the order to try them, each once. Where a redirect points comes
    /// first; then what failed least, the one that took us in last before the others. `beside` a
    /// connection that stands only a redirect is tried: falling back is staying.
    pub(super) fn dial(&mut self, now: Instant, conn: ConnId, beside: bool) -> Vec<Address> {
        self.redirect.take_if(|redirect| now.since(redirect.since) >= HOPS_WITHIN);
        let mut order = Vec::new();
        if let Some(redirect) = &mut self.redirect {
            redirect.by = Some(conn);
            order.clone_from(&redirect.to);
            if beside {
                return order;
            }
        }
        let good = self.good.iter().filter(|good| !self.knows(good)).map(|good| (0, good));
        let known = self.configured.iter().chain(&self.told);
        let mut rest: Vec<_> =
            good.chain(known.map(|place| (place.failures, &place.address))).collect();
        // Stable: what is equal stays as it was configured and told, unless it is shuffled.
        let rank = |address: &Address| self.shuffle.map_or(0, |seed| hash(seed, address));
        rest.sort_by_key(|(failures, address)| {
            (*failures, self.good.as_ref() != Some(*address), rank(address))
        });
        for (_, address) in rest {
            if !order.contains(address) {
                order.push(address.clone());
            }
        }
        order
    }

    /// The coordinator told where it can be reached too. What was known of a place stays known. Answers those
    /// that are known by its word alone, if they are others than before.
    pub(super) fn tell(&mut self, addresses: Vec<Address>) -> Option<Vec<Address>> {
        let known = std::mem::take(&mut self.told);
        self.told = without_repetition(addresses);
        self.told.retain(|place| !self.configured.iter().any(|c| c.address == place.address));
        for place in &mut self.told {
            if let Some(before) = known.iter().find(|before| before.address == place.address) {
                place.failures = before.failures;
            }
        }
        let of = |places: &[Place]| places.iter().map(|p| p.address.clone()).collect::<Vec<_>>();
        let told = of(&self.told);
        (told != of(&known)).then_some(told)
    }

    /// The coordinator sends us there. Whether we go: not more often than [`HOPS_MAX`] lately.
    pub(super) fn redirect(&mut self, now: Instant, to: Vec<Address>) -> bool {
        while self.hops.front().is_some_and(|hop| now.since(*hop) >= HOPS_WITHIN) {
            self.hops.pop_front();
        }
        if self.hops.len() >= HOPS_MAX {
            return false;
        }
        self.hops.push_back(now);
        self.redirect = Some(Redirect { to, since: now, by: None });
        true
    }

    /// Redirects followed lately.
    pub(super) fn followed(&self) -> usize {
        self.hops.len()
    }

    /// A dial reached this place.
    pub(super) fn reached(&mut self, conn: ConnId, at: Address) {
        self.open.push((conn, at));
    }

    /// Whether this connection leads to where a redirect points, and we were not taken in there yet.
    pub(super) fn follows(&self, conn: ConnId) -> bool {
        let at = self.open.iter().find(|(open, _)| *open == conn);
        at.zip(self.redirect.as_ref()).is_some_and(|((_, at), redirect)| {
            redirect.by == Some(conn) && redirect.to.contains(at)
        })
    }

    /// The coordinator there took us in.
    pub(super) fn registered(&mut self, conn: ConnId) {
        self.redirect.take_if(|redirect| redirect.by == Some(conn));
        let Some(at) = self.take_open(conn) else { return };
        for place in self.places().filter(|place| place.address == at) {
            place.failures = 0;
        }
        self.good = Some(at);
    }

    /// A connection or a dial ended. If it did before we were taken in, other places come before that one
    /// from now on. Whether it was to follow a redirect: what failed is not tried again for it.
    pub(super) fn ended(&mut self, conn: ConnId) -> bool {
        if let Some(at) = self.take_open(conn) {
            for place in self.places().filter(|place| place.address == at) {
                place.failures = place.failures.saturating_add(1).min(FAILURES_MAX);
            }
            // What was reached by a redirect only is not tried again once it fails.
            self.good.take_if(|good| *good == at);
        }
        self.redirect.take_if(|redirect| redirect.by == Some(conn)).is_some()
    }

    /// What it decides from `now` on, see [`Canonical`](crate::Canonical).
    pub(super) fn feed<H: Hasher>(&self, now: Instant, far: Duration, state: &mut H) {
        // Of which connections it is follows from the link.
        let Self { configured, told, redirect, good, hops, open, shuffle } = self;
        let ages: Vec<_> = hops.iter().map(|hop| now.since(*hop).min(far)).collect();
        let open: Vec<_> = open.iter().map(|(_, at)| at).collect();
        let redirect = redirect
            .as_ref()
            .map(|Redirect { to, since, by }| (to, now.since(*since).min(far), by.is_some()));
        (configured, told, redirect, good, ages, open, shuffle).hash(state);
    }

    fn take_open(&mut self, conn: ConnId) -> Option<Address> {
        let at = self.open.iter().position(|(open, _)| *open == conn)?;
        Some(self.open.swap_remove(at).1)
    }

    fn knows(&self, address: &Address) -> bool {
        self.configured.iter().chain(&self.told).any(|place| place.address == *address)
    }

    fn places(&mut self) -> impl Iterator<Item = &mut Place> {
        self.configured.iter_mut().chain(&mut self.told)
    }
}

/// The same number for the same place and seed, on every machine: FNV-1a, mixed as by SplitMix64.
fn hash(seed: u64, address: &Address) -> u64 {
    let start = seed ^ 0xcbf2_9ce4_8422_2325;
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let z = address.as_str().as_bytes().iter().fold(start, fold);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn without_repetition(addresses: Vec<Address>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !places.iter().any(|place| place.address == address) {
            places.push(Place { address, failures: 0 });
        }
    }
    places
}

#[cfg(test)]
mod tests;
