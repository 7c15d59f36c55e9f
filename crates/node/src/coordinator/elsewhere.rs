//! Where workers are told that they find the coordinator too, and where they are sent.

use moorline_link::{ConnId, CoordinatorFrame, Reason, WorkerId};

use super::{CoordinatorAction, CoordinatorNode};
use crate::{Address, Detail, DownFrame, Event, EventKind};

/// A worker that was sent elsewhere goes, or stays, within so many of its beats: it dials and registers
/// there for 20 s at most, and beats every 5 s.
const GOES_WITHIN: u8 = 12;

/// What the coordinator tells of places.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Places {
    /// Where it can be reached too.
    endpoints: Vec<Address>,
    /// Counts the lists that were set.
    version: u64,
    /// Where those go who are sent away because it stops.
    instead: Vec<Address>,
}

/// What goes out in front of and behind another frame.
#[derive(Default)]
pub(super) struct Around {
    pub(super) before: Option<DownFrame>,
    pub(super) after: Option<DownFrame>,
}

/// What a list of addresses needs in a packet at most.
pub(super) const LIST_MAX: usize = 16 + Address::COUNT_MAX * (Address::MAX + 4);

impl CoordinatorNode {
    /// Tells everybody from now on: with the Welcome, and with the next answer to a beat.
    pub(super) fn set_endpoints(&mut self, mut endpoints: Vec<Address>) {
        endpoints.truncate(Address::COUNT_MAX);
        if endpoints != self.places.endpoints {
            self.places.endpoints = endpoints;
            self.places.version += 1;
        }
    }

    /// Where those who are sent away because this coordinator stops shall go.
    pub(super) fn set_instead(&mut self, mut to: Vec<Address>) {
        to.truncate(Address::COUNT_MAX);
        self.places.instead = to;
    }

    /// Sends a worker elsewhere: it leaves when it is registered there.
    pub(super) fn send_elsewhere(&mut self, worker: WorkerId, mut to: Vec<Address>) {
        to.truncate(Address::COUNT_MAX);
        let Some(conn) = self.workers.get(&worker).and_then(|file| file.conn) else { return };
        let Some(state) = self.conns.get_mut(&conn).filter(|state| state.moves) else { return };
        if to.is_empty() {
            return;
        }
        let names: Vec<_> = to.iter().map(Address::as_str).collect();
        let detail = Some(Detail::new(&names.join(" ")));
        state.redirect = to;
        if state.writable {
            self.out.push_back(CoordinatorAction::Flush { conn });
        }
        self.record_of(worker, Event { detail, ..Event::new(EventKind::WorkerRedirected) });
    }

    /// Why a connection has ended: a worker that goes where it was sent closes it in order.
    pub(super) fn why_closed(&self, conn: ConnId, reason: Reason) -> Reason {
        let goes = self.conns.get(&conn).is_some_and(|state| state.going > 0);
        if goes && reason == Reason::ClosedByPeer { Reason::Redirected } else { reason }
    }

    /// Whether this worker can be sent elsewhere: it is connected, and understands it.
    #[must_use]
    pub fn is_movable(&self, worker: WorkerId) -> bool {
        let conn = self.workers.get(&worker).and_then(|file| file.conn);
        conn.and_then(|conn| self.conns.get(&conn)).is_some_and(|state| state.moves)
    }

    /// What goes out before everything else of this connection.
    pub(super) fn redirect_due(&mut self, conn: ConnId) -> Option<DownFrame> {
        let state = self.conns.get_mut(&conn)?;
        let to = std::mem::take(&mut state.redirect);
        if to.is_empty() {
            return None;
        }
        state.going = GOES_WITHIN;
        Some(DownFrame::Redirect(to))
    }

    /// What goes out with a frame of the hub, in the same packet.
    pub(super) fn around(&mut self, conn: ConnId, frame: &CoordinatorFrame) -> Around {
        match frame {
            CoordinatorFrame::Refused(dismissal) | CoordinatorFrame::GoAway(dismissal) => {
                Around { before: self.instead(conn, dismissal.reason), after: None }
            }
            CoordinatorFrame::Welcome(_) => {
                Around { before: None, after: self.endpoints_due(conn) }
            }
            CoordinatorFrame::BeatAnswer(_) => {
                if let Some(state) = self.conns.get_mut(&conn) {
                    state.going = state.going.saturating_sub(1);
                }
                Around { before: None, after: self.endpoints_due(conn) }
            }
            CoordinatorFrame::InventoryAnswer { .. }
            | CoordinatorFrame::Active
            | CoordinatorFrame::Probe
            | CoordinatorFrame::Ack(_)
            | CoordinatorFrame::Message(_) => Around::default(),
        }
    }

    fn instead(&self, conn: ConnId, reason: Reason) -> Option<DownFrame> {
        let instead = &self.places.instead;
        let moves = self.conns.get(&conn).is_some_and(|state| state.moves);
        let is_sent_away = moves && reason == Reason::CoordinatorStopping && !instead.is_empty();
        is_sent_away.then(|| DownFrame::Redirect(instead.clone()))
    }

    fn endpoints_due(&mut self, conn: ConnId) -> Option<DownFrame> {
        let version = self.places.version;
        let state = self.conns.get_mut(&conn)?;
        if !state.moves || state.told == version {
            return None;
        }
        state.told = version;
        Some(DownFrame::Endpoints(self.places.endpoints.clone()))
    }
}
