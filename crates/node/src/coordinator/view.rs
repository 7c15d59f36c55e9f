//! What the coordinator sees of its workers, for lists.

use moorline_link::{Admissions, Instant, Presence, WorkerId, WorkerSnapshot};

use super::{CoordinatorNode, WorkerView};
use crate::frame::convert;
use crate::{CoordinatorLoad, Name};

impl CoordinatorNode {
    /// Every worker that is known, by id; computed from freshness now.
    pub fn workers(&self, now: Instant) -> impl Iterator<Item = WorkerView> + '_ {
        self.workers.keys().filter_map(move |&worker| self.worker(now, worker))
    }

    /// One worker.
    #[must_use]
    pub fn worker(&self, now: Instant, worker: WorkerId) -> Option<WorkerView> {
        let file = self.workers.get(&worker)?;
        let seen: Option<WorkerSnapshot> = self.hub.worker(now, worker);
        let effective = self.hub.effective(now);
        Some(WorkerView {
            worker,
            name: file.known.name.clone(),
            presence: seen.map_or(Presence::Departed, |s| s.presence),
            since: seen.map_or(std::time::Duration::ZERO, |s| effective.since(s.since)),
            reason: seen.and_then(|s| s.reason),
            slots: file.slots,
            running: self.leases_of(worker),
            last_contact: seen.and_then(|s| s.last_received).map(|at| effective.since(at)),
            rtt: seen.and_then(|s| s.rtt),
            statistics: seen.and_then(|s| s.statistics),
            conn: seen.and_then(|s| s.conn),
            software: file.software.clone(),
            cordoned: file.known.cordoned,
            flapping: seen.and_then(|s| s.flapping),
            moves: self.is_movable(worker),
        })
    }

    /// The presence of one worker alone: what [`worker`](Self::worker) says, for little.
    #[must_use]
    pub fn presence(&self, now: Instant, worker: WorkerId) -> Option<Presence> {
        self.workers.get(&worker)?;
        Some(self.hub.presence_of(now, worker).unwrap_or(Presence::Departed))
    }

    /// Who announced this handler in its present session, by id.
    #[must_use]
    pub fn offering(&self, handler: &Name) -> Vec<WorkerId> {
        let Some(sym) = self.handlers.get(handler) else { return Vec::new() };
        self.dispatcher.offering(moorline_work::Sym(sym)).map(convert::worker_back).collect()
    }

    /// Whether an operator may have this worker forgotten: it is not here, and holds no lease.
    #[must_use]
    pub fn is_forgettable(&self, worker: WorkerId) -> bool {
        let gone = match self.hub.worker(self.now, worker) {
            Some(seen) => {
                matches!(seen.presence, Presence::Expected | Presence::Lost | Presence::Departed)
            }
            // It left in an earlier life, and is known for what an operator wanted of it.
            None => self.workers.contains_key(&worker),
        };
        gone && self.leases_of(worker) == 0
    }

    /// Numbered messages to workers that were sent again in this life, because a session went on over a
    /// new connection.
    #[must_use]
    pub const fn resent(&self) -> u64 {
        self.hub.resent()
    }

    /// Registrations that were put off in this life.
    #[must_use]
    pub const fn admissions(&self) -> Admissions {
        self.hub.admissions()
    }

    /// Workers that have a connection.
    #[must_use]
    pub fn attached(&self) -> usize {
        self.hub.attached()
    }

    /// Nobody comes in any more: a lame duck or a stop.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.hub.is_leaving()
    }

    /// Names of workers that are kept: those of known workers, and of strangers being judged.
    #[must_use]
    pub fn worker_names(&self) -> usize {
        self.names.len()
    }

    /// Operations for the store that are not durable yet.
    #[must_use]
    pub fn awaits_store(&self) -> bool {
        self.storage.under_way() > 0
    }

    /// How much it holds.
    #[must_use]
    pub fn load(&self) -> CoordinatorLoad {
        let (results, assignments, submits) = self.storage.load();
        CoordinatorLoad {
            connections: self.hub.connections().max(self.conns.len()),
            outgoing: self.outbox.len(),
            results,
            assignments,
            submits,
            tasks: self.dispatcher.tasks(),
        }
    }

    /// Messages for workers that they have not processed yet.
    #[must_use]
    pub fn has_outgoing(&self) -> bool {
        !self.outbox.is_empty()
    }
}
