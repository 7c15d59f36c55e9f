//! A coordinator of its own make, small, and forgetful of nothing, that can have one fault at a time: most
//! are named after the promise they break.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    Ack, Beat, BeatAnswer, ComeBack, Credit, Dismissal, Flags, Hello, Lane, Reason, Seq, SessionId,
    Standing,
};
use moorline_memory::MemoryTransport;
use moorline_node::{About, Credential, DownFrame, Name, Packet, ToWorker, UpFrame};
use moorline_transport::{Connection, Endpoint, Transport};
use moorline_wire::DecodeError;
use moorline_work::{TaskId, TaskKey, WorkerMessage};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use self::work::Task;
use crate::lane::{Receiving, Sending, packets};

mod registering;
mod work;

const WINDOW: Credit = Credit { messages: Seq(256), bytes: 256 << 10 };
/// How long a Hello may take to come.
const HELLO: Duration = Duration::from_secs(10);
/// How long a process has to answer the Probe when another one claims its identity.
const PROBE: Duration = Duration::from_secs(1);

/// A worker, from its first Welcome to its Goodbye.
struct Member {
    incarnation: u64,
    name: Name,
    slots: u16,
    handlers: Vec<Name>,
    session: SessionId,
    up: [Receiving<WorkerMessage>; 2],
    down: [Sending<ToWorker>; 2],
    /// Its connection, if it has one, by number, and where that is told of others.
    connection: Option<(u64, mpsc::UnboundedSender<Order>)>,
    /// Both said Active on that connection.
    active: bool,
    /// Other processes that wait for its next beat.
    claims: Vec<oneshot::Sender<()>>,
}

/// What a connection is told of others.
enum Order {
    Probe,
    /// Another one takes its place.
    Close(Reason),
    /// There may be something to say.
    Look,
}

/// What holds for one connection.
struct Phase {
    id: u64,
    orders: mpsc::UnboundedSender<Order>,
    /// When the Hello is to be there.
    hello_by: Instant,
    /// When it says something before the Hello, if that is its fault.
    speaks_at: Option<Instant>,
    worker: Option<u128>,
    /// Begun anew: leases that the inventory does not name are given up.
    is_new: bool,
    /// The incarnation that is superseded as soon as this one has said something.
    displaces: Option<u64>,
    listed: BTreeSet<TaskKey>,
    items: u32,
    has_ended: bool,
    active: bool,
    /// When a lane is to be acknowledged.
    acks: [Option<Instant>; 2],
    out: Vec<(Bytes, Lane)>,
}

impl Phase {
    fn say(&mut self, frame: DownFrame) {
        self.packet(&Packet { lane: Lane::C, frames: vec![frame] });
    }

    fn packet(&mut self, packet: &Packet<DownFrame>) {
        self.out.push((moorline_wire::encode_down(packet), packet.lane));
    }
}

/// What comes of something that was heard.
enum Step {
    On,
    /// The connection ends; the reason is said.
    Away(Reason),
    Refused(Dismissal),
    /// It ends without a word.
    Left,
    /// Another process lives, or not: that is known when it beats, or not.
    Claims(oneshot::Receiver<()>, Box<(Hello, About)>),
    /// Nothing more is read, and the connection stays.
    Hangs,
}

/// What such a coordinator is like.
pub(super) struct Kind {
    /// Its fault; empty is none.
    pub(super) fault: &'static str,
    /// The one worker that it lets in, with what that has to show.
    pub(super) door: Option<(Name, Credential)>,
}

pub(super) struct Coordinator {
    kind: Kind,
    connections: u64,
    sessions: u64,
    members: BTreeMap<u128, Member>,
    superseded: BTreeSet<(u128, u64)>,
    tasks: BTreeMap<TaskId, Task>,
}

/// The coordinator, shared by its connections and by who hands in tasks.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Coordinator>>);

