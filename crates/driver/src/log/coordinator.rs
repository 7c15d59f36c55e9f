//! A coordinator's log: what its node says, with what the driver knows beside it.

use std::time::Duration;

use moorline_link::{Epoch, Flapping, HubSettings, Instant, Reason};
use moorline_node::{CoordinatorEvent, Name};
use moorline_store::{Pruned, StoreError};
use moorline_transport::{AcceptError, Endpoint};
use moorline_work::Disposition;
use tracing::{debug, error, info, warn};

use super::{Code, Key, Session, StoreCode, Task, Time, millis, plural};
use crate::coordinator::peer::Peer;

/// Writes a coordinator's log. It decides nothing.
pub(crate) struct CoordinatorLog {
    epoch: Epoch,
    started: Instant,
    lost_after: Duration,
    flap_window: Duration,
}

impl CoordinatorLog {
    pub(crate) fn new(epoch: Epoch, started: Instant, hub: &HubSettings) -> Self {
        let HubSettings { lost_after, flap_window, .. } = *hub;
        Self { epoch, started, lost_after, flap_window }
    }

    /// It listens; what earlier lives left is read next.
    pub(crate) fn listening(&self, endpoints: &[Endpoint]) {
        for endpoint in endpoints {
            info!(
                event = "coordinator.listening", role = "coordinator", epoch = %self.epoch.0, remote = %endpoint,
                "Listening for workers on {endpoint}"
            );
        }
    }

    /// Something the node finds worth a line. `peer` is the other end of the connection it is about.
    pub(crate) fn event(&self, now: Instant, event: &CoordinatorEvent, peer: Option<&Peer>) {
        match event {
            // With nobody to be sent away it stops at once, and says that.
            CoordinatorEvent::Leaving { attached: 0, .. } => {}
            CoordinatorEvent::Leaving { attached, grace, spread } => {
                self.draining(*attached, *grace, *spread);
            }
            CoordinatorEvent::Recovered { leases, workers } => {
                let took = now.since(self.started);
                info!(
                    event = "coordinator.started",
                    role = "coordinator",
                    epoch = %self.epoch.0,
                    took_ms = millis(took),
                    workers,
                    tasks = leases,
                    "Coordinator ready in {} ms: {workers} worker{} expected, {leases} task{} recovered, epoch {}",
                    millis(took),
                    plural(u64::from(*workers)),
                    plural(u64::from(*leases)),
                    self.epoch.0
                );
            }
            CoordinatorEvent::Registered { worker, name, resumed, session, conn: _ } => {
                let session = Session(self.epoch, *session);
                let kind = if *resumed { "resumed" } else { "new" };
                let (remote, transport) =
                    peer.map_or(("?", "?"), |peer| (&*peer.remote, &*peer.transport));
                info!(
                    event = "worker.registered", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                    id = format_args!("{:032x}", worker.0), session = %session, kind, remote, transport,
                    "Worker '{name}' registered (session {session}, {kind}) from {remote} by {transport}"
                );
            }
            CoordinatorEvent::Active { name, away: _ } => debug!(
                event = "worker.active", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                "Worker '{name}' is active"
            ),
            CoordinatorEvent::Detached { name, reason, silent, leases } => warn!(
                event = "worker.disconnected", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                reason = %reason, code = %Code(*reason), silent_ms = millis(*silent), leases,
                "Worker {name} disconnected ({reason}, last contact {} ago, {leases} lease{} kept {})",
                Time(*silent), plural(u64::from(*leases)), Time(self.lost_after.saturating_sub(*silent))
            ),
            CoordinatorEvent::Suspect { name, suspect } => {
                let (event, what) = if *suspect {
                    ("worker.suspect", "is late: nothing is taken from it")
                } else {
                    ("worker.heard", "was heard again")
                };
                info!(
                    event, role = "coordinator", epoch = %self.epoch.0, worker = %name,
                    "Worker {name} {what}"
                );
            }
            CoordinatorEvent::Lost { name, .. } => warn!(
                event = "worker.lost", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                lost_after_ms = millis(self.lost_after),
                "Worker {name} lost: not heard for {}, its leases are given away", Time(self.lost_after)
            ),
            CoordinatorEvent::Departed { name, reason } => info!(
                event = "worker.departed", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                reason = %reason, code = %Code(*reason),
                "Worker {name} left: {reason}"
            ),
            // A fleet that comes back is not a fault: the workers have their times.
            CoordinatorEvent::Refused { name, reason: reason @ Reason::RateLimited } => debug!(
                event = "worker.deferred", role = "coordinator", epoch = %self.epoch.0,
                worker = name.as_ref().map_or("a stranger", |name| name.as_str()),
                reason = %reason, code = %Code(*reason),
                "Gave a later slot to a worker that came before its turn"
            ),
            CoordinatorEvent::Flapping { name, flapping } => self.flapping(name, *flapping),
            CoordinatorEvent::Forgotten { name } => info!(
                event = "worker.forgotten", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                "Worker {name} is forgotten: it was gone for long, or an operator wanted it"
            ),
            CoordinatorEvent::HandlersFull { name, left_out } => warn!(
                event = "worker.handlers_full", role = "coordinator", epoch = %self.epoch.0,
                worker = %name, left_out,
                "Worker {name} gets no tasks of {left_out} of its handlers: too many different ones \
                 are known. Use fewer, or restart the coordinator when the worker that brought them is gone"
            ),
            CoordinatorEvent::Refused { name, reason } => {
                let name = name.as_ref().map_or("a stranger", |name| name.as_str());
                let remote = peer.map_or("?", |peer| &*peer.remote);
                warn!(
                    event = "worker.refused", role = "coordinator", epoch = %self.epoch.0, worker = name,
                    reason = %reason, code = %Code(*reason), remote,
                    "Refused {name}: {reason} ({}). {}", Code(*reason), reason.remedy()
                );
            }
            CoordinatorEvent::Assigned { key, name } => debug!(
                event = "task.assigned", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                task = %Task(key.task), attempt = key.attempt.0,
                "Assigned {} to {name}", Key(*key)
            ),
            CoordinatorEvent::Redelivered { key } => info!(
                event = "task.redelivered", role = "coordinator", epoch = %self.epoch.0,
                task = %Task(key.task), attempt = key.attempt.0,
                "Attempt {} of {} is over without a result: queued again", key.attempt.0, Task(key.task)
            ),
            CoordinatorEvent::Settled { key, name, disposition } => {
                let is_news = *disposition != Disposition::Accepted;
                let disposition = disposition.name();
                if !is_news {
                    debug!(
                        event = "task.result_settled", role = "coordinator", epoch = %self.epoch.0,
                        worker = %name, task = %Task(key.task), attempt = key.attempt.0, disposition,
                        "Result of {} from {name}: {disposition}", Key(*key)
                    );
                } else {
                    info!(
                        event = "task.result_settled", role = "coordinator", epoch = %self.epoch.0,
                        worker = %name, task = %Task(key.task), attempt = key.attempt.0, disposition,
                        "Result of {} from {name}: {disposition}", Key(*key)
                    );
                }
            }
            CoordinatorEvent::Stalled { late } => warn!(
                event = "clock.jump",
                role = "coordinator",
                epoch = %self.epoch.0,
                late_ms = millis(*late),
                "Not run for {}: no worker is blamed for it",
                Time(*late)
            ),
            // Newer than this driver: rather a plain line than none.
            other => debug!(
                event = "coordinator.event",
                role = "coordinator",
                epoch = %self.epoch.0,
                "{other:?}"
            ),
        }
    }

