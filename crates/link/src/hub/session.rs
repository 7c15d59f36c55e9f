//! One logical attachment of a worker, as the coordinator holds it.

use alloc::boxed::Box;
use core::mem;
use core::time::Duration;

use super::config::HubConfig;
use super::io::HubTimer;
use super::lanes::Traffic;
use super::ring::Deadline;
use super::stall::Flow;
use crate::{
    Ack, Arrival, Beat, BeatAnswer, ConnId, Epoch, Features, Flags, Hello, Incarnation, Instant,
    Lane, LaneLimits, Reason, Resume, Seq, SessionId, Statistics, Tag, Violation,
};

/// A session: it survives connections and carries no configuration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    /// The process it belongs to.
    pub(super) incarnation: Incarnation,
    /// The interval of heartbeats that was assigned, ...
    pub(super) beat_interval: Duration,
    /// ... and the one the worker wishes for.
    pub(super) beat_wish: Duration,
    /// Over how long it was told to spread its first dial.
    pub(super) first_window: Duration,
    /// The last frame from the worker, on the effective clock.
    pub(super) last_received: Instant,
    /// A lame duck sends it away then; [`Instant::FAR`] = none does.
    pub(super) evict_at: Instant,
    /// Nothing was heard for `suspect_after`.
    pub(super) suspect: bool,
    /// What the worker says of itself.
    pub(super) draining: bool,
    /// What the worker says of itself.
    pub(super) paused: bool,
    /// Since when it says `draining` or not.
    pub(super) draining_since: Instant,
    /// Round trip in microseconds as the worker measured it; 0 = none yet.
    pub(super) rtt_micros: u32,
    /// What the worker told of its link last.
    pub(super) statistics: Option<Box<Statistics>>,
    /// What the embedder believes; nothing yet in a new session.
    pub(super) believed: Option<Believed>,
    pub(super) attachment: Attachment,
    pub(super) lanes: Traffic,
}

/// What follows from the size of the fleet for one of its workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fleet {
    /// How often it beats.
    pub(super) beat_interval: Duration,
    /// Over how long it spreads its first dial.
    pub(super) first_window: Duration,
}

/// A smaller change than this is not worth telling.
const FLEET_CHANGE_MIN: Duration = Duration::from_millis(100);

/// What the embedder believes of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Believed {
    pub(super) free: u16,
    pub(super) paused: bool,
}

/// Whether the session has a connection. It never has two.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Attachment {
    Attached(Attached),
    Detached { reason: Reason, since: Instant },
}

/// What belongs to the connection that a session has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Attached {
    pub(super) conn: ConnId,
    pub(super) stage: Stage,
    /// When it was attached, or became active.
    pub(super) since: Instant,
    /// The lanes of the session go on.
    pub(super) resumed: bool,
    /// The protocol version both sides speak here.
    pub(super) version: u16,
    /// The features both sides use here.
    pub(super) features: u64,
    /// The number of the latest beat that is not answered.
    pub(super) answer: Option<u32>,
    /// Since when it has brought nothing across, if something is to be.
    pub(super) flow: Flow,
    /// Another process claims the identity of this worker.
    pub(super) challenge: Option<Box<Challenge>>,
}

/// How far registration and restore got on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Stage {
    /// The Welcome is due.
    Welcoming,
    /// The inventory comes in and is answered.
    Restoring {
        /// Items received.
        items: u32,
        /// The end was received.
        ended: bool,
        /// Answers that are ready.
        ready: u32,
        /// Answers transmitted.
        answered: u32,
    },
    /// The worker is active, and is to be told that it is.
    Confirming,
    /// Both said so: work flows.
    Active,
}

/// A process that claims the identity of a live session: its Hello waits for the incumbent's answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Challenge {
    /// The newcomer's connection.
    pub(super) conn: ConnId,
    /// What it said.
    pub(super) hello: Hello,
    /// The incumbent has until then.
    pub(super) until: Instant,
    /// The probe was transmitted: a beat that comes now counts as its answer.
    pub(super) asked: bool,
    /// The hub's own stalls up to when `until` was set.
    pub(super) stalled: Duration,
}

