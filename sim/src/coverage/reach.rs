//! Which frames can be written in which states at all: what a floor of coverage is a share of.

use moorline_link::{Presence, State};

use super::Met;
use crate::FrameKind as F;

impl Met {
    /// Whether a frame of this kind can be written in this state at all. What cannot is left out of what
    /// is to be covered, each for a reason:
    ///
    /// - A worker's process that is not connected writes nothing, one that dials writes its Hello only, and
    ///   until its inventory is answered it writes neither messages nor acknowledgements.
    /// - The Goodbye ends the link: it is always written in shutdown, with what is in the same packet.
    /// - A process that has given up or ended is gone at once: what the coordinator still writes to it meets
    ///   a link that is disconnected.
    /// - To a worker that has no session, since it is expected, lost or departed, the coordinator writes
    ///   nothing but a refusal.
    /// - A Welcome and what follows until both sides are active is written while the worker is restoring;
    ///   saying that it is active ends that. Only one whose connection stands still meanwhile is suspect
    ///   then, or counts as disconnected; a Welcome follows a Hello that was heard just now.
    /// - Messages and acknowledgements go to workers that are active.
    /// - An answer to a beat is due when the beat was heard, so that the worker is not silent; who has been
    ///   silent for long enough to be disconnected is not probed, but displaced.
    /// - No world has a coordinator that can be reached elsewhere too, and tells so. A redirect is written when
    ///   an operator wants it.
    #[must_use]
    pub const fn can_meet(self, kind: F) -> bool {
        if matches!(kind, F::Endpoints) {
            return false;
        }
        match self {
            Self::Link(state) => link(state, kind),
            Self::Presence(presence) => seen(presence, kind),
        }
    }
}

/// Of a worker's link.
const fn link(state: State, kind: F) -> bool {
    if !kind.is_of_worker() {
        return match state {
            State::Disconnected | State::Connecting | State::Registered | State::Active => true,
            State::Failed | State::Shutdown => false,
        };
    }
    let registers =
        matches!(kind, F::Item | F::ItemsEnd | F::WorkerActive | F::Beat | F::Statistics);
    match state {
        State::Disconnected | State::Failed => false,
        State::Connecting => matches!(kind, F::Hello),
        State::Registered => registers || matches!(kind, F::Hello),
        State::Active => !matches!(kind, F::Goodbye),
        State::Shutdown => registers || matches!(kind, F::WorkerAck | F::Goodbye),
    }
}

/// Of a worker as the coordinator sees it.
const fn seen(presence: Presence, kind: F) -> bool {
    use Presence as P;
    if kind.is_of_worker() {
        // A worker writes what it likes, whatever the coordinator thinks of it: also one whose second
        // process has departed in its name.
        return true;
    }
    let restores = matches!(kind, F::Welcome | F::ItemAnswer);
    if matches!(presence, P::Expected | P::Lost | P::Departed) {
        matches!(kind, F::Refused)
    } else if matches!(presence, P::Restoring) {
        restores || matches!(kind, F::Refused | F::BeatAnswer | F::Probe | F::GoAway | F::Redirect)
    } else if matches!(presence, P::Suspect) {
        !matches!(kind, F::Welcome)
    } else if matches!(presence, P::Disconnected) {
        !matches!(kind, F::Welcome | F::BeatAnswer | F::Probe)
    } else {
        !restores
    }
}
