//! What the conformance kit promises of sockets can be broken too: by the example transport with
//! something changed. The others are broken in the tests of the memory transport.

#[allow(dead_code, reason = "its own tests are elsewhere")]
#[path = "../examples/packets_over_tcp.rs"]
mod packets_over_tcp;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use moorline_link::{Lane, Reason};
use moorline_transport::conformance::{Broken, PROMISES, Socket, Subject, Verdict};
use moorline_transport::{
    AcceptError, Authority, Connection, DialError, Endpoint, ListenError, Listener, PacketReceiver,
    PacketSender, Transport,
};
use packets_over_tcp::{Packets, block_on};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    StrangersEndTheListener,
    StrangersAreLetIn,
    SilentOnesTakeAllPlaces,
    DialsGiveUp,
    DialsGoOnInSecret,
}

struct Faulty {
    packets: Packets,
    fault: Fault,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        let few = fault == Fault::SilentOnesTakeAllPlaces;
        let packets = Packets { ungreeted_max: if few { 10 } else { 1_024 }, ..Packets::default() };
        Self { packets, fault }
    }
}

impl Transport for Faulty {
    fn schemes(&self) -> &'static [&'static str] {
        self.packets.schemes()
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        let (dial, fault) = (self.packets.dial(endpoint), self.fault);
        Box::pin(async move {
            match fault {
                Fault::DialsGiveUp => {
                    let within = tokio::time::timeout(Duration::from_millis(50), dial).await;
                    let (reason, detail) = (Reason::ConnectTimeout, "too slow".to_owned());
                    within.unwrap_or(Err(DialError { reason, detail }))
                }
                Fault::DialsGoOnInSecret => tokio::spawn(dial).await.expect("no panic"),
                Fault::StrangersEndTheListener
                | Fault::StrangersAreLetIn
                | Fault::SilentOnesTakeAllPlaces => dial.await,
            }
        })
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        let (listening, fault) = (self.packets.listen(endpoint), self.fault);
        Box::pin(async move {
            let inner = listening.await?;
            Ok(Box::new(FaultyListener { inner, fault }) as Box<dyn Listener>)
        })
    }
}

struct FaultyListener {
    inner: Box<dyn Listener>,
    fault: Fault,
}

impl Listener for FaultyListener {
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>> {
        Box::pin(async {
            let accepted = self.inner.accept().await;
            match (self.fault, &accepted) {
                (Fault::StrangersEndTheListener, Err(AcceptError::Refused { detail, .. })) => {
                    Err(AcceptError::Closed { detail: detail.clone() })
                }
                (Fault::StrangersAreLetIn, Err(AcceptError::Refused { peer, .. })) => {
                    Ok(Connection {
                        sender: Box::new(Nothing),
                        receiver: Box::new(Nothing),
                        peer: peer.clone(),
                        identity: None,
                        authority: Authority::nobody(),
                    })
                }
                _ => accepted,
            }
        })
    }

    fn endpoint(&self) -> Endpoint {
        self.inner.endpoint()
    }
}

/// Halves of a connection with a stranger.
struct Nothing;

impl PacketSender for Nothing {
    fn poll_ready(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        Poll::Pending
    }

    fn send(self: Pin<&mut Self>, _packet: Bytes, _lane: Lane) -> Result<(), Reason> {
        Err(Reason::ProtocolError)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        Poll::Pending
    }
}

impl PacketReceiver for Nothing {
    fn poll_receive(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        Poll::Pending
    }
}

#[test]
fn each_broken_transport_is_found_by_its_promise() {
    let table = [
        (Fault::StrangersEndTheListener, "garbage_at_the_port_disturbs_nobody", "listener ended"),
        (Fault::StrangersAreLetIn, "garbage_at_the_port_disturbs_nobody", "a connection of 127"),
        (Fault::SilentOnesTakeAllPlaces, "whoever_is_silent_keeps_nobody_waiting", "nothing in"),
        (Fault::DialsGiveUp, "a_dial_that_nobody_answers_can_be_given_up", "connect_timeout"),
        (Fault::DialsGoOnInSecret, "a_dial_that_nobody_answers_can_be_given_up", "it is open"),
    ];
    for (fault, name, sees) in table {
        let promise = PROMISES.iter().find(|promise| promise.name() == name).expect("there is one");
        let listen = "tcp://127.0.0.1:0".parse().expect("an endpoint");
        let subject = Subject::new(Faulty::new(fault), listen)
            .with_socket(Socket::Tcp)
            .with_quiet(Duration::from_millis(200))
            .with_patience(Duration::from_secs(1));
        match block_on(promise.check(&subject)) {
            Verdict::Broken(Broken { saw, .. }) if saw.contains(sees) => {}
            verdict @ (Verdict::Kept | Verdict::DoesNotApply(_) | Verdict::Broken(_)) => {
                panic!("{fault:?} is not found by {name}: {verdict:?}")
            }
        }
    }
}
