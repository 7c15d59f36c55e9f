//! A worker the coordinator knows, through all its sessions.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use super::flapping::Losses;
use super::ring::{Cache, Marks};
use super::session::{Attached, Attachment, Session};
use super::table::Near;
use crate::{
    ConnId, Flapping, HubAction, HubConfig, Incarnation, Instant, Reason, Registration, SessionId,
    Sym, Tag, WorkerId,
};

/// Displaced processes that are remembered of one worker.
const SUPERSEDED_MAX: usize = 8;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Member {
    pub(super) name: Sym,
    pub(super) life: Life,
    /// An operator wants it to get nothing new, since then.
    pub(super) cordoned: Option<Instant>,
    /// What went wrong before, if anything did.
    past: Option<Box<Past>>,
    /// Its active session lost the connection then, and it was not active since; [`Instant::FAR`]: it
    /// is, or was never.
    away_since: Instant,
    /// It is not here and is to be forgotten.
    pub(super) expiring: bool,
    /// What the embedder was told, so that what it is to be told follows from state.
    pub(super) told: Told,
    /// Where the connection is that it has.
    pub(super) carrier: Cache<Near>,
    pub(super) marks: Cache<Marks>,
}

/// Processes and connections that are gone. Most workers have lost nothing, and nothing of a heartbeat is
/// in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Past {
    /// Processes that a newer one displaced while the worker was present: oldest first, bounded.
    superseded: Vec<Incarnation>,
    /// Processes out of the way of the present one, which has not shown yet that it lives: its Hello
    /// may be what a dead process left on the network. Until it does, they may come back. Bounded.
    displaced: Vec<Incarnation>,
    /// The last process before the present session that was given up, until somebody has read its Welcome
    /// since.
    given_up: Option<Incarnation>,
    losses: Losses,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Life {
    /// Known from an earlier life of the coordinator and not seen in this one.
    Expected { since: Instant },
    /// It has a session.
    Present(Session),
    /// The embedder gave its leases away.
    Lost(Ended),
    /// It said goodbye.
    Departed(Ended),
}

/// What remains of a session that is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ended {
    pub(super) since: Instant,
    pub(super) reason: Option<Reason>,
    pub(super) incarnation: Option<Incarnation>,
    pub(super) last_received: Option<Instant>,
}

/// What the embedder was told of a worker by actions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Told {
    /// The session it knows: only this one takes its messages.
    pub(super) session: Option<SessionId>,
    conn: Option<ConnId>,
    active: bool,
    suspect: bool,
    draining: bool,
    paused: bool,
    departed: bool,
    flapping: bool,
}

impl Member {
    pub(super) fn new(name: Sym, life: Life) -> Self {
        let (past, told, carrier, marks) = Default::default();
        let (cordoned, expiring, away_since) = (None, false, Instant::FAR);
        Self { name, life, cordoned, past, away_since, expiring, told, carrier, marks }
    }

    /// What of it decides, but for its life: not what it lost and since when it is away, which only events
    /// tell.
    pub(super) fn feed<H: Hasher>(&self, state: &mut H) {
        let Self {
            name,
            life: _,
            cordoned,
            past,
            away_since: _,
            expiring,
            told,
            carrier: _,
            marks: _,
        } = self;
        (name, cordoned.is_some(), expiring).hash(state);
        // None is as good as empty.
        let nobody = Vec::new();
        let past = past.as_deref();
        past.map_or(&nobody, |past| &past.superseded).hash(state);
        past.map_or(&nobody, |past| &past.displaced).hash(state);
        past.and_then(|past| past.given_up).hash(state);
        let Told { session, conn, active, suspect, draining, paused, departed, flapping: _ } = told;
        (session, conn, active, suspect, draining, paused, departed).hash(state);
    }

    /// Its active session has no connection any more. An outage that goes on has begun before.
    pub(super) fn goes_away(&mut self, now: Instant) {
        self.away_since = self.away_since.min(now);
    }

    /// It left on purpose: that is no outage.
    pub(super) fn leaves(&mut self) {
        self.away_since = Instant::FAR;
    }

    /// The worker is neither lost nor departed: its name is its own.
    pub(super) fn holds_name(&self) -> bool {
        match self.life {
            Life::Expected { .. } | Life::Present(_) => true,
            Life::Lost(_) | Life::Departed(_) => false,
        }
    }

    pub(super) fn session(&self) -> Option<&Session> {
        match &self.life {
            Life::Present(session) => Some(session),
            Life::Expected { .. } | Life::Lost(_) | Life::Departed(_) => None,
        }
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.life {
            Life::Present(session) => Some(session),
            Life::Expected { .. } | Life::Lost(_) | Life::Departed(_) => None,
        }
    }

    /// The session, if it is the one the embedder knows of.
    pub(super) fn known_session(&mut self) -> Option<&mut Session> {
        let known = self.told.session;
        self.session_mut().filter(|session| known == Some(session.id))
    }