    pub(crate) fn undecodable(&self, peer: Option<&Peer>, error: &moorline_wire::DecodeError) {
        let remote = peer.map_or("?", |peer| &*peer.remote);
        warn!(
            event = "link.undecodable", role = "coordinator", epoch = %self.epoch.0, remote,
            reason = %Reason::ProtocolError, code = %Code(Reason::ProtocolError),
            "{remote} sent what is no packet: {error}"
        );
    }

    fn flapping(&self, name: &Name, flapping: Option<Flapping>) {
        match flapping {
            Some(Flapping { losses, reason, median_life }) => warn!(
                event = "worker.flapping", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                losses, reason = %reason, code = %Code(reason),
                median_life_s = median_life.as_secs_f64(),
                "Worker {name} flapped {losses} times in {} (common reason {reason}, median life {})",
                Time(self.flap_window), Time(median_life)
            ),
            None => info!(
                event = "worker.calm", role = "coordinator", epoch = %self.epoch.0, worker = %name,
                "Worker {name} does not flap any more"
            ),
        }
    }

    /// Workers are sent away.
    fn draining(&self, connected: usize, grace: Duration, spread: Duration) {
        info!(
            event = "coordinator.draining",
            role = "coordinator",
            epoch = %self.epoch.0,
            connected,
            "Draining: nobody is let in, and {connected} worker{} sent away after {} within {}",
            if connected == 1 { " is" } else { "s are" },
            Time(grace),
            Time(spread)
        );
    }

    /// A drain is over. Whoever is still there is sent away with everybody at once.
    pub(crate) fn drained(&self, left: usize) {
        if left == 0 {
            return;
        }
        warn!(
            event = "coordinator.drain_over",
            role = "coordinator",
            epoch = %self.epoch.0,
            left,
            "Draining is over, and {left} worker{} still connected: sent away at once",
            if left == 1 { " is" } else { "s are" }
        );
    }

