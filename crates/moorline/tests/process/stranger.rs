//! A peer of a coordinator that need not behave: it speaks the protocol, as far as it likes.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::future::poll_fn;
use moorline_link::{
    Beat, Credit, Flags, Hello, Incarnation, Lane, Reason, Seq, Sym, Versions, WorkerId,
};
use moorline_node::{About, DownFrame, Name, Packet, UpFrame};
use moorline_transport::Connection;
use moorline_wire::{decode_down, encode_up};

use crate::rig::SOON;
use crate::wire;

/// One connection of it.
pub(crate) struct Stranger {
    connection: Connection,
}

/// Takes as much as a number can say.
const WITHOUT_BOUND: Credit = Credit { messages: Seq(u64::MAX >> 1), bytes: u64::MAX >> 1 };

impl Stranger {
    /// Dials.
    pub(crate) async fn dial(at: SocketAddr) -> Self {
        Self::try_dial(at).await.expect("dialled")
    }

    /// Dials; a coordinator that has enough connections may refuse.
    pub(crate) async fn try_dial(at: SocketAddr) -> Result<Self, Reason> {
        let endpoint = wire::url(at).parse().expect("an endpoint");
        let dialled = wire::transport().dial(&endpoint).await;
        Ok(Self { connection: dialled.map_err(|error| error.reason)? })
    }

    /// Sends bytes as a packet, whatever they are, without caring whether they arrive.
    pub(crate) async fn send(&mut self, packet: Bytes, lane: Lane) -> Result<(), Reason> {
        let sender = &mut self.connection.sender;
        poll_fn(|cx| Pin::new(&mut **sender).poll_ready(cx)).await?;
        Pin::new(&mut **sender).send(packet, lane)?;
        poll_fn(|cx| Pin::new(&mut **sender).poll_flush(cx)).await
    }

    /// Says something.
    pub(crate) async fn say(&mut self, lane: Lane, frames: Vec<UpFrame>) -> Result<(), Reason> {
        self.send(encode_up(&Packet { lane, frames }), lane).await
    }

    /// The next packet of the coordinator, or why there will be none.
    pub(crate) async fn hear(&mut self) -> Result<Vec<DownFrame>, Reason> {
        let receiver = &mut self.connection.receiver;
        let heard = poll_fn(|cx| Pin::new(&mut **receiver).poll_receive(cx));
        let packet = tokio::time::timeout(SOON, heard).await.expect("it is heard in time")?;
        Ok(decode_down(packet).expect("a coordinator writes packets").frames)
    }

    /// What the coordinator has said already, without waiting.
    pub(crate) async fn heard(&mut self) -> Result<Vec<DownFrame>, Reason> {
        let receiver = &mut self.connection.receiver;
        let heard = poll_fn(|cx| match Pin::new(&mut **receiver).poll_receive(cx) {
            Poll::Ready(Ok(packet)) => Poll::Ready(Ok(Some(packet))),
            Poll::Ready(Err(reason)) => Poll::Ready(Err(reason)),
            Poll::Pending => Poll::Ready(Ok(None)),
        });
        let packet = heard.await?;
        Ok(packet.map(|packet| decode_down(packet).expect("a packet").frames).unwrap_or_default())
    }

    /// Everything the coordinator says until the connection ends, and why it does.
    pub(crate) async fn hear_to_the_end(&mut self) -> (Vec<DownFrame>, Reason) {
        let mut all = Vec::new();
        loop {
            match self.hear().await {
                Ok(frames) => all.extend(frames),
                Err(reason) => return (all, reason),
            }
        }
    }

    /// Registers with an empty inventory, and is active.
    pub(crate) async fn register(&mut self, id: u128, name: &str, handlers: &[&str], slots: u16) {
        self.say(Lane::C, vec![hello(id, name, handlers, slots)]).await.expect("said");
        let welcome = self.hear().await.expect("an answer");
        assert!(matches!(welcome[0], DownFrame::Welcome { .. }), "{welcome:?}");
        let active = vec![UpFrame::InventoryEnd { count: 0 }, UpFrame::Active];
        self.say(Lane::C, active).await.expect("said");
        loop {
            let frames = self.hear().await.expect("it stays open");
            if frames.contains(&DownFrame::Active) {
                return;
            }
        }
    }

    /// Beats every so often and reads nothing, until the connection ends.
    pub(crate) async fn beat_without_reading(&mut self, slots: u16, every: Duration) -> Reason {
        let flags = Flags { active: true, draining: false, paused: false };
        for seq in 1.. {
            let beat = Beat { seq, flags, free: slots, quiet: false, rtt_micros: 0 };
            if let Err(reason) = self.say(Lane::C, vec![UpFrame::Beat(beat)]).await {
                return reason;
            }
            tokio::time::sleep(every).await;
        }
        Reason::ClosedByPeer
    }
}

/// A registration that takes everything.
pub(crate) fn hello(id: u128, name: &str, handlers: &[&str], slots: u16) -> UpFrame {
    let word = |text: &str| Name::new(text).expect("a name");
    let mut handlers: Vec<_> = handlers.iter().map(|handler| word(handler)).collect();
    handlers.sort();
    UpFrame::Hello {
        head: Hello {
            versions: Versions::SPOKEN,
            features: 0,
            worker: WorkerId(id),
            incarnation: Incarnation(1),
            name: Sym(0),
            resume: None,
            credit: [WITHOUT_BOUND; 2],
            beat_interval: Duration::from_secs(5),
            ticket: None,
            holds_work: false,
        },
        about: About {
            name: word(name),
            slots,
            handlers,
            software: word("stranger"),
            credential: None,
        },
    }
}