    pub(super) fn attached(&self) -> Option<&Attached> {
        self.session().and_then(Session::attached)
    }

    /// Since when its registration is under way, if it is.
    pub(super) fn handshake(&self) -> Option<Instant> {
        self.attached().filter(|attached| attached.is_restoring()).map(|attached| attached.since)
    }

    pub(super) fn attached_mut(&mut self) -> Option<&mut Attached> {
        self.session_mut().and_then(Session::attached_mut)
    }

    /// The process that holds the session gives way to this one.
    pub(super) fn displace(&mut self, newcomer: Incarnation) {
        if let Life::Lost(ended) = &self.life
            && let Some(given_up) = ended.incarnation
            && given_up != newcomer
        {
            // It may live yet, and the newcomer be a process that died before it.
            self.past.get_or_insert_default().given_up = Some(given_up);
        }
        if let Some(past) = &mut self.past {
            past.given_up.take_if(|given_up| *given_up == newcomer);
        }
        let Some(incumbent) = self.session().map(|session| session.incarnation) else { return };
        let displaced = &mut self.past.get_or_insert_default().displaced;
        displaced.retain(|displaced| *displaced != newcomer);
        remember(displaced, incumbent);
    }

    /// Whether this process may take its place back.
    pub(super) fn may_return(&self, incarnation: Incarnation) -> bool {
        self.past.as_ref().is_some_and(|past| {
            past.displaced.contains(&incarnation) || past.given_up == Some(incarnation)
        })
    }

    /// Whether a newer process has displaced this one for good.
    pub(super) fn is_superseded(&self, incarnation: Incarnation) -> bool {
        self.past.as_ref().is_some_and(|past| past.superseded.contains(&incarnation))
    }

    /// A connection that had lived so long is lost.
    pub(super) fn loses(&mut self, now: Instant, life: Duration, why: Reason, config: &HubConfig) {
        self.past.get_or_insert_default().losses.record(now, life, why, config);
    }

    /// It was calm for long enough.
    pub(super) fn calm(&mut self) {
        if let Some(past) = &mut self.past {
            past.losses.calm();
        }
    }

    /// When it is calm again if it loses no other connection.
    pub(super) fn calm_at(&self, config: &HubConfig) -> Option<Instant> {
        self.past.as_ref()?.losses.calm_at(config)
    }

    /// What to say of its losses while it flaps.
    pub(super) fn flapping(&self) -> Option<Flapping> {
        self.past.as_ref()?.losses.flapping()
    }

