//! What of a coordinator's node decides, see [`Canonical`](crate::Canonical).

use std::hash::{Hash, Hasher};
use std::time::Duration;

use moorline_link::Instant;

use super::CoordinatorNode;
use crate::frame::convert;

impl CoordinatorNode {
    pub(crate) fn feed<H: Hasher>(&self, now: Instant, far: Duration, state: &mut H) {
        // Field by field, so that a new one has to be thought of here.
        let Self {
            hub,
            dispatcher,
            epoch,
            software,
            retry,
            seed,
            handlers,
            names,
            workers,
            conns,
            outbox,
            storage,
            // How many wait is known from the store; else for people.
            events: _,
            places,
            out,
            authenticates,
            wants_certificates,
            waiting,
            // The time of the last input.
            now: _,
        } = self;
        moorline_link::Canonical::new(hub, now, far).hash(state);
        let effective = convert::instant(hub.effective(now));
        moorline_work::Canonical::new(dispatcher, effective, far).hash(state);
        (epoch, software, retry, seed, handlers, names, workers, conns, out).hash(state);
        (authenticates, wants_certificates, waiting, places).hash(state);
        outbox.feed(state);
        storage.feed(state);
    }
}
