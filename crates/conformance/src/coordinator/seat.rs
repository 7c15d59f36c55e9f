//! A worker's side of a session, without sockets or clocks: it takes packets, judges them by all that
//! holds always, and says what there is to be said of itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_link::{
    Ack, Beat, BeatAnswer, Credit, Dismissal, Flags, Lane, Reason, Resume, Seq, SessionId, Welcome,
};
use moorline_node::{DownFrame, Message, Packet, ToWorker, UpFrame};
use moorline_work::{Judgement, TaskKey, WorkerMessage};

use super::Seen;
use crate::lane::{Receiving, Sending, Whole, Wrong};
use crate::outcome::Violation;

/// Something a coordinator said, or the end of the connection.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Welcome(Box<Welcome>),
    Refused(Dismissal),
    Answer { key: TaskKey, judgement: Judgement },
    Active,
    Probe,
    BeatAnswer(BeatAnswer),
    Ack(Ack),
    Said(Whole<ToWorker>),
    GoAway(Dismissal),
    Ended(Reason),
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    /// No Hello yet.
    Silent,
    /// The Hello was said.
    Greeted,
    /// It was answered.
    Welcomed,
    /// This side said Active.
    Ready,
}

/// What a worker gives of itself. Scripts change it.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    /// Probes are answered.
    pub(super) answers_probes: bool,
    /// Messages are acknowledged, with new credit.
    pub(super) acknowledges: bool,
    /// How much may be under way, by lane.
    pub(super) window: [Credit; 2],
    /// Free slots.
    pub(super) free: u16,
}

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) manners: Manners,
    pub(super) session: Option<SessionId>,
    pub(super) up: [Sending<WorkerMessage>; 2],
    pub(super) down: [Receiving<ToWorker>; 2],
    /// What the Hello offered.
    pub(super) offered: u64,
    phase: Phase,
    active: bool,
    open: BTreeMap<u32, TaskKey>,
    beats: u32,
    answered: u32,
    out: Vec<Packet<UpFrame>>,
    seen: Seen,
}

impl Seat {
    pub(super) fn new(seen: Seen) -> Self {
        let window = Credit { messages: Seq(256), bytes: 256 << 10 };
        let none = Credit::default();
        Self {
            manners: Manners {
                answers_probes: true,
                acknowledges: true,
                window: [window; 2],
                free: 1,
            },
            session: None,
            up: [Sending::new(none), Sending::new(none)],
            down: [Receiving::new(window), Receiving::new(window)],
            offered: 0,
            phase: Phase::Silent,
            active: false,
            open: BTreeMap::new(),
            beats: 0,
            answered: 0,
            out: Vec::new(),
            seen,
        }
    }

    /// A connection is there.
    pub(super) fn connected(&mut self) {
        self.phase = Phase::Silent;
        self.active = false;
        self.open.clear();
        (self.beats, self.answered) = (0, 0);
        self.out.clear();
        for lane in &mut self.down {
            lane.connected();
        }
    }

    pub(super) fn resume(&self) -> Option<Resume> {
        let lanes = [self.down[0].standing(), self.down[1].standing()];
        self.session.map(|session| Resume { session, lanes })
    }

    /// What is to be sent now.
    pub(super) fn due(&mut self) -> Vec<Packet<UpFrame>> {
        if self.active {
            for lane in Lane::ALL {
                let due = self.up[lane.index()].due();
                self.out.extend(due.into_iter().flat_map(|message| packets(lane, message)));
            }
        }
        std::mem::take(&mut self.out)
    }

    /// Says something of lane C that has no number.
    pub(super) fn say(&mut self, frame: UpFrame) {
        match &frame {
            UpFrame::Hello { head, .. } => {
                self.phase = self.phase.max(Phase::Greeted);
                self.offered = head.features;
            }
            UpFrame::InventoryItem { index, key, .. } => {
                self.open.insert(*index, *key);
            }
            UpFrame::Active => self.phase = self.phase.max(Phase::Ready),
            UpFrame::InventoryEnd { .. }
            | UpFrame::Beat(_)
            | UpFrame::Statistics(_)
            | UpFrame::Ack(_)
            | UpFrame::Message(_)
            | UpFrame::Part(_)
            | UpFrame::Goodbye { .. } => {}
        }
        self.out.push(Packet { lane: Lane::C, frames: vec![frame] });
    }

