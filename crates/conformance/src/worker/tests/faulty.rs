//! A worker of its own make, small and slow-witted, that can have one fault at a time: that of the promise
//! it is named after.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    Ack, Beat, ComeBack, Credit, Dismissal, Flags, Hello, Incarnation, Lane, Reason, Resume, Seq,
    SessionId, Standing, Statistics, Sym, Ticket, Versions, WorkerId,
};
use moorline_memory::MemoryTransport;
use moorline_node::{About, DownFrame, Name, Packet, Part, ToWorker, UpFrame};
use moorline_transport::{Connection, Endpoint, Transport};
use moorline_wire::DecodeError;
use moorline_work::{Holding, Outcome, TaskKey, WorkerMessage};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

pub(super) use self::launch::InProcess;
use self::launch::random;
use crate::lane::{Receiving, Sending};

mod launch;
mod work;

const SLOTS: u16 = 3;
const WINDOW: Credit = Credit { messages: Seq(256), bytes: 256 << 10 };
const PAUSE: Duration = Duration::from_millis(100);

/// What comes behind a connection.
enum Next {
    After(Duration),
    Never,
    Left,
}

#[derive(Clone)]
enum Work {
    Runs { ends: Instant, limit: Option<Instant>, body: Bytes },
    Ended { outcome: Outcome, body: Bytes, said: bool },
}

/// What holds for one connection.
struct Phase {
    welcomed: bool,
    active: bool,
    open: BTreeMap<u32, TaskKey>,
    begun: Instant,
    heard: Instant,
    beat: Option<Instant>,
    ack: Option<Instant>,
    interval: Duration,
}

struct Worker {
    fault: &'static str,
    transport: MemoryTransport,
    at: Endpoint,
    drain: Arc<Notify>,
    id: u64,
    incarnation: u64,
    session: Option<SessionId>,
    up: [Sending<WorkerMessage>; 2],
    down: [Receiving<ToWorker>; 2],
    /// By how much numbers on the wire are too high, by lane.
    offset: [u64; 2],
    work: BTreeMap<TaskKey, Work>,
    revoked: BTreeSet<TaskKey>,
    later: Vec<(Instant, ToWorker, Bytes)>,
    draining: bool,
    ticket: Option<Ticket>,
    beats: u32,
    ghosts: u16,
}

impl Worker {
    fn new(
        fault: &'static str,
        transport: MemoryTransport,
        at: Endpoint,
        drain: Arc<Notify>,
        id: u64,
    ) -> Self {
        Self {
            fault,
            transport,
            at,
            drain,
            id,
            incarnation: random(),
            session: None,
            up: [Sending::new(Credit::default()), Sending::new(Credit::default())],
            down: [Receiving::new(WINDOW), Receiving::new(WINDOW)],
            offset: [0; 2],
            work: BTreeMap::new(),
            revoked: BTreeSet::new(),
            later: Vec::new(),
            draining: false,
            ticket: None,
            beats: 0,
            ghosts: 0,
        }
    }

    fn breaks(&self, promise: &str) -> bool {
        debug_assert!(super::PROMISES.iter().any(|one| one.name == promise), "{promise}");
        self.fault == promise
    }

    async fn run(mut self) -> i32 {
        loop {
            let next = match self.transport.dial(&self.at).await {
                Ok(mut connection) => self.connection(&mut connection).await,
                Err(_) => Next::After(PAUSE),
            };
            match next {
                Next::After(time) => sleep(time).await,
                Next::Never => return 1,
                Next::Left => return 0,
            }
        }
    }

    fn pause(&self) -> Next {
        let at_once = self.breaks("dials_keep_their_distance");
        Next::After(if at_once { Duration::ZERO } else { PAUSE })
    }