    pub(crate) fn stopping(&self) {
        info!(event = "shutdown.begin", role = "coordinator", epoch = %self.epoch.0, "Stopping");
    }

    pub(crate) fn stopped(&self, undone: usize) {
        info!(event = "shutdown.end", role = "coordinator", epoch = %self.epoch.0, "Stopped");
        if undone > 0 {
            // Nobody was told that they happened.
            warn!(
                event = "shutdown.unsaved",
                role = "coordinator",
                epoch = %self.epoch.0,
                operations = undone,
                "{undone} operations could not be stored in time; none of them was acknowledged"
            );
        }
    }

    pub(crate) fn store_broken(&self, error: &StoreError) {
        error!(
            event = "store.error", role = "coordinator", epoch = %self.epoch.0, code = %StoreCode(error),
            "The store cannot be used any more: {error}. Stopping; nothing that was acknowledged depends \
             on what failed"
        );
    }

    pub(crate) fn store_stalled(&self, after: Duration) {
        error!(
            event = "store.stalled",
            role = "coordinator",
            epoch = %self.epoch.0,
            silent_ms = millis(after),
            "The store has not answered for {}; refusing new work, workers keep what they have",
            Time(after)
        );
    }

    pub(crate) fn store_goes_on(&self, outage: Duration) {
        info!(
            event = "store.recovered",
            role = "coordinator",
            epoch = %self.epoch.0,
            outage_ms = millis(outage),
            "The store answers again after {}",
            Time(outage)
        );
    }

    pub(crate) fn store_thread_ended(&self) {
        error!(
            event = "store.error",
            role = "coordinator",
            epoch = %self.epoch.0,
            "The store's thread has ended: stopping"
        );
    }
}

/// Taking connections failed: said once until one is taken again.
pub(crate) fn accept_failed(endpoint: &Endpoint, error: &AcceptError, again_in: Duration) {
    warn!(
        event = "listener.error", role = "coordinator", remote = %endpoint, again_in_ms = millis(again_in),
        "Cannot take connections on {endpoint}: {error}"
    );
}

pub(crate) fn accept_works_again(endpoint: &Endpoint, outage: Duration) {
    info!(
        event = "listener.recovered", role = "coordinator", remote = %endpoint, outage_ms = millis(outage),
        "Taking connections on {endpoint} again after {}", Time(outage)
    );
}

pub(crate) fn listener_ended(endpoint: &Endpoint, error: &AcceptError) {
    error!(
        event = "listener.ended", role = "coordinator", remote = %endpoint,
        "Not listening on {endpoint} any more: {error}"
    );
}

/// Somebody set the system's clock.
pub(crate) fn clock_set(by: Duration, forward: bool) {
    let (way, then) = if forward {
        ("forward", "what is kept for a time does not age by it at once")
    } else {
        ("back", "what is written down goes on from where it was until a restart")
    };
    warn!(
        event = "clock.set",
        role = "coordinator",
        by_ms = millis(by),
        way,
        "The system's clock was set {way} by {}: nobody is disconnected for it, and {then}",
        Time(by)
    );
}

/// A commit failed: said once when it begins.
pub(crate) fn store_failed(error: &StoreError) {
    error!(
        event = "store.error", role = "coordinator", code = %StoreCode(error),
        "Store write failed; refusing new work: {error}"
    );
}

/// And summed up while it lasts.
pub(crate) fn store_still_fails(error: &StoreError, outage: Duration, tries: u32) {
    error!(
        event = "store.error", role = "coordinator", code = %StoreCode(error),
        outage_ms = millis(outage), attempts = tries,
        "Store writes fail for {}, {tries} tries: {error}",
        Time(outage)
    );
}

pub(crate) fn store_recovered(outage: Duration, tries: u32) {
    info!(
        event = "store.recovered",
        role = "coordinator",
        outage_ms = millis(outage),
        attempts = tries,
        "Store writes work again after {}",
        Time(outage)
    );
}

pub(crate) fn prune_failed(error: &StoreError) {
    warn!(
        event = "store.prune_failed",
        role = "coordinator",
        "What is older than it is kept was not pruned: {error}"
    );
}

pub(crate) fn pruned(pruned: Pruned) {
    let Pruned { tasks, events, workers } = pruned;
    debug!(
        event = "store.pruned",
        role = "coordinator",
        tasks,
        events,
        workers,
        "Pruned {tasks} finished tasks, {events} events and {workers} workers that were gone"
    );
}

#[cfg(test)]
mod tests;