    /// Says a message of a lane again, under its number.
    pub(super) fn repeat(&mut self, lane: Lane, seq: u64) {
        if let Some(message) = self.up[lane.index()].message(seq) {
            self.out.extend(packets(lane, message));
        }
    }

    /// Beats.
    pub(super) fn beat(&mut self) {
        self.beats += 1;
        let flags = Flags { active: self.active, draining: false, paused: false };
        let free = self.manners.free;
        let beat = Beat { seq: self.beats, flags, free, quiet: false, rtt_micros: 0 };
        self.say(UpFrame::Beat(beat));
    }

    /// A beat was said in other ways.
    pub(super) fn counts_a_beat(&mut self) {
        self.beats += 1;
    }

    /// The number of the last beat.
    pub(super) fn last_beat(&self) -> u32 {
        self.beats
    }

    /// Whether this connection was welcomed.
    pub(super) fn is_welcomed(&self) -> bool {
        self.phase >= Phase::Welcomed
    }

    /// Takes a packet in. What it says is returned if it is one.
    pub(super) fn hear(&mut self, packet: Bytes) -> Vec<Heard> {
        let len = packet.len();
        match moorline_wire::decode_down(packet) {
            Ok(decoded) => {
                decoded.frames.into_iter().filter_map(|frame| self.take(frame)).collect()
            }
            Err(error) => {
                let expected = "a packet of frames that a coordinator may send";
                let saw = format!("{len} bytes: {error}");
                self.violate("packets_are_as_the_schema_says", expected, saw);
                Vec::new()
            }
        }
    }

    fn take(&mut self, frame: DownFrame) -> Option<Heard> {
        // Who says no Hello in time is told so.
        let ends = matches!(frame, DownFrame::GoAway { .. } | DownFrame::Refused { .. });
        if self.phase == Phase::Silent && !ends {
            let promise = "nothing_is_said_before_the_hello";
            self.violate(promise, "nothing before the Hello", format!("{frame:?}"));
        }
        match frame {
            DownFrame::Welcome { head, .. } => {
                self.welcome(&head);
                Some(Heard::Welcome(Box::new(head)))
            }
            DownFrame::Refused { dismissal, .. } => Some(Heard::Refused(dismissal)),
            DownFrame::InventoryAnswer { index, key, judgement } => {
                let promise = "each_item_of_the_inventory_is_answered_once";
                match self.open.remove(&index) {
                    Some(listed) if listed == key => {}
                    Some(listed) => {
                        let expected = format!("{listed:?} in the answer to item {index}");
                        self.violate(promise, expected, format!("{key:?}"));
                    }
                    None => {
                        let saw = format!("an answer to item {index}");
                        self.violate(promise, "one answer to each item that was listed", saw);
                    }
                }
                Some(Heard::Answer { key, judgement })
            }
            DownFrame::Active => {
                if self.phase != Phase::Ready {
                    let expected = "no Active before the worker's";
                    self.violate("active_is_answered", expected, "Active");
                }
                self.active = true;
                Some(Heard::Active)
            }
            DownFrame::Probe => {
                if self.manners.answers_probes {
                    self.beat();
                }
                Some(Heard::Probe)
            }
            DownFrame::BeatAnswer(answer) => {
                if answer.seq <= self.answered || answer.seq > self.beats {
                    let expected = format!(
                        "an answer to a beat behind {} and up to {}",
                        self.answered, self.beats
                    );
                    let promise = "beats_are_answered_by_their_number";
                    self.violate(promise, expected, format!("one to {}", answer.seq));
                }
                self.answered = answer.seq;
                Some(Heard::BeatAnswer(answer))
            }
            DownFrame::Ack(ack) => {
                if let Err(saw) = self.up[ack.lane.index()].acknowledge(ack.standing) {
                    let expected = format!("where lane {:?} really stands", ack.lane);
                    self.violate("messages_are_acknowledged", expected, saw);
                }
                Some(Heard::Ack(ack))
            }
            DownFrame::Message(message) => {
                let lane = message.head.lane();
                // A message of lane B may overtake Active, and means the same.
                self.active |= lane == Lane::B;
                if let Some(wrong) = self.down[lane.index()].begin(&message) {
                    self.wrong(lane, wrong);
                }
                let whole = self.down[lane.index()].message(message);
                self.numbered(lane, whole)
            }
            DownFrame::Part(part) => {
                let whole = self.down[Lane::B.index()].part(&part);
                self.numbered(Lane::B, whole)
            }
            DownFrame::GoAway { dismissal, .. } => Some(Heard::GoAway(dismissal)),
            // Said only to who offers to understand it.
            DownFrame::Endpoints(_) | DownFrame::Redirect(_) => {
                let promise = "a_feature_that_was_not_offered_is_not_agreed_on";
                self.violate(promise, "nothing of a feature that was not offered", "other places");
                None
            }
        }
    }

