//! The coordinator's side of a worker, without sockets or clocks: it takes packets, judges them by all
//! that holds always, and says what there is to be said of itself.

use bytes::Bytes;
use moorline_link::{
    Ack, Beat, BeatAnswer, Credit, Epoch, Features, Hello, Lane, Reason, Resume, Seq, SessionId,
    Welcome,
};
use moorline_node::{About, DownFrame, Message, Packet, ToWorker, UpFrame};
use moorline_work::{Holding, TaskKey, WorkerMessage};

use crate::lane::{Receiving, Sending, Whole, Wrong};
use crate::outcome::Violation;

/// Something a worker said, or the end of its connection.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Hello { head: Box<Hello>, about: About },
    Item { index: u32, key: TaskKey, holding: Holding },
    InventoryEnd,
    Active,
    Beat(Beat),
    Statistics,
    Ack(Ack),
    Said(Whole<WorkerMessage>),
    Goodbye,
    Ended(Reason),
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No Hello yet.
    Silent,
    /// The Hello was not answered yet.
    Greeted,
    /// The inventory is being told.
    Listing,
    /// Its end was told: the answers are.
    Answering,
    /// The worker said that it is active.
    Active,
    /// The coordinator sent it away.
    Dismissed,
}

/// What the coordinator gives of itself. Scripts change it.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    /// Beats are answered.
    pub(super) answers_beats: bool,
    /// Answers say that the session is known.
    pub(super) knows: bool,
    /// The epoch in answers, if it is not the session's.
    pub(super) epoch: Option<Epoch>,
    /// Messages are acknowledged, with new credit.
    pub(super) acknowledges: bool,
    /// How much may be under way, by lane.
    pub(super) window: [Credit; 2],
    /// Features that the Welcome agrees to, of those that are offered.
    pub(super) features: u64,
}

impl Default for Manners {
    fn default() -> Self {
        let window = Credit { messages: Seq(256), bytes: 256 << 10 };
        Self {
            answers_beats: true,
            knows: true,
            epoch: None,
            acknowledges: true,
            window: [window; 2],
            features: Features::SPOKEN,
        }
    }
}

/// The two directions of a session.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    pub(super) up: [Receiving<WorkerMessage>; 2],
    pub(super) down: [Sending<ToWorker>; 2],
}

/// What is open of an inventory.
#[derive(Clone, Copy, Default, Debug)]
struct Items {
    told: u32,
    answered: u32,
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) manners: Manners,
    pub(super) session: SessionId,
    pub(super) lanes: Lanes,
    phase: Phase,
    items: Items,
    beats: u32,
    agreed: u64,
    hello: Option<Hello>,
    out: Vec<Packet<DownFrame>>,
    pub(super) violations: Vec<Violation>,
}

