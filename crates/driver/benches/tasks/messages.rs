//! Reliable messages alone: both machines of a link, the wire and a transport. 64 bytes down, 64 bytes back,
//! each numbered, acknowledged and kept until then; no dispatcher, no store, no handler.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use moorline_driver::{Runtime, Tokio};
use moorline_grpc::GrpcTransport;
use moorline_link::{
    ConnId, CoordinatorFrame, Epoch, Hub, HubAction, HubConfig, HubInput, HubTransmit, HubVerdict,
    Identity, Incarnation, Lane, Link, LinkAction, LinkConfig, LinkInput, LinkTransmit,
    LinkVerdict, MessageHead, Seq, Sym, Tag, Versions, WorkerFrame, WorkerId,
};
use moorline_node::{
    About, DownFrame, MESSAGE_COST, Message, Name, PACKET_MAX, Packet, ToWorker, UpFrame,
};
use moorline_transport::{Connection, Listener, PacketReceiver, PacketSender, Transport};
use moorline_work::{Attempt, Outcome, TaskId, TaskKey, WorkerMessage};
use tokio::time::Sleep;

use super::{BYTES, Error, IN_FLIGHT, Other, PAYLOAD};

type Now = moorline_link::Instant;

/// What both sides count a message for, as nodes do.
const COST: u32 = MESSAGE_COST + BYTES as u32;
/// Packets that are taken in before anything is answered.
const PACKETS: usize = 64;
/// An end that wants nothing is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const CONN: ConnId = ConnId(1);
const WORKER: WorkerId = WorkerId(1);

/// One side of the link: its machine, and what it has sent and may have to send again.
trait End {
    /// A packet, frame by frame.
    fn hear(&mut self, now: Now, packet: Bytes) -> Result<(), Error>;
    /// What the machine wants done.
    fn act(&mut self, now: Now) -> Result<(), Error>;
    /// What is due on a lane, in one packet.
    fn packet(&mut self, now: Now, lane: Lane) -> Option<Bytes>;
    fn timeout(&mut self, now: Now);
    fn next_wake(&self) -> Option<Now>;
}

/// A connection, and the only timer of its end.
struct Port {
    sender: Box<dyn PacketSender>,
    receiver: Box<dyn PacketReceiver>,
    timer: Pin<Box<Sleep>>,
    heard: Vec<Bytes>,
}

impl Port {
    fn new(connection: Connection) -> Self {
        let Connection { sender, receiver, .. } = connection;
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { sender, receiver, timer, heard: Vec::new() }
    }