    fn welcome(&mut self, head: &Welcome) {
        let resumes = head.resumed && self.session == Some(head.session);
        if head.resumed && !resumes {
            let saw = format!("{:?}, resumed", head.session);
            let expected = format!("{:?}, or a new session", self.session);
            let is_other = self.session.is_some_and(|shown| shown.epoch != head.session.epoch);
            let promise = if is_other {
                "a_session_of_another_life_is_not_resumed"
            } else {
                "a_session_is_resumed_where_it_stood"
            };
            self.violate(promise, expected, saw);
        }
        for lane in Lane::ALL {
            let (at, standing) = (lane.index(), head.lanes[lane.index()]);
            if resumes {
                if let Err(saw) = self.up[at].acknowledge(standing) {
                    let expected = format!("where lane {lane:?} really stands");
                    self.violate("a_session_is_resumed_where_it_stood", expected, saw);
                }
                self.up[at].resume();
            } else {
                if standing.received.0 != 0 {
                    let saw = format!("{} received on lane {lane:?}", standing.received.0);
                    let promise = "a_hello_is_answered_with_a_welcome";
                    self.violate(promise, "lanes that are empty in a new session", saw);
                }
                self.up[at] = Sending::new(standing.credit);
                self.down[at] = Receiving::new(self.manners.window[at]);
            }
        }
        self.session = Some(head.session);
        self.phase = self.phase.max(Phase::Welcomed);
    }

    fn numbered(
        &mut self,
        lane: Lane,
        whole: Result<Option<Whole<ToWorker>>, Wrong>,
    ) -> Option<Heard> {
        match whole {
            Ok(whole) => {
                let whole = whole?;
                if self.manners.acknowledges {
                    self.acknowledge(lane);
                }
                (!whole.again).then_some(Heard::Said(whole))
            }
            Err(wrong) => {
                self.wrong(lane, wrong);
                None
            }
        }
    }

    /// Acknowledges a lane, with new credit.
    pub(super) fn acknowledge(&mut self, lane: Lane) {
        let down = &mut self.down[lane.index()];
        down.give(self.manners.window[lane.index()]);
        let standing = down.standing();
        self.say(UpFrame::Ack(Ack { lane, standing }));
    }

    fn wrong(&mut self, lane: Lane, wrong: Wrong) {
        let (dense, bodies) = ("numbers_of_a_lane_are_dense", "packets_are_as_the_schema_says");
        self.seen.add(wrong.on(lane, dense, bodies));
    }

    fn violate(&self, promise: &'static str, expected: impl Into<String>, saw: impl Into<String>) {
        self.seen.add(Violation { promise, expected: expected.into(), saw: saw.into() });
    }
}

/// A message as packets.
pub(super) fn packets(lane: Lane, message: Message<WorkerMessage>) -> Vec<Packet<UpFrame>> {
    crate::lane::packets(lane, message, UpFrame::Message, UpFrame::Part)
}
