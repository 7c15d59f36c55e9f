//! What a worker's log says of places it is sent to.

use moorline_link::Reason;
use moorline_node::Address;
use tracing::{info, warn};

use super::WorkerLog;
use crate::log::{Code, List};

impl WorkerLog {
    pub(super) fn told(&self, endpoints: &[Address]) {
        let said = match endpoints {
            [] => "Coordinator says that it is found nowhere else any more".to_owned(),
            some => format!("Coordinator says that it is found at {} too", List(some)),
        };
        info!(
            event = "link.endpoints", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), to = %List(endpoints), "{said}"
        );
    }

    pub(super) fn redirected(&self, to: &[Address]) {
        info!(
            event = "link.redirected", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), to = %List(to),
            "Coordinator sends this worker to {}", List(to)
        );
    }

    pub(super) fn redirect_ignored(&self, followed: usize) {
        warn!(
            event = "link.redirect_ignored", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(),
            "Sent elsewhere {followed} times within a minute: this worker follows no more for now"
        );
    }

    pub(super) fn redirect_failed(&self, reason: Reason) {
        warn!(
            event = "link.redirect_failed", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(),
            reason = %reason, code = %Code(reason),
            "Place this worker was sent to did not take it in: {reason} ({}); it stays, or goes back \
             to where it was", Code(reason)
        );
    }
}