    fn is_flapping(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.losses.is_flapping())
    }

    /// The process that holds the session has read its Welcome: those before it are told that they are
    /// superseded when they show up again.
    pub(super) fn prove(&mut self) {
        let Some(past) = &mut self.past else { return };
        past.given_up = None;
        for incarnation in core::mem::take(&mut past.displaced) {
            remember(&mut past.superseded, incarnation);
        }
    }

    /// The worker is not present any more: what was in the way of what does not matter.
    pub(super) fn forget_session(&mut self) {
        self.past = None;
    }

    /// Since when it is lost or departed, if it is.
    pub(super) fn ended_since(&self) -> Option<Instant> {
        match &self.life {
            Life::Lost(ended) | Life::Departed(ended) => (!self.expiring).then_some(ended.since),
            Life::Expected { .. } | Life::Present(_) => None,
        }
    }

    /// It takes nothing new: by its own word, or an operator's.
    fn drains(&self, session: &Session) -> bool {
        session.draining || self.cordoned.is_some()
    }

    /// What remains when the session ends now.
    pub(super) fn ended(&self, since: Instant, reason: Option<Reason>) -> Ended {
        match &self.life {
            Life::Expected { .. } => {
                Ended { since, reason, incarnation: None, last_received: None }
            }
            Life::Present(session) => {
                let detached = match session.attachment {
                    Attachment::Detached { reason, .. } => Some(reason),
                    Attachment::Attached(_) => None,
                };
                Ended {
                    since,
                    reason: reason.or(detached),
                    incarnation: Some(session.incarnation),
                    last_received: Some(session.last_received),
                }
            }
            Life::Lost(ended) | Life::Departed(ended) => *ended,
        }
    }

    /// The one place that says what the embedder is to be told next of this worker.
    pub(super) fn news(&self) -> Option<News> {
        let told = &self.told;
        let forgotten = self.expiring.then_some(News::Forgotten);
        match &self.life {
            Life::Expected { .. } | Life::Lost(_) => forgotten,
            Life::Departed(_) => (!told.departed).then_some(News::Departed).or(forgotten),
            Life::Present(session) => match &session.attachment {
                Attachment::Attached(attached) => self
                    .news_of_connection(session, attached)
                    .or_else(|| self.news_of_losses())
                    .or_else(|| news_of_lanes(session)),
                Attachment::Detached { .. } if told.conn.is_some() => Some(News::Detached),
                Attachment::Detached { .. } => {
                    self.news_of_losses().or_else(|| news_of_lanes(session))
                }
            },
        }
    }

    fn news_of_connection(&self, session: &Session, attached: &Attached) -> Option<News> {
        let told = &self.told;
        if told.conn != Some(attached.conn) {
            return Some(News::Registered);
        }
        if attached.is_active() && !told.active {
            return Some(News::Active);
        }
        if session.suspect != told.suspect {
            return Some(News::Suspect);
        }
        let changed = (self.drains(session), session.paused) != (told.draining, told.paused);
        changed.then_some(News::Flags)
    }

    fn news_of_losses(&self) -> Option<News> {
        // Nobody was told of a worker that was gone before its Welcome was written.
        let known = self.told.session.is_some();
        let changed = known && self.is_flapping() != self.told.flapping;
        changed.then_some(News::Flapping)
    }

    /// The news in full.
    pub(super) fn next_action(&self, worker: WorkerId) -> Option<HubAction> {
        let news = self.news()?;
        let session = self.session();
        let attached = self.attached();
        Some(match news {
            News::Registered => {
                let (session, attached) = (session?, attached?);
                HubAction::Registered(Registration {
                    worker,
                    name: self.name,
                    incarnation: session.incarnation,
                    conn: attached.conn,
                    session: session.id,
                    // A session the embedder never heard of is new to it, whatever the worker thinks.
                    resumed: self.told.session == Some(session.id),
                })
            }
            News::Active => {
                let Attached { conn, since, .. } = *attached?;
                let was_away = self.away_since != Instant::FAR;
                let away = was_away.then(|| since.since(self.away_since));
                HubAction::Active { worker, conn, away }
            }
            News::Detached => {
                let session = session?;
                let Attachment::Detached { reason, .. } = session.attachment else { return None };
                let last_received = session.last_received;
                HubAction::Detached { worker, reason, last_received }
            }
            News::Suspect => HubAction::Suspect { worker, suspect: session?.suspect },
            News::Departed => {
                let Life::Departed(ended) = &self.life else { return None };
                let reason = ended.reason.unwrap_or(Reason::WorkerStopping);
                HubAction::Departed { worker, reason }
            }
            News::Flags => {
                let session = session?;
                let (draining, paused) = (self.drains(session), session.paused);
                HubAction::Flags { worker, draining, paused }
            }
            News::Flapping => HubAction::Flapping { worker, flapping: self.flapping() },
            News::Released(tag) => HubAction::Released { worker, tag },
            News::Forgotten => HubAction::Forgotten { worker },
        })
    }

    /// What [`Member::next_action`] said is being told. No deadline follows from what was told.
    pub(super) fn commit(&mut self, action: &HubAction) {
        match action {
            HubAction::Registered(registration) => {
                let (session, conn) = (Some(registration.session), Some(registration.conn));
                // The flags of a session that goes on were told before.
                let flags = registration.resumed.then_some((self.told.draining, self.told.paused));
                let (draining, paused) = flags.unwrap_or_default();
                let flapping = self.told.flapping;
                self.told = Told { session, conn, draining, paused, flapping, ..Told::default() };
            }
            HubAction::Active { .. } => {
                self.told.active = true;
                self.away_since = Instant::FAR;
            }
            HubAction::Suspect { suspect, .. } => self.told.suspect = *suspect,
            HubAction::Flags { draining, paused, .. } => {
                (self.told.draining, self.told.paused) = (*draining, *paused);
            }
            // The next registration tells everything anew.
            HubAction::Detached { .. } => self.told.conn = None,
            HubAction::Departed { .. } => {
                self.told = Told { departed: true, ..Told::default() };
            }
            HubAction::Released { .. } => {
                if let Some(session) = self.session_mut() {
                    session.lanes.change().pop_released();
                }
            }
            HubAction::Flapping { flapping, .. } => self.told.flapping = flapping.is_some(),
            HubAction::Close { .. }
            | HubAction::Flush { .. }
            | HubAction::Refused { .. }
            | HubAction::Forgotten { .. }
            | HubAction::Stalled { .. } => {}
        }
    }
}

/// What there is to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum News {
    Registered,
    Active,
    Detached,
    Suspect,
    Departed,
    Flags,
    Flapping,
    Released(Tag),
    Forgotten,
}

fn news_of_lanes(session: &Session) -> Option<News> {
    // An embedder that does not know the session has put nothing on its lanes.
    session.lanes.released().map(News::Released)
}

fn remember(processes: &mut Vec<Incarnation>, incarnation: Incarnation) {
    if processes.contains(&incarnation) {
        return;
    }
    if processes.len() == SUPERSEDED_MAX {
        processes.remove(0);
    }
    processes.push(incarnation);
}