/// A frame that a session has due on its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    Welcome,
    Probe,
    BeatAnswer(u32),
    Active,
    InventoryAnswer(u32),
    Ack(Lane),
    Message(Lane, Seq, Tag, u32),
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        hello: &Hello,
        attached: Attached,
        now: Instant,
        config: &HubConfig,
        workers: usize,
    ) -> Self {
        Self {
            id,
            incarnation: hello.incarnation,
            beat_interval: config.beat_interval(hello.beat_interval, workers),
            beat_wish: hello.beat_interval,
            first_window: Duration::ZERO,
            last_received: now,
            evict_at: Instant::FAR,
            suspect: false,
            draining: false,
            paused: false,
            draining_since: now,
            rtt_micros: 0,
            statistics: None,
            believed: None,
            attachment: Attachment::Attached(attached),
            lanes: Traffic::new(hello.credit, &config.settings().lanes),
        }
    }

    /// Carries the session on, on another connection; the old one is forgotten. Returns false if the
    /// worker claims what was never sent: the lanes are void then and a new session must begin.
    #[must_use]
    pub(super) fn resume(
        &mut self,
        resume: &Resume,
        hello: &Hello,
        attached: Attached,
        now: Instant,
        config: &HubConfig,
        workers: usize,
    ) -> bool {
        for (outbox, standing) in self.lanes.change().out.iter_mut().zip(resume.lanes) {
            if !outbox.resume(standing) {
                return false;
            }
        }
        self.beat_interval = config.beat_interval(hello.beat_interval, workers);
        self.beat_wish = hello.beat_interval;
        self.attachment = Attachment::Attached(attached);
        self.heard(now);
        true
    }

    pub(super) fn attached(&self) -> Option<&Attached> {
        match &self.attachment {
            Attachment::Attached(attached) => Some(attached),
            Attachment::Detached { .. } => None,
        }
    }

    pub(super) fn attached_mut(&mut self) -> Option<&mut Attached> {
        match &mut self.attachment {
            Attachment::Attached(attached) => Some(attached),
            Attachment::Detached { .. } => None,
        }
    }

    /// Something arrived from the worker: it lives. Its silence ends later by that, but if it was suspect
    /// it may be so again before it would have been disconnected.
    pub(super) fn heard(&mut self, now: Instant) -> Deadline {
        let before = mem::replace(&mut self.last_received, now);
        if mem::take(&mut self.suspect) {
            Deadline::Changed
        } else if before == now {
            Deadline::Same
        } else {
            Deadline::NotSooner
        }
    }

    /// Silent for `disconnect_after`, whether or not the timer has fired.
    pub(super) fn is_silent(&self, now: Instant, config: &HubConfig) -> bool {
        now.since(self.last_received) >= config.disconnect_after(self.beat_interval)
    }

    /// What is due next, and when.
    pub(super) fn deadline(&self, config: &HubConfig) -> Option<(Instant, HubTimer)> {
        let attached = self.attached()?;
        let silence = if self.suspect {
            (self.last_received + config.disconnect_after(self.beat_interval), HubTimer::Disconnect)
        } else {
            (self.last_received + config.suspect_after(self.beat_interval), HubTimer::Suspect)
        };
        let mut first = silence;
        if let Some(challenge) = &attached.challenge {
            first = first.min((challenge.until, HubTimer::TakeOver));
        }
        if self.evict_at != Instant::FAR {
            first = first.min((self.evict_at, HubTimer::SendAway));
        }
        if let Some(flow) = self.flow_deadline(attached, config) {
            first = first.min(flow);
        }
        Some(first)
    }

    /// The one place that says what is to be transmitted next in packets of a lane.
    pub(super) fn next_transmit(&self, lane: Lane, limits: &LaneLimits) -> Option<Due> {
        let attached = self.attached()?;
        match lane {
            Lane::C => self.next_of_lane_c(attached, limits),
            Lane::B => self.next_message(attached, Lane::B, limits),
        }
    }

    /// Whether anything is to be transmitted, on any lane.
    pub(super) fn wants_transmit(&self, limits: &LaneLimits) -> bool {
        let Some(attached) = self.attached() else { return false };
        match attached.stage {
            // Nearly always, and quick to say.
            Stage::Active if attached.challenge.is_none() => {
                attached.answer.is_some() || self.lanes.wants_transmit(limits)
            }
            Stage::Welcoming | Stage::Restoring { .. } | Stage::Confirming | Stage::Active => {
                Lane::ALL.into_iter().any(|lane| self.next_transmit(lane, limits).is_some())
            }
        }
    }

    fn next_of_lane_c(&self, attached: &Attached, limits: &LaneLimits) -> Option<Due> {
        if attached.stage == Stage::Welcoming {
            return Some(Due::Welcome);
        }
        if attached.challenge.as_ref().is_some_and(|challenge| !challenge.asked) {
            return Some(Due::Probe);
        }
        if let Some(seq) = attached.answer {
            return Some(Due::BeatAnswer(seq));
        }
        match attached.stage {
            Stage::Welcoming => None,
            Stage::Restoring { ready, answered, .. } => {
                (answered < ready).then_some(Due::InventoryAnswer(answered))
            }
            Stage::Confirming => Some(Due::Active),
            Stage::Active => {
                let ack = self.lanes.next_ack(limits).map(Due::Ack);
                ack.or_else(|| self.next_message(attached, Lane::C, limits))
            }
        }
    }

    fn next_message(&self, attached: &Attached, lane: Lane, limits: &LaneLimits) -> Option<Due> {
        if attached.stage != Stage::Active {
            return None;
        }
        let (seq, tag, len) = self.lanes.next_message(lane, limits)?;
        Some(Due::Message(lane, seq, tag, len))
    }

    /// What [`Session::next_transmit`] said is being transmitted. Returns whether it is a message that
    /// is sent again.
    pub(super) fn commit(&mut self, due: Due, limits: &LaneLimits) -> bool {
        match due {
            Due::Ack(lane) => {
                self.lanes.change().inn[lane.index()].commit_ack(limits);
                return false;
            }
            Due::Message(lane, ..) => return self.lanes.change().out[lane.index()].commit(),
            Due::Welcome
            | Due::Probe
            | Due::BeatAnswer(_)
            | Due::Active
            | Due::InventoryAnswer(_) => {}
        }
        if due == Due::Welcome {
            // The Welcome tells where our receiving halves stand.
            self.lanes.change().inn.iter_mut().for_each(|inbox| inbox.commit_ack(limits));
        }
        let Some(attached) = self.attached_mut() else { return false };
        match due {
            Due::Welcome => {
                let (items, ready, answered) = (0, 0, 0);
                let stage = Stage::Restoring { items, ended: false, ready, answered };
                attached.enter(stage, attached.since);
            }
            Due::Probe => {
                if let Some(challenge) = &mut attached.challenge {
                    challenge.asked = true;
                }
            }
            Due::BeatAnswer(_) => attached.answer = None,
            Due::Active => attached.enter(Stage::Active, attached.since),
            Due::InventoryAnswer(_) => {
                if let Stage::Restoring { answered, .. } = &mut attached.stage {
                    *answered += 1;
                }
            }
            Due::Ack(_) | Due::Message(..) => {}
        }
        false
    }

    /// The answer to a beat: what the coordinator believes.
    pub(super) fn answer(&self, seq: u32, epoch: Epoch, waiting: bool) -> BeatAnswer {
        let active = self.is_active();
        let idle = self.lanes.is_idle();
        let believed = self.believed.unwrap_or(Believed { free: 0, paused: self.paused });
        BeatAnswer {
            seq,
            epoch,
            known: true,
            flags: Flags { active, draining: self.draining, paused: believed.paused },
            free: believed.free,
            quiet: active && idle && self.believed.is_some(),
            waiting,
            first_window: None,
            beat_interval: None,
        }
    }

    /// What the worker was told of the fleet and is to be told again: what differs from it by more
    /// than a quarter.
    pub(super) fn news_of_fleet(&self, fleet: Fleet) -> Fleet {
        let changed = |told: Duration, now: Duration| {
            let change = now.abs_diff(told);
            change > FLEET_CHANGE_MIN && change > told / 4
        };
        let interval = if changed(self.beat_interval, fleet.beat_interval) {
            fleet.beat_interval
        } else {
            self.beat_interval
        };
        let window = if changed(self.first_window, fleet.first_window) {
            fleet.first_window
        } else {
            self.first_window
        };
        Fleet { beat_interval: interval, first_window: window }
    }

    /// It is being told. Returns whether what is expected of it changes.
    #[must_use]
    pub(super) fn told_of_fleet(&mut self, fleet: Fleet) -> bool {
        self.first_window = fleet.first_window;
        mem::replace(&mut self.beat_interval, fleet.beat_interval) != fleet.beat_interval
    }

    /// The worker said that it is active, on the connection it has.
    pub(super) fn is_active(&self) -> bool {
        self.attached().is_some_and(Attached::is_active)
    }

    /// A heartbeat. Returns whether it proves to a challenger that this process lives.
    pub(super) fn beat(&mut self, beat: &Beat, now: Instant) -> Result<bool, Violation> {
        let Some(attached) = self.attached_mut() else { return Ok(false) };
        if attached.stage == Stage::Welcoming {
            return Err(Violation::OutOfPlace);
        }
        attached.answer = Some(beat.seq);
        let proves = attached.challenge.as_ref().is_some_and(|challenge| challenge.asked);
        self.rtt_micros = beat.rtt_micros;
        self.paused = beat.flags.paused;
        if self.draining != beat.flags.draining {
            self.draining = beat.flags.draining;
            self.draining_since = now;
        }
        Ok(proves)
    }

    /// What the worker's link has counted.
    pub(super) fn told(&mut self, statistics: &Statistics) -> Result<(), Violation> {
        let agreed = self.attached().is_some_and(|attached| {
            attached.stage != Stage::Welcoming && attached.features & Features::STATISTICS != 0
        });
        if !agreed {
            return Err(Violation::OutOfPlace);
        }
        match &mut self.statistics {
            Some(before) => **before = *statistics,
            None => self.statistics = Some(Box::new(*statistics)),
        }
        Ok(())
    }

    /// The worker's word on where its receiving half of a lane stands. Returns whether it brought the lane
    /// on: then there is more time for what is still to be acknowledged.
    pub(super) fn acknowledged(&mut self, ack: &Ack, now: Instant) -> Result<bool, Violation> {
        if !self.flows() {
            return Err(Violation::OutOfPlace);
        }
        #[cfg(moorline_planted = "LIVE-6")]
        self.lanes.change().inn[ack.lane.index()].resume(crate::Standing::default());
        let outbox = &mut self.lanes.change().out[ack.lane.index()];
        let before = outbox.acknowledged();
        if !outbox.acknowledge(ack.standing) {
            return Err(Violation::FalseAck);
        }
        let progress = outbox.acknowledged() > before;
        if progress {
            self.makes_progress(now);
        }
        Ok(progress)
    }

    /// A numbered message. Returns whether it is new.
    pub(super) fn message(&mut self, lane: Lane, seq: Seq, len: u32) -> Result<bool, Violation> {
        if !self.flows() {
            return Err(Violation::OutOfPlace);
        }
        match self.lanes.change().inn[lane.index()].arrive(seq, len) {
            Arrival::Deliver => Ok(true),
            Arrival::Duplicate => Ok(false),
            wrong @ (Arrival::Gap | Arrival::OverCredit | Arrival::TooLarge) => {
                Err(Violation::Message(wrong))
            }
        }
    }

    /// The worker can know that both sides are active.
    fn flows(&self) -> bool {
        self.attached().is_some_and(|attached| attached.stage == Stage::Active)
    }
}

