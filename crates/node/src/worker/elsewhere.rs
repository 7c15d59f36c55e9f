//! What a coordinator tells of other places: looked at by the driver first, then kept or gone to.

use std::time::Duration;

use moorline_link::{ComeBack, ConnId, Dismissal, Instant, LinkInput, LinkVerdict, Reason, State};

use super::{Vet, WorkerAction, WorkerEvent, WorkerNode, WorkerVerdict};
use crate::Address;

impl WorkerNode {
    /// A peer told of endpoints: whether it may is for the driver to say, which knows who the peer is.
    pub(super) fn told(
        &mut self,
        now: Instant,
        conn: ConnId,
        vet: Vet,
        mut endpoints: Vec<Address>,
    ) -> WorkerVerdict {
        match self.link.handle(now, LinkInput::Received { conn }) {
            LinkVerdict::Accepted => {}
            LinkVerdict::Stale
            | LinkVerdict::Deliver
            | LinkVerdict::Duplicate
            | LinkVerdict::Answer
            | LinkVerdict::Later { .. }
            | LinkVerdict::Rejected(_)
            | LinkVerdict::Violation(_) => return WorkerVerdict::Stale,
        }
        endpoints.truncate(Address::COUNT_MAX);
        self.act(WorkerAction::Vet { conn, vet, endpoints });
        WorkerVerdict::Accepted
    }

    pub(super) fn vetted(
        &mut self,
        now: Instant,
        vet: Vet,
        endpoints: Vec<Address>,
    ) -> WorkerVerdict {
        match vet {
            Vet::Endpoints => {
                if let Some(endpoints) = self.directory.tell(endpoints) {
                    self.event(WorkerEvent::Told { endpoints });
                }
            }
            Vet::Redirect if endpoints.is_empty() => {}
            Vet::Redirect => return self.redirected(now, endpoints),
        }
        WorkerVerdict::Accepted
    }

    fn redirected(&mut self, now: Instant, endpoints: Vec<Address>) -> WorkerVerdict {
        let to = endpoints.clone();
        if !self.directory.redirect(now, endpoints) {
            let followed = self.directory.followed();
            self.event(WorkerEvent::RedirectIgnored { followed });
            return WorkerVerdict::Accepted;
        }
        self.event(WorkerEvent::Redirected { to });
        match self.link.state() {
            // The place is proven beside the connection that stands.
            State::Registered | State::Active => self.ask(now, LinkInput::Migrate),
            // The next dial begins there.
            State::Disconnected | State::Connecting | State::Failed | State::Shutdown => {
                WorkerVerdict::Accepted
            }
        }
    }

    /// What a refusal comes to. Whoever was only named by another has no last word: a worker that is refused
    /// for good where it was sent to goes back to where it was (P16).
    pub(super) fn refusal(&self, conn: ConnId, dismissal: Dismissal) -> Dismissal {
        if dismissal.is_final() && self.directory.follows(conn) {
            return Dismissal { come_back: ComeBack::After(Duration::ZERO), ..dismissal };
        }
        dismissal
    }

    /// A connection or a dial ended, or is given up.
    pub(super) fn gone(&mut self, conn: ConnId, reason: Reason) {
        if self.directory.ended(conn) {
            self.event(WorkerEvent::RedirectFailed { reason });
        }
    }
}