/// Listens.
pub(super) async fn listen(transport: &MemoryTransport, at: &Endpoint, kind: Kind) -> Shared {
    let mut listener = transport.listen(at).await.expect("a listener");
    let shared = Shared(Arc::new(Mutex::new(Coordinator {
        kind,
        connections: 0,
        sessions: 0,
        members: BTreeMap::new(),
        superseded: BTreeSet::new(),
        tasks: BTreeMap::new(),
    })));
    let accepting = shared.clone();
    tokio::spawn(async move {
        while let Ok(connection) = listener.accept().await {
            tokio::spawn(accepting.clone().serve(connection));
        }
    });
    shared
}

impl Shared {
    fn with<T>(&self, does: impl FnOnce(&mut Coordinator) -> T) -> T {
        does(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn serve(self, mut connection: Connection) {
        let (to, mut orders) = mpsc::unbounded_channel();
        let mut phase = self.with(|all| all.connected(to));
        loop {
            let wake = self.with(|all| all.due(&mut phase));
            for (bytes, lane) in phase.out.drain(..) {
                transmit(&mut connection, bytes, lane).await;
            }
            let timer = async {
                match wake {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            let receiver = &mut connection.receiver;
            let receiving = poll_fn(|cx| Pin::new(&mut **receiver).poll_receive(cx));
            let mut step = tokio::select! {
                packet = receiving => self.with(|all| all.packet(&mut phase, packet)),
                () = timer => self.with(|all| all.timer(&mut phase)),
                Some(order) = orders.recv() => match order {
                    Order::Probe => {
                        phase.say(DownFrame::Probe);
                        Step::On
                    }
                    Order::Close(reason) => Step::Away(reason),
                    Order::Look => Step::On,
                },
            };
            if let Step::Claims(beaten, hello) = step {
                let lives = matches!(timeout(PROBE, beaten).await, Ok(Ok(())));
                let (head, about) = *hello;
                step = self.with(|all| all.claimed(&mut phase, lives, &head, about));
            }
            let hint = String::new();
            let last = match step {
                Step::On => continue,
                Step::Claims(..) => unreachable!("a claim is decided once"),
                Step::Hangs => return pending().await,
                Step::Left => None,
                Step::Away(reason) => {
                    let dismissal = Dismissal { reason, come_back: ComeBack::ByReason };
                    Some(DownFrame::GoAway { dismissal, hint })
                }
                Step::Refused(dismissal) => Some(DownFrame::Refused { dismissal, hint }),
            };
            phase.out.clear();
            if let Some(last) = last {
                phase.say(last);
            }
            for (bytes, lane) in phase.out.drain(..) {
                transmit(&mut connection, bytes, lane).await;
            }
            // What is on its way is read by the other end.
            poll_fn(|cx| {
                let _ = Pin::new(&mut *connection.sender).poll_close(cx);
                Poll::Ready(())
            })
            .await;
            return self.with(|all| all.ended(&phase));
        }
    }
}

/// A connection that has ended is found by reading.
async fn transmit(to: &mut Connection, bytes: Bytes, lane: Lane) {
    let sender = &mut to.sender;
    if poll_fn(|cx| Pin::new(&mut **sender).poll_ready(cx)).await.is_ok() {
        Pin::new(&mut **sender).send(bytes, lane).ok();
    }
}

impl Coordinator {
    /// Whether this is its fault.
    fn breaks(&self, fault: &str) -> bool {
        let is_promise = super::PROMISES.iter().any(|one| one.name == fault);
        let is_further = super::FURTHER.iter().any(|(_, one)| *one == fault);
        debug_assert!(is_promise || is_further, "{fault}");
        self.kind.fault == fault
    }

    fn connected(&mut self, orders: mpsc::UnboundedSender<Order>) -> Phase {
        let now = Instant::now();
        let speaks = self.breaks("nothing_is_said_before_the_hello");
        self.connections += 1;
        Phase {
            id: self.connections,
            orders,
            hello_by: now + HELLO,
            speaks_at: speaks.then(|| now + Duration::from_secs(1)),
            worker: None,
            is_new: false,
            displaces: None,
            listed: BTreeSet::new(),
            items: 0,
            has_ended: false,
            active: false,
            acks: [None; 2],
            out: Vec::new(),
        }
    }

    /// Says what is to be said now; when there is more without anything being heard.
    fn due(&mut self, phase: &mut Phase) -> Option<Instant> {
        let Some(id) = phase.worker else {
            let closes = !self.breaks("who_never_says_hello_is_closed");
            let hello_by = closes.then_some(phase.hello_by);
            return phase.speaks_at.into_iter().chain(hello_by).min();
        };
        if !phase.active {
            return None;
        }
        self.assign(id);
        let now = Instant::now();
        let gives = !self.breaks("credit_is_given_anew");
        let takes_back = self.breaks("credit is taken back");
        let skips = self.breaks("numbers_of_a_lane_are_dense");
        let member = self.members.get_mut(&id)?;
        for lane in Lane::ALL {
            let at = lane.index();
            if phase.acks[at].is_some_and(|at| at <= now) {
                phase.acks[at] = None;
                if gives || lane == Lane::C {
                    member.up[at].give(WINDOW);
                }
                let standing = member.up[at].standing();
                phase.say(DownFrame::Ack(Ack { lane, standing }));
                if takes_back {
                    let mut standing = standing;
                    standing.credit.messages.0 -= 1;
                    phase.say(DownFrame::Ack(Ack { lane, standing }));
                }
            }
            for mut message in member.down[at].due() {
                if skips && message.seq.0 >= SKIPPED {
                    message.seq.0 += 1;
                }
                for packet in packets(lane, message, DownFrame::Message, DownFrame::Part) {
                    phase.packet(&packet);
                }
            }
        }
        phase.acks.into_iter().flatten().min()
    }

    fn timer(&self, phase: &mut Phase) -> Step {
        let now = Instant::now();
        if phase.worker.is_none() && phase.speaks_at.is_some_and(|at| at <= now) {
            phase.speaks_at = None;
            phase.say(DownFrame::Probe);
        }
        let closes = !self.breaks("who_never_says_hello_is_closed");
        let is_late = phase.worker.is_none() && phase.hello_by <= now && closes;
        // Who says nothing is told nothing.
        if is_late { Step::Left } else { Step::On }
    }

    /// Takes a packet in, or the end of the connection.
    fn packet(&mut self, phase: &mut Phase, packet: Result<Bytes, Reason>) -> Step {
        let packet = match packet {
            Ok(packet) => packet,
            Err(Reason::ProtocolError) => {
                let hangs = self.breaks("a_packet_that_is_too_large_ends_the_connection");
                return if hangs { Step::Hangs } else { Step::Away(Reason::ProtocolError) };
            }
            Err(_) => return Step::Left,
        };
        let decoded = match moorline_wire::decode_up(packet) {
            Ok(decoded) => decoded,
            Err(error) if self.bears(&error) => return Step::On,
            Err(DecodeError::Malformed { .. })
                if self.breaks("garbage ends the connection for another reason") =>
            {
                return Step::Away(Reason::Moved);
            }
            Err(_) => return Step::Away(Reason::ProtocolError),
        };
        let newer = decoded.unknown_fields > 0 || decoded.unknown_frames > 0;
        if newer && self.breaks("what_is_newer_is_ignored") {
            return Step::Away(Reason::ProtocolError);
        }
        for frame in decoded.frames {
            match self.frame(phase, frame) {
                Ok(Step::On) => {}
                Ok(step) => return step,
                Err(Violated) => return Step::Away(Reason::ProtocolError),
            }
        }
        Step::On
    }

    /// Whether its fault is to go on behind such a packet.
    fn bears(&self, error: &DecodeError) -> bool {
        let is = |promise| self.breaks(promise);
        matches!(error, DecodeError::Malformed { .. }) && is("garbage_ends_the_connection")
            || *error == DecodeError::MixedLanes && is("lanes_that_are_mixed_end_the_connection")
            || matches!(error, DecodeError::WrongDirection { .. })
                && is("a_frame_of_a_coordinator_ends_the_connection")
    }

    fn frame(&mut self, phase: &mut Phase, frame: UpFrame) -> Result<Step, Violated> {
        let Some(id) = phase.worker else {
            let UpFrame::Hello { head, about } = frame else {
                let bears = self.breaks("what_is_said_before_a_hello_ends_the_connection");
                return if bears { Ok(Step::On) } else { Err(Violated) };
            };
            return Ok(self.hello(phase, head, about));
        };
        // Somebody else may have the session by now.
        let is_here =
            |member: &&mut Member| matches!(&member.connection, Some((n, _)) if *n == phase.id);
        let Some(member) = self.members.get_mut(&id).filter(is_here) else { return Ok(Step::On) };
        if let Some(incarnation) = phase.displaces.take() {
            self.superseded.insert((id, incarnation));
        }
        match frame {
            UpFrame::Hello { .. } => return Err(Violated),
            UpFrame::Beat(beat) => {
                for claim in member.claims.drain(..) {
                    claim.send(()).ok();
                }
                self.beat(phase, beat);
            }
            UpFrame::Statistics(_) => {}
            UpFrame::InventoryItem { index, key, holding } => {
                self.item(phase, index, key, holding)?;
            }
            UpFrame::InventoryEnd { count } => self.inventory_end(phase, count)?,
            UpFrame::Active => self.active(phase)?,
            UpFrame::Ack(_) | UpFrame::Message(_) | UpFrame::Part(_) if !phase.active => {
                let bears = self.breaks("work_before_active_ends_the_connection");
                return if bears { Ok(Step::On) } else { Err(Violated) };
            }
            UpFrame::Ack(Ack { lane, standing }) => {
                let standing = self.as_sent(lane, standing);
                let member = self.members.get_mut(&id).ok_or(Violated)?;
                let credible = member.down[lane.index()].acknowledge(standing).is_ok();
                if !credible && !self.breaks("an_acknowledgement_of_nothing_ends_the_connection") {
                    return Err(Violated);
                }
            }
            UpFrame::Message(message) => self.message(phase, id, message)?,
            UpFrame::Part(part) => self.part(phase, id, &part)?,
            UpFrame::Goodbye { .. } => {
                if !self.breaks("a_goodbye_frees_the_name") {
                    self.members.remove(&id);
                    self.give_up(id, &BTreeSet::new());
                }
                return Ok(Step::Left);
            }
        }
        Ok(Step::On)
    }

    fn beat(&mut self, phase: &mut Phase, beat: Beat) {
        let known = !self.breaks("beats_are_answered_by_their_number");
        let ahead = self.breaks("beats are answered under the next number");
        phase.say(DownFrame::BeatAnswer(BeatAnswer {
            seq: beat.seq + u32::from(ahead),
            epoch: registering::EPOCH,
            known,
            flags: Flags { active: phase.active, ..Flags::default() },
            free: beat.free,
            quiet: false,
            waiting: false,
            first_window: None,
            beat_interval: None,
        }));
    }

    /// What a worker says of a lane, as if its numbers and its credit were what they should be.
    fn as_sent(&self, lane: Lane, mut standing: Standing) -> Standing {
        if self.breaks("numbers_of_a_lane_are_dense") && standing.received.0 > SKIPPED {
            standing.received.0 -= 1;
        }
        standing.credit = self.as_given(lane, standing.credit);
        standing
    }

    fn as_given(&self, lane: Lane, mut credit: Credit) -> Credit {
        if lane == Lane::C && self.breaks("credit_in_messages_is_respected") {
            credit.messages = Seq(u64::MAX);
        }
        if lane == Lane::C && self.breaks("credit_in_bytes_is_respected") {
            credit.bytes = u64::MAX;
        }
        credit
    }

    /// A connection has ended.
    fn ended(&mut self, phase: &Phase) {
        let Some(member) = phase.worker.and_then(|id| self.members.get_mut(&id)) else { return };
        if matches!(&member.connection, Some((id, _)) if *id == phase.id) {
            member.connection = None;
            member.active = false;
            member.claims.clear();
        }
    }
}

/// The number that is left out if they are not to be dense.
const SKIPPED: u64 = 7;

/// The worker did what none may do.
struct Violated;
