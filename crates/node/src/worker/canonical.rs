//! What of a worker's node decides, see [`Canonical`](crate::Canonical).

use std::hash::{Hash, Hasher};
use std::time::Duration;

use moorline_link::Instant;

use super::{Wire, WorkerNode};
use crate::frame::convert;

impl WorkerNode {
    pub(crate) fn feed<H: Hasher>(&self, now: Instant, far: Duration, state: &mut H) {
        // Field by field, so that a new one has to be thought of here.
        let Self {
            link,
            runner,
            // These two follow from what it was made of.
            names: _,
            about,
            credential,
            directory,
            bodies,
            journal,
            wire,
            // For an event.
            coordinator: _,
            told,
            due,
            freed,
        } = self;
        moorline_link::Canonical::new(link, now, far).hash(state);
        moorline_work::Canonical::new(runner, convert::instant(now), far).hash(state);
        // Of which connection it is follows from the link.
        let credential = credential.as_ref().map(|(_, credential)| credential);
        (about, credential, told, due, freed).hash(state);
        directory.feed(now, far, state);
        bodies.feed(state);
        journal.is_some().hash(state);
        if let Some(journal) = journal {
            journal.feed(state);
        }
        wire.is_some().hash(state);
        if let Some(Wire { conn, incoming, outgoing, inventory, answered }) = wire {
            (Some(*conn) == link.snapshot().conn, incoming, outgoing, inventory, answered)
                .hash(state);
        }
    }
}