    /// Says what is due, and waits for packets or for the time of the next wake.
    async fn turn(&mut self, end: &mut impl End) -> Result<(), Error> {
        let now = Tokio.now();
        end.act(now)?;
        let wake = end.next_wake().map_or(LOOK_EVERY, |at| at.since(now)).min(LOOK_EVERY);
        self.timer.as_mut().reset(tokio::time::Instant::now() + wake);
        poll_fn(|cx| self.poll_turn(cx, end, now)).await?;
        let now = Tokio.now();
        for packet in self.heard.drain(..) {
            end.hear(now, packet)?;
        }
        if end.next_wake().is_some_and(|at| at <= now) {
            end.timeout(now);
        }
        Ok(())
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        end: &mut impl End,
        now: Now,
    ) -> Poll<Result<(), Error>> {
        let failed = |reason: moorline_link::Reason| Error::from(reason.to_string());
        for lane in Lane::ALL {
            while let Poll::Ready(ready) = Pin::new(&mut *self.sender).poll_ready(cx) {
                ready.map_err(failed)?;
                let Some(packet) = end.packet(now, lane) else { break };
                Pin::new(&mut *self.sender).send(packet, lane).map_err(failed)?;
            }
        }
        if let Poll::Ready(Err(reason)) = Pin::new(&mut *self.sender).poll_flush(cx) {
            return Poll::Ready(Err(failed(reason)));
        }
        while self.heard.len() < PACKETS
            && let Poll::Ready(packet) = Pin::new(&mut *self.receiver).poll_receive(cx)
        {
            self.heard.push(packet.map_err(failed)?);
        }
        let is_time = self.timer.poll_unpin(cx).is_ready();
        if is_time || !self.heard.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// Bodies until they are acknowledged, in the order of their tags.
#[derive(Default)]
struct Outbox {
    released: u64,
    bodies: VecDeque<Bytes>,
}

impl Outbox {
    fn push(&mut self, body: Bytes) -> Tag {
        self.bodies.push_back(body);
        Tag(self.released + self.bodies.len() as u64)
    }

    fn message<M>(&self, seq: Seq, head: M, tag: Tag) -> Message<M> {
        let body = self.bodies[(tag.0 - self.released - 1) as usize].clone();
        Message { seq, head, body_len: body.len() as u32, body }
    }

    fn release(&mut self) {
        self.bodies.pop_front();
        self.released += 1;
    }
}

/// Frames until a packet is full.
fn packet<F>(
    lane: Lane,
    size: fn(&F) -> usize,
    next: impl FnMut() -> Option<F>,
) -> Option<Packet<F>> {
    let mut room = PACKET_MAX - (1 << 10);
    let mut frames = Vec::new();
    for frame in std::iter::from_fn(next) {
        room = room.saturating_sub(size(&frame));
        frames.push(frame);
        if room < PACKET_MAX / 8 {
            break;
        }
    }
    (!frames.is_empty()).then_some(Packet { lane, frames })
}

const fn key(seq: Seq) -> TaskKey {
    TaskKey { task: TaskId(seq.0 as u128), attempt: Attempt(1) }
}

/// The coordinator's end.
struct Sender {
    hub: Hub,
    outbox: Outbox,
    handler: Name,
    active: bool,
    answered: usize,
}

impl Sender {
    fn send(&mut self, now: Now) -> Result<(), Error> {
        let tag = self.outbox.push(PAYLOAD);
        let enqueue = HubInput::Enqueue { worker: WORKER, lane: Lane::B, tag, len: COST };
        match self.hub.handle(now, enqueue) {
            HubVerdict::Accepted => Ok(()),
            refused => Err(format!("a message was not taken: {refused:?}").into()),
        }
    }
}

impl End for Sender {
    fn hear(&mut self, now: Now, packet: Bytes) -> Result<(), Error> {
        for frame in moorline_wire::decode_up(packet)?.frames {
            let frame = match frame {
                UpFrame::Message(message) => {
                    let lane = Lane::B;
                    WorkerFrame::Message(MessageHead { lane, seq: message.seq, len: COST })
                }
                UpFrame::Hello { head, .. } => WorkerFrame::Hello(head),
                UpFrame::InventoryEnd { count } => WorkerFrame::InventoryEnd { count },
                UpFrame::Active => WorkerFrame::Active,
                UpFrame::Beat(beat) => WorkerFrame::Beat(beat),
                UpFrame::Statistics(statistics) => WorkerFrame::Statistics(statistics),
                UpFrame::Ack(ack) => WorkerFrame::Ack(ack),
                other => return Err(format!("not a part of this: {other:?}").into()),
            };
            let verdict = self.hub.handle(now, HubInput::Frame { conn: CONN, frame });
            if let HubVerdict::Deliver { worker, .. } = verdict {
                self.answered += 1;
                let (lane, bytes) = (Lane::B, COST.into());
                self.hub.handle(now, HubInput::Release { worker, lane, messages: 1, bytes });
            }
        }
        Ok(())
    }

    fn act(&mut self, _: Now) -> Result<(), Error> {
        while let Some(action) = self.hub.poll_action() {
            match action {
                HubAction::Released { .. } => self.outbox.release(),
                HubAction::Active { .. } => self.active = true,
                HubAction::Close { reason, .. } => return Err(reason.to_string().into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn packet(&mut self, now: Now, lane: Lane) -> Option<Bytes> {
        let next = || {
            Some(match self.hub.poll_transmit(now, CONN, lane)? {
                HubTransmit::Message { head, tag, .. } => {
                    let (key, handler) = (key(head.seq), self.handler.clone());
                    let assign = ToWorker::Assign { key, handler, timeout: None };
                    DownFrame::Message(self.outbox.message(head.seq, assign, tag))
                }
                HubTransmit::Frame(CoordinatorFrame::Welcome(head)) => {
                    DownFrame::Welcome { head, software: self.handler.clone() }
                }
                HubTransmit::Frame(CoordinatorFrame::BeatAnswer(answer)) => {
                    DownFrame::BeatAnswer(answer)
                }
                HubTransmit::Frame(CoordinatorFrame::Ack(ack)) => DownFrame::Ack(ack),
                HubTransmit::Frame(CoordinatorFrame::Active) => DownFrame::Active,
                // What else there is would end the link, which is said then.
                HubTransmit::Frame(_) => DownFrame::Probe,
            })
        };
        Some(moorline_wire::encode_down(&packet(lane, DownFrame::size_bound, next)?))
    }

    fn timeout(&mut self, now: Now) {
        self.hub.handle(now, HubInput::Timeout);
    }

    fn next_wake(&self) -> Option<Now> {
        self.hub.next_wake().deadline()
    }
}

/// The worker's end: answers each message.
struct Mirror {
    link: Link,
    outbox: Outbox,
    about: About,
}

impl End for Mirror {
    fn hear(&mut self, now: Now, packet: Bytes) -> Result<(), Error> {
        for frame in moorline_wire::decode_down(packet)?.frames {
            let frame = match frame {
                DownFrame::Message(message) => {
                    let lane = Lane::B;
                    CoordinatorFrame::Message(MessageHead { lane, seq: message.seq, len: COST })
                }
                DownFrame::Welcome { head, .. } => CoordinatorFrame::Welcome(head),
                DownFrame::Active => CoordinatorFrame::Active,
                DownFrame::BeatAnswer(answer) => CoordinatorFrame::BeatAnswer(answer),
                DownFrame::Probe => CoordinatorFrame::Probe,
                DownFrame::Ack(ack) => CoordinatorFrame::Ack(ack),
                other => return Err(format!("not a part of this: {other:?}").into()),
            };
            let verdict = self.link.handle(now, LinkInput::Frame { conn: CONN, frame });
            if verdict == LinkVerdict::Deliver {
                let (lane, len, tag) = (Lane::B, COST, self.outbox.push(PAYLOAD));
                self.link.handle(now, LinkInput::Release { lane, messages: 1, bytes: len.into() });
                let verdict = self.link.handle(now, LinkInput::Enqueue { lane, tag, len });
                if verdict != LinkVerdict::Accepted {
                    return Err(format!("an answer was not taken: {verdict:?}").into());
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, now: Now) -> Result<(), Error> {
        while let Some(action) = self.link.poll_action() {
            match action {
                LinkAction::Released { .. } => self.outbox.release(),
                LinkAction::TakeInventory { .. } => {
                    self.link.handle(now, LinkInput::Inventory { items: 0 });
                }
                LinkAction::Close { reason, .. } => return Err(reason.to_string().into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn packet(&mut self, now: Now, lane: Lane) -> Option<Bytes> {
        let next = || {
            Some(match self.link.poll_transmit(now, CONN, lane)? {
                LinkTransmit::Message { head, tag } => {
                    let (key, outcome) = (key(head.seq), Outcome::Succeeded);
                    let result = WorkerMessage::Result { key, outcome };
                    UpFrame::Message(self.outbox.message(head.seq, result, tag))
                }
                LinkTransmit::Frame(WorkerFrame::Hello(head)) => {
                    UpFrame::Hello { head, about: self.about.clone() }
                }
                LinkTransmit::Frame(WorkerFrame::InventoryEnd { count }) => {
                    UpFrame::InventoryEnd { count }
                }
                LinkTransmit::Frame(WorkerFrame::Beat(beat)) => UpFrame::Beat(beat),
                LinkTransmit::Frame(WorkerFrame::Statistics(statistics)) => {
                    UpFrame::Statistics(statistics)
                }
                LinkTransmit::Frame(WorkerFrame::Ack(ack)) => UpFrame::Ack(ack),
                // What else there is would end the link, which is said then.
                LinkTransmit::Frame(_) => UpFrame::Active,
            })
        };
        Some(moorline_wire::encode_up(&packet(lane, UpFrame::size_bound, next)?))
    }

    fn timeout(&mut self, now: Now) {
        self.link.handle(now, LinkInput::Timeout);
    }

    fn next_wake(&self) -> Option<Now> {
        self.link.next_wake().deadline()
    }
}

/// The other side: connects and answers until the connection ends, or its process is ended.
pub(crate) async fn mirror(url: &str, transport: &dyn Transport) -> Result<(), Error> {
    let name = Name::new("bench")?;
    let identity = Identity {
        worker: WORKER,
        incarnation: Incarnation(1),
        name: Sym(0),
        versions: Versions::SPOKEN,
        features: 0,
    };
    let link = Link::new(LinkConfig::default(), identity, 1, Tokio.now());
    let handlers = vec![name.clone()];
    let about = About { name: name.clone(), slots: 1, handlers, software: name, credential: None };
    let mut mirror = Mirror { link, outbox: Outbox::default(), about };
    let dialled = loop {
        Tokio.sleep_until(mirror.next_wake().ok_or("it never dials")?).await;
        mirror.timeout(Tokio.now());
        let mut actions = std::iter::from_fn(|| mirror.link.poll_action());
        let dial = actions.find_map(|action| match action {
            LinkAction::Dial { conn, .. } => Some(conn),
            _ => None,
        });
        if let Some(conn) = dial {
            break conn;
        }
    };
    assert_eq!(dialled, CONN, "its first dial");
    let mut port = Port::new(transport.dial(&url.parse()?).await?);
    mirror.link.handle(Tokio.now(), LinkInput::Opened { conn: CONN });
    // Its connection ends when the other side has measured enough; whether that was too early is said there.
    while port.turn(&mut mirror).await.is_ok() {}
    Ok(())
}

/// The side that sends: its end of an active link.
pub(crate) struct Talk {
    port: Port,
    sender: Sender,
    /// When each message that is under way was sent. They are answered in order.
    sent: VecDeque<Instant>,
}

impl Talk {
    /// Waits for a mirror to come.
    pub(crate) async fn with(listener: &mut dyn Listener) -> Result<Self, Error> {
        let mut port = Port::new(listener.accept().await?);
        let hub = Hub::new(HubConfig::default(), Epoch(1), 1, Tokio.now());
        let handler = Name::new("empty")?;
        let outbox = Outbox::default();
        let mut sender = Sender { hub, outbox, handler, active: false, answered: 0 };
        sender.hub.handle(Tokio.now(), HubInput::Accepted { conn: CONN });
        while !sender.active {
            port.turn(&mut sender).await?;
        }
        Ok(Self { port, sender, sent: VecDeque::new() })
    }

    /// Fills the window, then waits for something to be heard. Calls `ended` for each answer.
    async fn turn(&mut self, window: usize, mut ended: impl FnMut(Duration)) -> Result<(), Error> {
        let (now, since) = (Tokio.now(), Instant::now());
        while self.sent.len() < window {
            self.sender.send(now)?;
            self.sent.push_back(since);
        }
        self.port.turn(&mut self.sender).await?;
        let now = Instant::now();
        for since in self.sent.drain(..std::mem::take(&mut self.sender.answered)) {
            ended(now - since);
        }
        Ok(())
    }

    /// How long each of so many messages, or a few more, took with `window` of them under way.
    async fn exchange(&mut self, window: usize, messages: usize) -> Result<Vec<Duration>, Error> {
        let mut latencies = Vec::with_capacity(messages + window);
        while latencies.len() < messages {
            let left = messages - latencies.len();
            self.turn(window.min(left), |took| latencies.push(took)).await?;
        }
        Ok(latencies)
    }

    /// Keeps `window` messages under way for `time`, and returns how long those took that were answered
    /// after the first fifth of it.
    pub(crate) async fn load(
        &mut self,
        window: usize,
        time: Duration,
    ) -> Result<Vec<Duration>, Error> {
        let start = Instant::now();
        let (counts_from, end) = (start + time / 5, start + time);
        let mut latencies = Vec::new();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(latencies);
            }
            let counts = now >= counts_from;
            self.turn(window, |took| {
                if counts {
                    latencies.push(took);
                }
            })
            .await?;
        }
    }
}

/// Latencies of one message at a time, and messages a second with many under way, over gRPC.
pub(crate) async fn measure(alone: usize, together: usize) -> Result<(Vec<Duration>, f64), Error> {
    let mut listener = GrpcTransport::new().listen(&"grpc://127.0.0.1:0".parse()?).await?;
    let _mirror = Other::start(&["--mirror", &listener.endpoint().to_string()])?;
    let mut talk = Talk::with(&mut *listener).await?;
    // Everything is warm.
    talk.exchange(1, 100).await?;
    let latencies = talk.exchange(1, alone.max(1)).await?;
    let start = Instant::now();
    talk.exchange(IN_FLIGHT, together).await?;
    Ok((latencies, together as f64 / start.elapsed().as_secs_f64()))
}
