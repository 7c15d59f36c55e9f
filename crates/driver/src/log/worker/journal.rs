//! What a worker's journal has to say.

use std::time::Duration;

use moorline_node::Name;
use moorline_store::{JournalSize, StoreError};
use tracing::{error, info, warn};

use crate::log::{StoreCode, Time, millis, plural};

/// What earlier processes left.
pub(crate) fn loaded(worker: &Name, results: usize) {
    if results > 0 {
        let are = if results == 1 { "is" } else { "are" };
        info!(
            event = "journal.loaded", role = "worker", worker = %worker, tasks = results,
            "{results} result{} of an earlier process {are} kept and will be delivered",
            plural(results as u64)
        );
    }
}

/// A commit failed for the first time, and will be tried again until it works.
pub(crate) fn failing(worker: &Name, error: &StoreError) {
    error!(
        event = "journal.failing", role = "worker", worker = %worker, code = %StoreCode(error),
        "The journal cannot be written, and is tried again: until it can, results are held in memory \
         only, and no handler starts in the slot of one that is not answered: {error}"
    );
}

pub(crate) fn works(worker: &Name, outage: Duration) {
    info!(
        event = "journal.works", role = "worker", worker = %worker, outage_ms = millis(outage),
        "The journal works again after {}", Time(outage)
    );
}

/// It is not tried again.
pub(crate) fn broken(worker: &Name, error: &StoreError) {
    error!(
        event = "journal.broken", role = "worker", worker = %worker, code = %StoreCode(error),
        "The journal is of no use any more: results are held in memory only, and no handler starts in the \
         slot of one that is not answered. Stop the worker when its results are delivered, move the \
         journal away and start it again: {error}"
    );
}

/// Its thread ended without a word.
pub(crate) fn gone(worker: &Name) {
    error!(
        event = "journal.broken", role = "worker", worker = %worker,
        "The thread of the journal has panicked: results are held in memory only, and no handler starts in \
         the slot of one that is not answered. Restart the worker when its results are delivered"
    );
}

/// For some results there is no room.
pub(crate) fn full(worker: &Name, results: usize, size: JournalSize) {
    let JournalSize { results: kept, bytes, max_bytes } = size;
    warn!(
        event = "journal.full", role = "worker", worker = %worker, tasks = results, kept, bytes, max_bytes,
        "The journal has no room for {results} more result{}: {kept} with {bytes} of {max_bytes} bytes wait \
         to be answered. What is not kept is held in memory only, and no handler starts in its slot; \
         worker.disconnected.journal_max sets the size",
        plural(results as u64)
    );
}

/// The loop has ended before all was written.
pub(crate) fn unwritten(worker: &Name, writes: usize) {
    warn!(
        event = "journal.unwritten", role = "worker", worker = %worker, writes,
        "{writes} write{} to the journal did not end in time: a result may be lost or offered again",
        plural(writes as u64)
    );
}