impl Attached {
    fn enter(&mut self, stage: Stage, since: Instant) {
        self.stage = stage;
        self.since = since;
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Confirming | Stage::Active)
    }

    /// The inventory is not answered and honoured yet.
    pub(super) fn is_restoring(&self) -> bool {
        !self.is_active()
    }

    /// One key of the inventory.
    pub(super) fn item(&mut self, index: u32, most: u32) -> Result<(), Violation> {
        match &mut self.stage {
            Stage::Restoring { items, ended: false, .. } if index == *items && *items < most => {
                *items += 1;
                Ok(())
            }
            Stage::Restoring { .. } => Err(Violation::Inventory),
            Stage::Welcoming | Stage::Confirming | Stage::Active => Err(Violation::OutOfPlace),
        }
    }

    /// The inventory is complete.
    pub(super) fn end(&mut self, count: u32) -> Result<(), Violation> {
        match &mut self.stage {
            Stage::Restoring { items, ended, .. } if count == *items && !*ended => {
                *ended = true;
                Ok(())
            }
            Stage::Restoring { .. } => Err(Violation::Inventory),
            Stage::Welcoming | Stage::Confirming | Stage::Active => Err(Violation::OutOfPlace),
        }
    }

    /// The worker honoured all answers: only possible when all were transmitted.
    pub(super) fn activate(&mut self, now: Instant) -> Result<(), Violation> {
        match self.stage {
            Stage::Restoring { items, ended: true, answered, .. } if answered == items => {
                self.enter(Stage::Confirming, now);
                Ok(())
            }
            Stage::Restoring { .. } => Err(Violation::Inventory),
            Stage::Welcoming | Stage::Confirming | Stage::Active => Err(Violation::OutOfPlace),
        }
    }

    /// Whether one more answer may be ready.
    pub(super) fn can_answer(&self) -> bool {
        match self.stage {
            Stage::Restoring { items, ready, .. } => ready < items,
            Stage::Welcoming | Stage::Confirming | Stage::Active => false,
        }
    }

    /// One more answer is ready.
    pub(super) fn answer_ready(&mut self) {
        if let Stage::Restoring { ready, .. } = &mut self.stage {
            *ready += 1;
        }
    }
}
