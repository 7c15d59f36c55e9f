//! What of a link decides, see [`Canonical`](crate::Canonical).

use core::hash::{Hash, Hasher};

use super::candidate::{Candidate, Phase};
use super::connection::{Attachment, Connection};
use super::retry::Attempts;
use super::{Identity, Link};
use crate::ConnId;
use crate::canonical::View;

impl Link {
    pub(crate) fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        // Field by field, so that a new one has to be thought of here.
        let Self {
            config,
            identity: Identity { worker, incarnation, name, versions, features },
            seed,
            state: is,
            since: _,
            reason: _,
            timers,
            last_run,
            attachment,
            connection,
            candidate,
            attempts,
            wish,
            reconnects: _,
            report,
            draining,
            hands_back,
            notices,
            statistics,
            resent: _,
            // Told when it changes, and decides nothing.
            degraded: _,
            last_conn,
            last_received: _,
            last_proven: _,
            forgiven,
            believed: _,
            outage_since: _,
        } = self;
        config.hash(state);
        (worker, incarnation, name, versions, features).hash(state);
        (is, wish, report, draining, hands_back, notices, forgiven).hash(state);
        timers.feed(view, state);
        // When it was run last matters for deadlines that are over alone.
        let overdue = timers.next().is_some_and(|(deadline, _)| view.is_over(deadline));
        overdue.then(|| view.at(*last_run)).hash(state);
        // By these alone round trips decide.
        statistics.path().p99().hash(state);
        // Until when leases hold: from it a timer is armed when the connection is lost.
        view.at_some(self.leases_until()).hash(state);
        attempts.feed(&config.reconnect, *seed, view, state);
        attachment.is_some().hash(state);
        if let Some(Attachment { session, terms, outboxes, inboxes, untold }) = attachment {
            (session, terms, untold).hash(state);
            outboxes.iter().for_each(|outbox| outbox.feed(state));
            inboxes.hash(state);
        }
        connection.is_some().hash(state);
        if let Some(connection) = connection {
            let Connection { conn, restore, beats, store_waits, features, figures_due } =
                connection;
            (age(*last_conn, *conn), restore, store_waits, features).hash(state);
            figures_due.is_some().hash(state);
            beats.feed(view, state);
        }
        candidate.is_some().hash(state);
        if let Some(Candidate { conn, attempt: _, phase }) = candidate {
            age(*last_conn, *conn).hash(state);
            core::mem::discriminant(phase).hash(state);
            if let Phase::Greeted { at, resume } = phase {
                (view.at(*at), resume).hash(state);
            }
        }
    }
}

/// How many dials ago this connection was dialled.
fn age(last: ConnId, conn: ConnId) -> u64 {
    last.0.wrapping_sub(conn.0)
}

impl Attempts {
    fn feed<H: Hasher>(&self, reconnect: &crate::Reconnect, seed: u64, view: &View, state: &mut H) {
        (self.ticket, view.at_some(self.give_up_at())).hash(state);
        let spacing = reconnect.min_spacing;
        view.at_some(self.last_dial().map(|at| (at + spacing).max(view.now()))).hash(state);
        view.at_some(self.last_kick().map(|at| (at + Attempts::KICK_SPACING).max(view.now())))
            .hash(state);
        let next = self.next();
        let settled = reconnect.max_attempts == 0 && reconnect.backoff.is_settled(next);
        settled.hash(state);
        if settled {
            (next == 1).hash(state);
        } else {
            (self.made, self.put_off, self.seed(seed), self.delay, self.spread).hash(state);
            self.down(view.now()).hash(state);
        }
    }
}
