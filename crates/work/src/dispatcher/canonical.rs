//! What of a dispatcher decides, see [`Canonical`](crate::Canonical).

use core::hash::{Hash, Hasher};

use super::log::{Cause, Item, Pending};
use super::task::{Lease, Place, Stage, Task};
use super::window::Window;
use super::worker::{Later, Presence, Worker};
use super::{Dispatcher, Timers};
use crate::OpId;
use crate::canonical::View;

impl Dispatcher {
    pub(crate) fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        // Field by field, so that a new one has to be thought of here.
        let Self {
            config,
            start,
            ready,
            stopping,
            log,
            tasks,
            windows,
            workers,
            cancelling,
            taken,
            registrations: _,
            departed,
            asking,
            guard,
            undelivered,
            timers,
            owed,
            due,
            touched_workers,
            touched_handlers,
        } = self;
        (config, ready, stopping, departed, asking, guard, undelivered, owed, due).hash(state);
        (touched_workers, touched_handlers).hash(state);
        // Until when nothing recovered is given away; once that is over it makes no difference.
        let grace = *start + config.recovered_grace();
        let latest = *start + config.settings().lost_after.saturating_mul(2);
        for until in [grace, latest] {
            view.at(until.max(view.now())).hash(state);
        }
        log.unstored().len().hash(state);
        for Pending { op, cause, read, conflict } in log.unstored() {
            (op, read, conflict).hash(state);
            self.feed_cause(cause, state);
        }
        log.handed_out().hash(state);
        for ops in [cancelling, taken] {
            ops.len().hash(state);
            ops.iter().for_each(|(task, op)| (task, self.since_stored(*op)).hash(state));
        }
        tasks.len().hash(state);
        for (id, task) in tasks {
            id.hash(state);
            self.feed_task(task, view, state);
        }
        windows.len().hash(state);
        for (handler, window) in windows {
            handler.hash(state);
            self.feed_window(window, view, state);
        }
        workers.len().hash(state);
        for (id, worker) in workers {
            id.hash(state);
            self.feed_worker(worker, view, state);
        }
        // The others follow from leases, workers and windows.
        let Timers { accept: _, answer, lost: _, ready: _, retry: _ } = timers;
        answer.feed(view, state);
    }

    /// The number of an operation from the first one on that is not stored. Of those before it none is
    /// newer than any that is ever asked about.
    fn since_stored(&self, op: OpId) -> u64 {
        op.0.checked_sub(self.log.first()).map_or(0, |behind| behind.saturating_add(1))
    }

    /// An answer is for the registration that asked: it counts whether that is the worker's last.
    fn feed_item<H: Hasher>(&self, item: &Item, state: &mut H) {
        let Item { worker, registration, key, holding } = item;
        let last = self.workers.get(worker).map(|worker| worker.registration);
        (worker, last == Some(*registration), key, holding).hash(state);
    }

    fn feed_cause<H: Hasher>(&self, cause: &Cause, state: &mut H) {
        match cause {
            Cause::Own => state.write_u8(0),
            Cause::Item(item, fence) => {
                (1_u8, fence).hash(state);
                self.feed_item(item, state);
            }
            Cause::Unseen(item) => {
                state.write_u8(2);
                self.feed_item(item, state);
            }
            Cause::Report(report) => (3_u8, report).hash(state),
        }
    }

    fn feed_task<H: Hasher>(&self, task: &Task, view: &View, state: &mut H) {
        let Task { spec, order, attempt, retries, lost, overdue, basis, place } = task;
        (spec, order, attempt, retries, lost, overdue, self.since_stored(*basis)).hash(state);
        match place {
            Place::Queued => state.write_u8(0),
            Place::Leased(lease) => {
                let Lease {
                    worker,
                    incarnation,
                    stage,
                    cancel,
                    progress,
                    origin,
                    alias,
                    ended,
                    due,
                } = lease;
                (1_u8, worker, incarnation, cancel, progress, origin, alias, ended, due)
                    .hash(state);
                core::mem::discriminant(stage).hash(state);
                if let Stage::Offered { deadline } = stage {
                    view.at_some(*deadline).hash(state);
                }
            }
        }
    }

    fn feed_worker<H: Hasher>(&self, worker: &Worker, view: &View, state: &mut H) {
        let Worker {
            incarnation,
            registration,
            presence,
            undecided,
            slots,
            offers,
            draining,
            paused,
            muted_until,
            leases,
            unsent,
            promised,
            undelivered,
            fenced,
            believed,
            listed,
            due,
            notes,
            later,
        } = worker;
        (incarnation, *registration > 0, undecided, slots, offers, draining, paused).hash(state);
        (leases, unsent, undelivered, fenced, believed, listed, due, notes).hash(state);
        promised.len().hash(state);
        promised.iter().for_each(|op| self.since_stored(*op).hash(state));
        view.at_some(*muted_until).hash(state);
        match presence {
            Presence::Away { deadline, latest, counted } => {
                (0_u8, view.at(*deadline), view.at(*latest), counted).hash(state);
            }
            Presence::Restoring(inventory) => (1_u8, inventory).hash(state),
            Presence::Active => state.write_u8(2),
        }
        later.len().hash(state);
        for later in later {
            match later {
                Later::Item(item) => self.feed_item(item, state),
                Later::Report(report) => report.hash(state),
            }
        }
    }

    fn feed_window<H: Hasher>(&self, window: &Window, view: &View, state: &mut H) {
        let Window {
            ready,
            workers,
            offered,
            more,
            overtaken,
            passed,
            claiming,
            ready_at,
            arriving,
        } = window;
        (ready, workers, offered, more, overtaken, passed, claiming).hash(state);
        view.at_some(*ready_at).hash(state);
        // One that is stored is not waited for any more.
        arriving.map_or(0, |op| self.since_stored(op)).hash(state);
    }
}