    async fn connection(&mut self, to: &mut Connection) -> Next {
        let now = Instant::now();
        let mut phase = Phase {
            welcomed: false,
            active: false,
            open: BTreeMap::new(),
            begun: now,
            heard: now,
            beat: None,
            ack: None,
            interval: Duration::from_secs(5),
        };
        if !self.breaks("beats_are_numbered_from_one") {
            self.beats = 0;
        }
        let hello = self.hello();
        say(to, hello).await;
        if self.breaks("nothing_is_said_before_the_welcome") {
            self.beat(to, &phase).await;
        }
        loop {
            if let Some(next) = self.due(to, &mut phase).await {
                return next;
            }
            let wake = self.wake(&phase);
            let drain = Arc::clone(&self.drain);
            let timer = async {
                match wake {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            let receiver = &mut to.receiver;
            let receiving = poll_fn(|cx| Pin::new(&mut **receiver).poll_receive(cx));
            let packet = tokio::select! {
                packet = receiving => packet,
                () = timer => continue,
                () = drain.notified() => {
                    self.draining = true;
                    phase.beat = phase.beat.map(|_| Instant::now());
                    continue;
                }
            };
            let heard = match packet {
                Ok(packet) => self.hear(to, &mut phase, packet).await,
                Err(Reason::ProtocolError)
                    if self.breaks("a_packet_that_is_too_large_ends_the_connection") =>
                {
                    return Next::Never;
                }
                Err(_) => return self.pause(),
            };
            if let Some(next) = heard {
                return next;
            }
        }
    }

    fn hello(&mut self) -> UpFrame {
        let resume = self.session.map(|session| {
            let mut lanes = [self.down[0].standing(), self.down[1].standing()];
            if self.breaks("a_session_is_resumed_where_it_stood") {
                lanes[0].received = Seq(0);
            }
            Resume { session, lanes }
        });
        let newest = if self.breaks("a_hello_comes_first_and_is_whole") { 2 } else { 1 };
        let name = |text| Name::new(text).expect("a name");
        let head = Hello {
            versions: Versions { min: newest, max: newest },
            features: 0,
            worker: WorkerId(self.id.into()),
            incarnation: Incarnation(self.incarnation),
            name: Sym(0),
            resume,
            credit: [WINDOW; 2],
            beat_interval: Duration::from_secs(5),
            ticket: self.ticket,
            holds_work: !(self.work.is_empty() && self.later.is_empty()),
        };
        if !self.breaks("a_ticket_is_shown_once") {
            self.ticket = None;
        }
        let handlers = vec![name("echo"), name("sleep")];
        let about = About {
            name: name("faulty"),
            slots: SLOTS,
            handlers,
            software: name("faulty 1"),
            credential: None,
        };
        UpFrame::Hello { head, about }
    }

    /// When something is to be done, whatever is heard.
    fn wake(&self, phase: &Phase) -> Option<Instant> {
        let answer = (!phase.welcomed && !self.breaks("a_hello_that_nobody_answers_is_given_up"))
            .then(|| phase.begun + Duration::from_secs(10));
        let silence = (phase.welcomed && !self.breaks("a_silent_coordinator_is_given_up"))
            .then(|| phase.heard + Duration::from_secs(15));
        let runs = self.work.values().filter_map(|work| match work {
            Work::Runs { ends, limit, .. } => Some(limit.map_or(*ends, |limit| limit.min(*ends))),
            Work::Ended { .. } => None,
        });
        let later = self.later.iter().map(|(at, ..)| *at);
        runs.chain(later).chain(answer).chain(silence).chain(phase.beat).chain(phase.ack).min()
    }

    async fn due(&mut self, to: &mut Connection, phase: &mut Phase) -> Option<Next> {
        let now = Instant::now();
        let answer = phase.begun + Duration::from_secs(10);
        if !phase.welcomed
            && now >= answer
            && !self.breaks("a_hello_that_nobody_answers_is_given_up")
        {
            return Some(self.pause());
        }
        let silence = phase.heard + Duration::from_secs(15);
        if phase.welcomed && now >= silence && !self.breaks("a_silent_coordinator_is_given_up") {
            return Some(self.pause());
        }
        while let Some(at) = self.later.iter().position(|(at, ..)| *at <= now) {
            let (_, message, body) = self.later.remove(at);
            self.process(message, body);
        }
        for work in self.work.values_mut() {
            let Work::Runs { ends, limit, body } = work else { continue };
            if limit.is_some_and(|limit| limit <= now) {
                let (outcome, body) = (Outcome::TimedOut, Bytes::new());
                *work = Work::Ended { outcome, body, said: false };
            } else if *ends <= now {
                let (outcome, body) = (Outcome::Succeeded, body.clone());
                *work = Work::Ended { outcome, body, said: false };
            }
        }
        if phase.beat.is_some_and(|at| at <= now) {
            phase.beat = Some(now + phase.interval);
            self.beat(to, phase).await;
        }
        if phase.active {
            if phase.ack.is_some_and(|at| at <= now) {
                phase.ack = None;
                self.acknowledge(to).await;
            }
            self.write(to).await;
            let all_heard = self.up.iter().all(|lane| lane.acknowledged == lane.last());
            if self.draining && self.work.is_empty() && all_heard {
                if !self.breaks("a_drain_finishes_what_runs_and_says_goodbye") {
                    say(to, UpFrame::Goodbye { reason: Reason::WorkerStopping }).await;
                }
                poll_fn(|cx| Pin::new(&mut *to.sender).poll_close(cx)).await.ok();
                return Some(Next::Left);
            }
        }
        None
    }

    async fn beat(&mut self, to: &mut Connection, phase: &Phase) {
        self.beats += 1;
        let flags = Flags { active: phase.active, draining: self.draining, paused: false };
        let free = if self.breaks("free_slots_are_true") { SLOTS } else { self.free() };
        let beat = Beat { seq: self.beats, flags, free, quiet: false, rtt_micros: 0 };
        say(to, UpFrame::Beat(beat)).await;
        if self.breaks("what_was_not_agreed_on_is_not_said") {
            say(to, UpFrame::Statistics(Statistics::default())).await;
        }
    }

    fn free(&self) -> u16 {
        let runs = |work: &&Work| matches!(work, Work::Runs { .. });
        let running = u16::try_from(self.work.values().filter(runs).count()).expect("few");
        SLOTS - running.min(SLOTS) - self.ghosts.min(SLOTS - running.min(SLOTS))
    }

    async fn acknowledge(&mut self, to: &mut Connection) {
        for lane in Lane::ALL {
            let down = &mut self.down[lane.index()];
            if self.fault != "credit_is_given_anew" {
                down.give(WINDOW);
            }
            let standing = down.standing();
            say(to, UpFrame::Ack(Ack { lane, standing })).await;
            if self.breaks("acknowledgements_are_true") {
                let mut back = standing;
                back.credit.messages.0 -= 1;
                say(to, UpFrame::Ack(Ack { lane, standing: back })).await;
            }
        }
    }

    /// Says what waits on the lanes.
    async fn write(&mut self, to: &mut Connection) {
        for (key, work) in &mut self.work {
            let Work::Ended { outcome, body, said } = work else { continue };
            if !*said {
                *said = true;
                let head = WorkerMessage::Result { key: *key, outcome: *outcome };
                self.up[Lane::B.index()].say(head, body.clone());
            }
        }
        for lane in Lane::ALL {
            for mut message in self.up[lane.index()].due() {
                message.seq = Seq(self.on_wire(lane, message.seq.0));
                let mut rest = message.body.clone();
                message.body = rest.split_to(rest.len().min(60_000));
                let (seq, mut offset) = (message.seq, message.body.len());
                send(to, lane, UpFrame::Message(message)).await;
                while !rest.is_empty() {
                    let bytes = rest.split_to(rest.len().min(60_000));
                    let slip = usize::from(self.breaks("a_large_body_is_cut_into_parts"));
                    let at = u32::try_from(offset + slip).expect("a body");
                    offset += bytes.len();
                    send(to, lane, UpFrame::Part(Part { seq, offset: at, bytes })).await;
                }
            }
        }
    }

    fn on_wire(&self, lane: Lane, seq: u64) -> u64 {
        let skips = self.breaks("numbers_of_a_lane_are_dense") && lane == Lane::B && seq > 2;
        seq + self.offset[lane.index()] + u64::from(skips)
    }

    /// What the coordinator says of a lane, by its own numbers.
    fn heard_of(&mut self, lane: Lane, mut standing: Standing) {
        let at = lane.index();
        let skips = self.breaks("numbers_of_a_lane_are_dense") && lane == Lane::B;
        let skipped = u64::from(skips && standing.received.0 > 2);
        standing.received.0 = standing.received.0.saturating_sub(self.offset[at] + skipped);
        if self.breaks("credit_in_messages_is_respected") {
            standing.credit.messages = Seq(u64::MAX);
        }
        if self.breaks("credit_in_bytes_is_respected") {
            standing.credit.bytes = u64::MAX;
        }
        self.up[at].acknowledge(standing).ok();
        if self.breaks("a_result_is_kept_until_it_is_settled") && self.up[at].acknowledged > 0 {
            let kept = |work: &Work| matches!(work, Work::Ended { body, .. } if body == "kept");
            self.work.retain(|_, work| !kept(work));
        }
    }

    async fn hear(
        &mut self,
        to: &mut Connection,
        phase: &mut Phase,
        packet: Bytes,
    ) -> Option<Next> {
        phase.heard = Instant::now();
        let decoded = match moorline_wire::decode_down(packet) {
            Ok(decoded) => decoded,
            Err(DecodeError::WrongDirection { .. })
                if self.breaks("a_frame_of_a_worker_ends_the_connection") =>
            {
                return None;
            }
            Err(DecodeError::WrongDirection { .. }) => return Some(self.pause()),
            Err(_) if self.breaks("garbage_ends_the_connection") => return None,
            Err(_) => return Some(self.pause()),
        };
        let newer = decoded.unknown_frames + decoded.unknown_fields > 0;
        if newer && self.breaks("what_is_newer_is_ignored") {
            return Some(self.pause());
        }
        for frame in decoded.frames {
            if let Some(next) = self.take(to, phase, frame).await {
                return Some(next);
            }
        }
        None
    }

    async fn take(
        &mut self,
        to: &mut Connection,
        phase: &mut Phase,
        frame: DownFrame,
    ) -> Option<Next> {
        let now = Instant::now();
        match frame {
            DownFrame::Welcome { head, .. } => {
                phase.welcomed = true;
                phase.interval = head.beat_interval;
                if self.breaks("beats_keep_the_interval_that_was_assigned") {
                    phase.interval = Duration::from_secs(1);
                }
                if !self.breaks("beats_go_on_while_the_inventory_waits") {
                    phase.beat = Some(now + phase.interval / 2);
                }
                self.welcome(&head);
                self.inventory(to, phase, head.resumed).await;
            }
            DownFrame::InventoryAnswer { index, key, judgement } => {
                phase.open.remove(&index);
                self.judge(key, judgement);
                if phase.open.is_empty() && !self.breaks("active_waits_for_every_answer") {
                    say(to, UpFrame::Active).await;
                }
            }
            DownFrame::Active => {
                phase.active = true;
                phase.beat = phase.beat.or(Some(now + phase.interval / 2));
                if self.breaks("packets_are_as_the_schema_says") {
                    transmit(to, crate::raw::garbage(), Lane::C).await;
                }
            }
            DownFrame::Probe => {
                let late = self.breaks("a_probe_is_answered_at_once");
                phase.beat = Some(if late { now + Duration::from_millis(1_500) } else { now });
            }
            DownFrame::BeatAnswer(answer) => {
                let unknown =
                    !answer.known && !self.breaks("a_session_that_is_not_known_is_begun_again");
                let epoch = self.session.map(|session| session.epoch);
                let other = epoch != Some(answer.epoch)
                    && !self.breaks("another_epoch_is_another_coordinator");
                if unknown || other {
                    self.session = None;
                    return Some(self.pause());
                }
            }
            DownFrame::Ack(ack) => self.heard_of(ack.lane, ack.standing),
            DownFrame::Message(message) => return self.message(phase, message),
            DownFrame::Part(part) => {
                let whole = self.down[Lane::B.index()].part(&part);
                return self.numbered(phase, whole);
            }
            DownFrame::Refused { dismissal, .. } => return Some(self.refused(dismissal)),
            DownFrame::GoAway { dismissal, .. } => return Some(self.sent_away(dismissal)),
            // Not for one that does not offer to understand it.
            DownFrame::Endpoints(_) | DownFrame::Redirect(_) => {}
        }
        None
    }

    fn refused(&mut self, dismissal: Dismissal) -> Next {
        match dismissal.come_back {
            ComeBack::After(_) if self.breaks("a_refusal_for_a_while_is_obeyed") => self.pause(),
            ComeBack::After(time) => Next::After(time),
            ComeBack::Slot { after, ticket } => {
                self.ticket = Some(ticket);
                Next::After(after)
            }
            ComeBack::Never if self.breaks("a_refusal_for_ever_is_obeyed") => self.pause(),
            ComeBack::Never => Next::Never,
            ComeBack::ByReason => self.pause(),
        }
    }

    fn sent_away(&self, dismissal: Dismissal) -> Next {
        match dismissal.come_back {
            ComeBack::After(_) if self.breaks("a_go_away_is_obeyed") => self.pause(),
            ComeBack::After(time) | ComeBack::Slot { after: time, .. } => Next::After(time),
            ComeBack::Never if self.breaks("a_go_away_for_ever_is_obeyed") => self.pause(),
            ComeBack::Never => Next::Never,
            ComeBack::ByReason if self.breaks("a_reason_that_is_not_known_is_a_close") => {
                Next::Never
            }
            ComeBack::ByReason => self.pause(),
        }
    }

    fn welcome(&mut self, head: &moorline_link::Welcome) {
        if head.resumed {
            for lane in Lane::ALL {
                self.heard_of(lane, head.lanes[lane.index()]);
                if !self.breaks("what_was_not_received_is_said_again") {
                    self.up[lane.index()].resume();
                }
                self.down[lane.index()].connected();
            }
        } else {
            for lane in Lane::ALL {
                let last = self.up[lane.index()].last();
                if self.breaks("a_new_session_begins_its_numbers_anew") {
                    self.offset[lane.index()] = self.on_wire(lane, last);
                }
                self.up[lane.index()] = Sending::new(Credit::default());
                self.heard_of(lane, head.lanes[lane.index()]);
                self.down[lane.index()] = Receiving::new(WINDOW);
            }
            self.revoked.clear();
            for work in self.work.values_mut() {
                if let Work::Ended { said, .. } = work {
                    *said = false;
                }
            }
        }
        self.session = Some(head.session);
    }

    async fn inventory(&mut self, to: &mut Connection, phase: &mut Phase, resumed: bool) {
        if resumed && self.breaks("work_waits_until_both_are_active") {
            let standing = self.down[0].standing();
            say(to, UpFrame::Ack(Ack { lane: Lane::C, standing })).await;
        }
        for (key, work) in &self.work {
            let holding = match work {
                Work::Ended { said: true, .. } => continue,
                Work::Ended { outcome, body, .. } => {
                    let len = u32::try_from(body.len()).expect("a body");
                    Holding::Finished { outcome: *outcome, len }
                }
                Work::Runs { .. } => Holding::Running { progress: 0 },
            };
            let index = u32::try_from(phase.open.len()).expect("few");
            phase.open.insert(index, *key);
            say(to, UpFrame::InventoryItem { index, key: *key, holding }).await;
        }
        let more = u32::from(self.breaks("an_inventory_follows_each_welcome"));
        let count = u32::try_from(phase.open.len()).expect("few") + more;
        say(to, UpFrame::InventoryEnd { count }).await;
        if phase.open.is_empty() || self.breaks("active_waits_for_every_answer") {
            say(to, UpFrame::Active).await;
        }
    }
}

async fn say(to: &mut Connection, frame: UpFrame) {
    send(to, Lane::C, frame).await;
}

async fn send(to: &mut Connection, lane: Lane, frame: UpFrame) {
    let bytes = moorline_wire::encode_up(&Packet { lane, frames: vec![frame] });
    transmit(to, bytes, lane).await;
}

/// A connection that has ended is found by reading.
async fn transmit(to: &mut Connection, bytes: Bytes, lane: Lane) {
    let sender = &mut to.sender;
    if poll_fn(|cx| Pin::new(&mut **sender).poll_ready(cx)).await.is_ok() {
        Pin::new(&mut **sender).send(bytes, lane).ok();
        poll_fn(|cx| Pin::new(&mut **sender).poll_flush(cx)).await.ok();
    }
}
