//! Workers that live and take nothing: neither bytes off their connection nor messages off their lanes.
//!
//! Their beats prove that they live, so silence never ends their connection. What they were sent stays
//! in the coordinator's memory, and their leases stand, until this does.

use core::hash::{Hash, Hasher};
use core::time::Duration;

use super::Hub;
use super::config::HubConfig;
use super::connection::Connection;
use super::io::HubTimer;
use super::member::Member;
use super::session::{Attached, Attachment, Due, Session};
use crate::canonical::View;
use crate::{ConnId, Instant, Outbox, Reason, WorkerId};

/// Since when a connection has brought nothing across.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Flow {
    /// Since when the transport has been full.
    full: Option<Instant>,
    /// Since when messages are unacknowledged without any progress: an acknowledgement of one of
    /// them, or room in a transport that was full.
    unacknowledged: Option<Instant>,
}

impl Flow {
    /// The deadlines that follow from it.
    pub(super) fn feed<H: Hasher>(
        &self,
        config: &HubConfig,
        beat_interval: Duration,
        view: &View,
        state: &mut H,
    ) {
        let Self { full, unacknowledged } = self;
        let (flow, ack) = (config.flow_timeout(beat_interval), config.settings().ack_timeout);
        view.at_some(full.map(|since| since + flow)).hash(state);
        view.at_some(unacknowledged.map(|since| since + ack)).hash(state);
    }

    /// Of a connection that takes over now.
    pub(super) fn new(writable: bool, now: Instant) -> Self {
        Self { full: (!writable).then_some(now), unacknowledged: None }
    }
}

impl Hub {
    pub(super) fn set_writable(&mut self, conn: ConnId, writable: bool) {
        let now = self.clock.last();
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.writable = writable;
        connection.offered = false;
        let worker = connection.worker();
        if let Some(attached) =
            worker.and_then(|worker| self.workers.get_mut(&worker)).and_then(Member::attached_mut)
        {
            attached.flow.transport(writable, now);
        }
        match worker {
            Some(worker) => self.note_worker(worker),
            None => self.note_conn(conn),
        }
    }

    /// The connection of a worker brings nothing across: it ends. What was sent in its session does not
    /// go on in another connection ([`Session::may_resume`]).
    pub(super) fn end_stalled(&mut self, worker: WorkerId) {
        self.dismiss(worker, Reason::FlowStalled);
    }

    /// The flow of a connection that begins to carry a session.
    pub(super) fn fresh_flow(&self, conn: ConnId) -> Flow {
        let writable = self.conns.get(&conn).is_none_or(Connection::is_writable);
        Flow::new(writable, self.clock.last())
    }
}

impl Flow {
    fn transport(&mut self, writable: bool, now: Instant) {
        if !writable {
            self.full.get_or_insert(now);
        } else if self.full.take().is_some() {
            // Bytes have left: on a thin line a large message takes its time.
            self.unacknowledged = self.unacknowledged.and(Some(now));
        }
    }
}

impl Session {
    /// When the connection has to have brought something across, and which timer says so.
    pub(super) fn flow_deadline(
        &self,
        attached: &Attached,
        config: &HubConfig,
    ) -> Option<(Instant, HubTimer)> {
        let Flow { full, unacknowledged } = attached.flow;
        let full =
            full.map(|since| (since + config.flow_timeout(self.beat_interval), HubTimer::Full));
        let timeout = config.settings().ack_timeout;
        let unacknowledged =
            unacknowledged.map(|since| (since + timeout, HubTimer::Unacknowledged));
        match (full, unacknowledged) {
            (Some(full), Some(unacknowledged)) => Some(full.min(unacknowledged)),
            (one, other) => one.or(other),
        }
    }

    /// Something is being transmitted: if it has a number, its acknowledgement is owed from now on.
    /// Returns the deadline that this session has by that, if it had none for it.
    #[must_use]
    pub(super) fn is_sent(
        &mut self,
        due: Due,
        now: Instant,
        config: &HubConfig,
    ) -> Option<Instant> {
        let is_message = matches!(due, Due::Message(..));
        let attached = self.attached_mut().filter(|_| is_message)?;
        if attached.flow.unacknowledged.is_some() {
            return None;
        }
        attached.flow.unacknowledged = Some(now);
        Some(now + config.settings().ack_timeout)
    }

    /// The worker acknowledged something it had not before.
    pub(super) fn makes_progress(&mut self, now: Instant) {
        let owes = self.lanes.lanes().out.iter().any(Outbox::awaits_ack);
        if let Some(attached) = self.attached_mut() {
            attached.flow.unacknowledged = owes.then_some(now);
        }
    }

    /// Whether its lanes may go on when its process comes back. Not if it took nothing off them, or did
    /// not answer what it took: an inventory tells then what it has, and the rest can go elsewhere.
    pub(super) fn may_resume(&self) -> bool {
        match self.attachment {
            Attachment::Attached(_) => true,
            Attachment::Detached { reason, .. } => {
                !matches!(reason, Reason::FlowStalled | Reason::AnswerTimeout)
            }
        }
    }
}