impl Desk {
    pub(super) fn new(epoch: Epoch) -> Self {
        let manners = Manners::default();
        let none = [Credit::default(); 2];
        Self {
            lanes: lanes(&manners, none),
            manners,
            session: SessionId { epoch, n: 0 },
            phase: Phase::Silent,
            items: Items::default(),
            beats: 0,
            agreed: 0,
            hello: None,
            out: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// A connection is there.
    pub(super) fn connected(&mut self) {
        self.phase = Phase::Silent;
        self.items = Items::default();
        self.beats = 0;
        self.out.clear();
        for lane in &mut self.lanes.up {
            lane.connected();
        }
    }

    /// Whether both sides said Active.
    pub(super) fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// What is to be sent now.
    pub(super) fn due(&mut self) -> Vec<Packet<DownFrame>> {
        if self.phase == Phase::Active {
            for lane in Lane::ALL {
                let due = self.lanes.down[lane.index()].due();
                self.out.extend(due.into_iter().flat_map(|message| packets(lane, message)));
            }
        }
        std::mem::take(&mut self.out)
    }

    /// Says something of lane C that has no number.
    pub(super) fn say(&mut self, frame: DownFrame) {
        self.out.push(Packet { lane: Lane::C, frames: vec![frame] });
    }

    /// Says a message of a lane again, under its number.
    pub(super) fn repeat(&mut self, lane: Lane, seq: u64) {
        if let Some(message) = self.lanes.down[lane.index()].message(seq) {
            self.out.extend(packets(lane, message));
        }
    }

    /// Lets the worker in: into the session that it shows, or into a new one.
    pub(super) fn welcome(&mut self, resumes: bool, welcome: impl FnOnce(&mut Welcome)) {
        let Some(hello) = self.hello else { return };
        let resume = hello.resume.filter(|shown| resumes && shown.session == self.session);
        match resume {
            Some(resume) => self.resume(&resume),
            None => {
                self.session.n += 1;
                self.lanes = lanes(&self.manners, hello.credit);
            }
        }
        self.agreed = hello.features & self.manners.features;
        let mut head = Welcome {
            version: 1,
            features: self.agreed,
            session: self.session,
            resumed: resume.is_some(),
            lanes: [self.lanes.up[0].standing(), self.lanes.up[1].standing()],
            beat_interval: super::BEAT,
            first_window: Some(super::FIRST_WINDOW),
            lost_after: super::LOST_AFTER,
        };
        welcome(&mut head);
        let software = moorline_node::Name::new("moorline conformance").expect("a name");
        self.say(DownFrame::Welcome { head, software });
        self.phase = Phase::Listing;
    }

    fn resume(&mut self, resume: &Resume) {
        for lane in Lane::ALL {
            let down = &mut self.lanes.down[lane.index()];
            if let Err(saw) = down.acknowledge(resume.lanes[lane.index()]) {
                self.violations.push(Violation {
                    promise: "a_session_is_resumed_where_it_stood",
                    expected: format!("where the worker's lane {lane:?} really stands, in Resume"),
                    saw,
                });
            }
            down.resume();
        }
    }

    /// Answers an item of the inventory.
    pub(super) fn answer(&mut self, frame: DownFrame) {
        self.items.answered += 1;
        self.say(frame);
    }

    /// The worker was sent away: what it still says is not judged.
    pub(super) fn dismissed(&mut self) {
        self.phase = Phase::Dismissed;
    }

    /// Takes a packet in. What it says is returned if it is one.
    pub(super) fn hear(&mut self, packet: Bytes) -> Vec<Heard> {
        const PROMISE: &str = "packets_are_as_the_schema_says";
        let len = packet.len();
        let decoded = match moorline_wire::decode_up(packet) {
            Ok(decoded) => decoded,
            Err(error) => {
                let expected = "a packet of frames that a worker may send";
                self.violate(PROMISE, expected, format!("{len} bytes: {error}"));
                return Vec::new();
            }
        };
        if decoded.unknown_frames > 0 {
            let saw = format!("{} frames of unknown kinds", decoded.unknown_frames);
            self.violate(NOT_AGREED, "frames that were agreed on", saw);
        }
        decoded.frames.into_iter().filter_map(|frame| self.take(frame)).collect()
    }

    fn take(&mut self, frame: UpFrame) -> Option<Heard> {
        self.in_turn(&frame);
        match frame {
            UpFrame::Hello { head, about } => {
                if self.phase == Phase::Silent {
                    self.phase = Phase::Greeted;
                    self.hello = Some(head);
                }
                Some(Heard::Hello { head: Box::new(head), about })
            }
            UpFrame::InventoryItem { index, key, holding } => {
                if index != self.items.told {
                    let expected = format!("item {}", self.items.told);
                    self.violate(INVENTORY, expected, format!("item {index}"));
                }
                self.items.told += 1;
                Some(Heard::Item { index, key, holding })
            }
            UpFrame::InventoryEnd { count } => {
                if count != self.items.told {
                    let saw = format!("an end with count {count}");
                    self.violate(INVENTORY, format!("an end with count {}", self.items.told), saw);
                }
                if self.phase == Phase::Listing {
                    self.phase = Phase::Answering;
                }
                Some(Heard::InventoryEnd)
            }
            UpFrame::Active => {
                if self.phase == Phase::Answering {
                    self.phase = Phase::Active;
                    self.say(DownFrame::Active);
                }
                Some(Heard::Active)
            }
            UpFrame::Beat(beat) => {
                self.beat(beat);
                Some(Heard::Beat(beat))
            }
            UpFrame::Statistics(_) => {
                if self.agreed & Features::STATISTICS == 0 {
                    self.violate(NOT_AGREED, "no frame that was not agreed on", "statistics");
                }
                Some(Heard::Statistics)
            }
            UpFrame::Ack(ack) => {
                if let Err(saw) = self.lanes.down[ack.lane.index()].acknowledge(ack.standing) {
                    let expected = format!("where lane {:?} really stands", ack.lane);
                    self.violate("acknowledgements_are_true", expected, saw);
                }
                Some(Heard::Ack(ack))
            }
            UpFrame::Message(message) => {
                let lane = moorline_node::lane_of(&message.head);
                if let Some(wrong) = self.lanes.up[lane.index()].begin(&message) {
                    self.wrong(lane, wrong);
                }
                let whole = self.lanes.up[lane.index()].message(message);
                self.numbered(lane, whole)
            }
            UpFrame::Part(part) => {
                let whole = self.lanes.up[Lane::B.index()].part(&part);
                self.numbered(Lane::B, whole)
            }
            UpFrame::Goodbye { .. } => Some(Heard::Goodbye),
        }
    }

    /// Whether it is this frame's turn.
    fn in_turn(&mut self, frame: &UpFrame) {
        let name = name(frame);
        let is_hello = matches!(frame, UpFrame::Hello { .. });
        match self.phase {
            Phase::Silent if !is_hello => {
                self.violate("a_hello_comes_first_and_is_whole", "a Hello", name);
            }
            Phase::Greeted => {
                let expected = "nothing before the answer to the Hello";
                self.violate("nothing_is_said_before_the_welcome", expected, name);
            }
            Phase::Listing | Phase::Answering | Phase::Active if is_hello => {
                let expected = "one Hello on a connection";
                self.violate("a_hello_comes_first_and_is_whole", expected, "another one");
            }
            Phase::Listing | Phase::Answering => self.before_active(frame),
            Phase::Active if matches!(frame, UpFrame::InventoryItem { .. }) => {
                self.violate(INVENTORY, "no item behind the end of the inventory", name);
            }
            Phase::Silent | Phase::Active | Phase::Dismissed => {}
        }
    }

    fn before_active(&mut self, frame: &UpFrame) {
        let name = name(frame);
        match frame {
            UpFrame::Active if self.phase == Phase::Listing => {
                self.violate(INVENTORY, "the inventory before Active", name);
            }
            UpFrame::Active if self.items.answered < self.items.told => {
                let expected = format!("no Active before all {} answers", self.items.told);
                let saw = format!("Active after {}", self.items.answered);
                self.violate("active_waits_for_every_answer", expected, saw);
            }
            UpFrame::InventoryItem { .. } if self.phase == Phase::Answering => {
                self.violate(INVENTORY, "no item behind the end of the inventory", name);
            }
            UpFrame::Ack(_) | UpFrame::Message(_) | UpFrame::Part(_) => {
                let promise = "work_waits_until_both_are_active";
                self.violate(promise, "no ack and no message before both said Active", name);
            }
            UpFrame::Hello { .. }
            | UpFrame::InventoryItem { .. }
            | UpFrame::InventoryEnd { .. }
            | UpFrame::Active
            | UpFrame::Beat(_)
            | UpFrame::Statistics(_)
            | UpFrame::Goodbye { .. } => {}
        }
    }

    fn beat(&mut self, beat: Beat) {
        self.beats += 1;
        if beat.seq != self.beats {
            let expected = format!("beat {} of the connection", self.beats);
            self.violate("beats_are_numbered_from_one", expected, format!("beat {}", beat.seq));
            self.beats = beat.seq;
        }
        let is_welcome = !matches!(self.phase, Phase::Silent | Phase::Greeted);
        if self.manners.answers_beats && is_welcome {
            self.say(DownFrame::BeatAnswer(BeatAnswer {
                seq: beat.seq,
                epoch: self.manners.epoch.unwrap_or(self.session.epoch),
                known: self.manners.knows,
                // What the worker says of itself is believed; as this side is never quiet, slots are
                // not compared.
                flags: beat.flags,
                free: beat.free,
                quiet: false,
                waiting: self.phase == Phase::Answering,
                first_window: None,
                beat_interval: None,
            }));
        }
    }

    fn numbered(
        &mut self,
        lane: Lane,
        whole: Result<Option<Whole<WorkerMessage>>, Wrong>,
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
        let up = &mut self.lanes.up[lane.index()];
        up.give(self.manners.window[lane.index()]);
        let standing = up.standing();
        self.say(DownFrame::Ack(Ack { lane, standing }));
    }

    fn wrong(&mut self, lane: Lane, wrong: Wrong) {
        let dense = if matches!(wrong, Wrong::Gap { expected: 1, .. }) {
            "a_new_session_begins_its_numbers_anew"
        } else {
            "numbers_of_a_lane_are_dense"
        };
        self.violations.push(wrong.on(lane, dense, "a_large_body_is_cut_into_parts"));
    }

    fn violate(
        &mut self,
        promise: &'static str,
        expected: impl Into<String>,
        saw: impl Into<String>,
    ) {
        let (expected, saw) = (expected.into(), saw.into());
        self.violations.push(Violation { promise, expected, saw });
    }
}

const INVENTORY: &str = "an_inventory_follows_each_welcome";
const NOT_AGREED: &str = "what_was_not_agreed_on_is_not_said";

fn lanes(manners: &Manners, credit: [Credit; 2]) -> Lanes {
    let up = manners.window.map(Receiving::new);
    Lanes { up, down: credit.map(Sending::new) }
}

fn packets(lane: Lane, message: Message<ToWorker>) -> Vec<Packet<DownFrame>> {
    crate::lane::packets(lane, message, DownFrame::Message, DownFrame::Part)
}

fn name(frame: &UpFrame) -> &'static str {
    match frame {
        UpFrame::Hello { .. } => "a Hello",
        UpFrame::InventoryItem { .. } => "an item of the inventory",
        UpFrame::InventoryEnd { .. } => "the end of the inventory",
        UpFrame::Active => "Active",
        UpFrame::Beat(_) => "a beat",
        UpFrame::Statistics(_) => "statistics",
        UpFrame::Ack(_) => "an acknowledgement",
        UpFrame::Message(_) => "a message",
        UpFrame::Part(_) => "a part of a body",
        UpFrame::Goodbye { .. } => "a Goodbye",
    }
}
