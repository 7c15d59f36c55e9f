//! The six states of a link and the one table of their transitions.

use alloc::string::String;

/// The state of a [`Link`](crate::Link). Draining is a flag beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// No connection, none under way: waiting for the next dial.
    Disconnected,
    /// Dialling, or waiting for the answer to the registration.
    Connecting,
    /// Registered; the inventory is being answered.
    Registered,
    /// Both sides said so: work flows.
    Active,
    /// Given up; the reason says what an operator can do.
    Failed,
    /// Ended on purpose.
    Shutdown,
}

macro_rules! events {
    ($($event:ident $meaning:literal;)*) => {
        /// What can move a link from one state to another.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum LinkEvent { $(#[doc = $meaning] $event,)* }

        impl LinkEvent {
            /// Every event, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$event),*];

            /// What happened, in a few words.
            #[must_use]
            pub const fn meaning(self) -> &'static str { match self { $(Self::$event => $meaning,)* } }
        }
    };
}

events! {
    RetryDue "the retry deadline";
    Kicked "a kick: the network is back, or an operator asks";
    Forced "a forced reconnect";
    CandidateLeft "the connection was lost and a candidate is under way";
    Welcomed "the coordinator accepted the registration";
    Replaced "a candidate was welcomed with a new session";
    Restored "the inventory is answered and both sides say so";
    DialFailed "the dial failed or timed out";
    Refused "refused for now, or the registration timed out";
    Closed "the connection was closed";
    LivenessLost "the peer did not answer";
    Dismissed "told to go elsewhere or come back later";
    Disowned "the coordinator does not know the session, or was restarted";
    OutOfStep "both sides disagreed three times";
    Violated "a protocol violation";
    Stalled "the restore made no progress";
    RefusedForGood "refused for good, or superseded";
    GivenUp "attempts or time exhausted, or automatic reconnecting is off";
    Restarted "an operator's restart";
    Stopped "stop asked, and nothing is owed or the deadline is over";
}

use {LinkEvent as E, State as S};

/// The table: from these states, on any of these events, to that state. There is nothing else.
#[rustfmt::skip]
const TABLE: &[(&[State], &[LinkEvent], State)] = &[
    (&[S::Disconnected], &[E::RetryDue, E::Kicked, E::Forced, E::CandidateLeft], S::Connecting),
    (&[S::Connecting], &[E::Welcomed], S::Registered),
    (&[S::Registered], &[E::Restored], S::Active),
    (&[S::Active], &[E::Replaced], S::Registered),
    (&[S::Connecting, S::Registered, S::Active],
        &[E::DialFailed, E::Refused, E::Closed, E::Dismissed, E::Violated, E::Forced], S::Disconnected),
    (&[S::Registered, S::Active],
        &[E::LivenessLost, E::Disowned, E::OutOfStep, E::Stalled], S::Disconnected),
    (&[S::Disconnected, S::Connecting, S::Registered, S::Active],
        &[E::RefusedForGood, E::GivenUp], S::Failed),
    (&[S::Failed], &[E::Restarted], S::Disconnected),
    (&[S::Disconnected, S::Connecting, S::Registered, S::Active, S::Failed],
        &[E::Stopped], S::Shutdown),
];

impl State {
    /// Every state, in the order of the life of a link.
    pub const ALL: &[Self] =
        &[S::Disconnected, S::Connecting, S::Registered, S::Active, S::Failed, S::Shutdown];

    /// Where this event leads from here; `None` if it is no transition.
    ///
    /// ```
    /// use moorline_link::{LinkEvent, State};
    /// assert_eq!(State::Registered.after(LinkEvent::Restored), Some(State::Active));
    /// assert_eq!(State::Shutdown.after(LinkEvent::Restarted), None);
    /// ```
    #[must_use]
    pub fn after(self, event: LinkEvent) -> Option<Self> {
        let row = TABLE.iter().find(|(from, on, _)| from.contains(&self) && on.contains(&event))?;
        Some(row.2)
    }

    /// The table as a Mermaid state diagram, for the documents.
    #[must_use]
    pub fn diagram() -> String {
        let mut text = String::from("stateDiagram-v2\n    [*] --> Disconnected: start\n");
        for from in Self::ALL {
            for event in LinkEvent::ALL {
                if let Some(to) = from.after(*event) {
                    text += &alloc::format!("    {from:?} --> {to:?}: {}\n", event.meaning());
                }
            }
        }
        text + "    Shutdown --> [*]\n"
    }
}
