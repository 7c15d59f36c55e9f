//! One transport connection, as far as the hub knows it.

use alloc::boxed::Box;

use super::io::HubTimer;
use super::member::Member;
use super::ring::{Cache, Marks};
use super::session::{Due, Session};
use super::table::Near;
use crate::{
    ConnId, CoordinatorFrame, Dismissal, HubAction, Instant, Lane, LaneLimits, Reason, WorkerId,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Connection {
    pub(super) state: ConnState,
    /// The transport takes packets.
    pub(super) writable: bool,
    /// The driver was told to poll it and has not done so yet.
    pub(super) offered: bool,
    /// Where the worker is that it carries.
    pub(super) carried: Cache<Near>,
    pub(super) marks: Cache<Marks>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum ConnState {
    /// It has to say Hello until then.
    Greeting { until: Instant },
    /// Its Hello claims the identity of a live session, and waits in that session's challenge.
    Held { worker: WorkerId },
    /// It carries the session of this worker.
    Attached { worker: WorkerId },
    /// It is being closed: nothing it says counts any more.
    Closing(Box<Closing>),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Closing {
    pub(super) reason: Reason,
    /// The last frame, while it is due.
    pub(super) farewell: Option<Farewell>,
    /// A registration was refused, and the embedder is to be told.
    pub(super) refused: bool,
    /// The last frame is given up then.
    pub(super) until: Instant,
}

/// The last frame on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Farewell {
    Refused(Dismissal),
    GoAway(Dismissal),
}

impl Farewell {
    pub(super) fn frame(self) -> CoordinatorFrame {
        match self {
            Self::Refused(dismissal) => CoordinatorFrame::Refused(dismissal),
            Self::GoAway(dismissal) => CoordinatorFrame::GoAway(dismissal),
        }
    }
}

/// What the driver is to do with a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    Refused(Reason),
    Close(Reason),
    Flush,
}

impl Act {
    pub(super) fn on(self, conn: ConnId) -> HubAction {
        match self {
            Self::Refused(reason) => HubAction::Refused { conn, reason },
            Self::Close(reason) => HubAction::Close { conn, reason },
            Self::Flush => HubAction::Flush { conn },
        }
    }
}

/// A frame that a connection has due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ConnDue {
    Farewell(Farewell),
    Of(WorkerId, Due),
}

impl Connection {
    pub(super) fn new(state: ConnState) -> Self {
        let (carried, marks) = (Cache::default(), Cache::default());
        Self { state, writable: true, offered: false, carried, marks }
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// When it was noted it had no frame due on any lane, and it is noted after every change.
    pub(super) fn is_idle(&self) -> bool {
        self.writable && !self.offered && !self.marks.0.due
    }

    /// Whether it has not said Hello yet.
    pub(super) fn is_greeting(&self) -> bool {
        matches!(self.state, ConnState::Greeting { .. })
    }

    pub(super) fn is_closing(&self) -> bool {
        matches!(self.state, ConnState::Closing(_))
    }

    /// The worker whose session this connection carries.
    pub(super) fn worker(&self) -> Option<WorkerId> {
        match self.state {
            ConnState::Attached { worker } => Some(worker),
            ConnState::Greeting { .. } | ConnState::Held { .. } | ConnState::Closing(_) => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<(Instant, HubTimer)> {
        match &self.state {
            ConnState::Greeting { until } => Some((*until, HubTimer::Register)),
            ConnState::Closing(closing) => {
                closing.farewell.is_some().then_some((closing.until, HubTimer::Farewell))
            }
            ConnState::Held { .. } | ConnState::Attached { .. } => None,
        }
    }

    /// The one place that says what this connection transmits next in packets of a lane.
    /// `member` is the worker it carries, if it does.
    pub(super) fn next_transmit(
        &self,
        member: Option<&Member>,
        lane: Lane,
        limits: &LaneLimits,
    ) -> Option<ConnDue> {
        match &self.state {
            ConnState::Greeting { .. } | ConnState::Held { .. } => None,
            ConnState::Closing(closing) => match lane {
                Lane::C => closing.farewell.map(ConnDue::Farewell),
                Lane::B => None,
            },
            ConnState::Attached { worker } => {
                let session = member.and_then(Member::session)?;
                session.next_transmit(lane, limits).map(|due| ConnDue::Of(*worker, due))
            }
        }
    }

    pub(super) fn wants_transmit(&self, member: Option<&Member>, limits: &LaneLimits) -> bool {
        match &self.state {
            ConnState::Greeting { .. } | ConnState::Held { .. } => false,
            ConnState::Closing(closing) => closing.farewell.is_some(),
            ConnState::Attached { .. } => member
                .and_then(Member::session)
                .is_some_and(|session| session.wants_transmit(limits)),
        }
    }

    /// The one place that says what the driver is to do next with this connection.
    pub(super) fn next_act(&self, member: Option<&Member>, limits: &LaneLimits) -> Option<Act> {
        if let ConnState::Closing(closing) = &self.state {
            if closing.refused {
                return Some(Act::Refused(closing.reason));
            }
            if closing.farewell.is_none() {
                return Some(Act::Close(closing.reason));
            }
        }
        let flush = self.writable && !self.offered && self.wants_transmit(member, limits);
        flush.then_some(Act::Flush)
    }

    /// What [`Connection::next_act`] said is being done. A closed connection is to be removed.
    pub(super) fn commit(&mut self, act: Act) {
        match act {
            Act::Flush => self.offered = true,
            Act::Refused(_) => {
                if let ConnState::Closing(closing) = &mut self.state {
                    closing.refused = false;
                }
            }
            Act::Close(_) => {}
        }
    }
}

/// The session that a connection carries.
pub(super) fn session_on(member: &mut Member, conn: ConnId) -> Option<&mut Session> {
    let session = member.session_mut()?;
    (session.attached()?.conn == conn).then_some(session)
}
