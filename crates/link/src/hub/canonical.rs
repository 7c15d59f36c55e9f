//! What of a hub decides, see [`Canonical`](crate::Canonical).

use core::hash::{Hash, Hasher};

use super::connection::{Closing, ConnState, Connection};
use super::leave::Serving;
use super::member::Life;
use super::session::{Attached, Attachment, Challenge, Session};
use super::{Hub, HubConfig};
use crate::canonical::View;

impl Hub {
    pub(crate) fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        // Field by field, so that a new one has to be thought of here.
        let Self {
            config,
            epoch,
            clock,
            admission,
            resent: _,
            first_session,
            next_session,
            serving,
            waiting,
            stall: _,
            conns,
            workers,
            index: _,
        } = self;
        config.hash(state);
        (epoch, first_session, next_session, waiting).hash(state);
        view.at(clock.actual(clock.last())).hash(state);
        // Times inside are effective: seen from where the clock of the machine stands.
        let view = &view.from(clock.effective(view.now()));
        admission.feed(config, view, state);
        match serving {
            Serving::Open => state.write_u8(0),
            Serving::LameDuck { ends, window } => (1_u8, view.at(*ends), window).hash(state),
            Serving::Stopped { window } => (2_u8, window).hash(state),
        }
        conns.len().hash(state);
        for (id, connection) in conns {
            id.hash(state);
            connection.feed(view, state);
        }
        workers.len().hash(state);
        for (id, member) in workers {
            id.hash(state);
            member.feed(state);
            member.life.feed(config, clock.stalled(), view, state);
        }
    }
}

impl Connection {
    fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        let Self { state: is, writable, offered, carried: _, marks: _ } = self;
        (writable, offered).hash(state);
        match is {
            ConnState::Greeting { until } => (0_u8, view.at(*until)).hash(state),
            ConnState::Held { worker } => (1_u8, worker).hash(state),
            ConnState::Attached { worker } => (2_u8, worker).hash(state),
            ConnState::Closing(closing) => {
                let Closing { reason, farewell, refused, until } = &**closing;
                (3_u8, reason, farewell, refused).hash(state);
                // The time is for the farewell alone.
                farewell.is_some().then(|| view.at(*until)).hash(state);
            }
        }
    }
}

impl Life {
    fn feed<H: Hasher>(
        &self,
        config: &HubConfig,
        stalled: core::time::Duration,
        view: &View,
        state: &mut H,
    ) {
        let forgotten = config.settings().forget_after;
        match self {
            Self::Expected { since } => (0_u8, view.at(*since + forgotten)).hash(state),
            Self::Present(session) => {
                state.write_u8(1);
                session.feed(config, stalled, view, state);
            }
            Self::Lost(ended) => {
                (2_u8, view.at(ended.since + forgotten), ended.incarnation).hash(state);
            }
            Self::Departed(ended) => {
                (3_u8, view.at(ended.since + forgotten), ended.reason).hash(state);
            }
        }
    }
}

impl Session {
    fn feed<H: Hasher>(
        &self,
        config: &HubConfig,
        stalled: core::time::Duration,
        view: &View,
        state: &mut H,
    ) {
        let Self {
            id,
            incarnation,
            beat_interval,
            beat_wish,
            first_window,
            last_received,
            evict_at,
            suspect,
            draining,
            paused,
            draining_since: _,
            rtt_micros: _,
            statistics: _,
            believed,
            attachment,
            lanes,
        } = self;
        (id, incarnation, beat_interval, beat_wish, first_window).hash(state);
        (view.at(*last_received), view.at(*evict_at)).hash(state);
        (suspect, draining, paused, believed).hash(state);
        match attachment {
            // Whether it may be resumed depends on the reason.
            Attachment::Detached { reason, since: _ } => (0_u8, reason).hash(state),
            Attachment::Attached(attached) => {
                let Attached {
                    conn,
                    stage,
                    since,
                    resumed,
                    version,
                    features,
                    answer,
                    flow,
                    challenge,
                } = attached;
                // It counts as one of the handshakes under way for so long.
                let handshake = attached.is_restoring();
                let crowds =
                    handshake.then(|| view.at(*since + config.settings().register_timeout));
                (1_u8, conn, stage, crowds, resumed, version, features, answer).hash(state);
                flow.feed(config, *beat_interval, view, state);
                challenge.is_some().hash(state);
                if let Some(challenge) = challenge {
                    let Challenge { conn, hello, until, asked, stalled: then } = &**challenge;
                    (conn, hello, view.at(*until), asked, *then == stalled).hash(state);
                }
            }
        }
        let lanes = lanes.lanes();
        lanes.out.iter().for_each(|outbox| outbox.feed(state));
        lanes.inn.hash(state);
    }
}
