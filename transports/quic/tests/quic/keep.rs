//! What every transport has to keep, in every runtime.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_link::{Lane, Reason};
use moorline_quic::QuicTransport;
use moorline_transport::{
    Connection, DialError, Endpoint, ListenError, Listener, Transport, UNWRITTEN_MAX,
};

use crate::certificates::transport;
use crate::essentials::{self, PACKET_MAX, soon};
use crate::here;

/// Windows of 256 KiB, and what the sender holds.
const SLOW_READER_MAX: usize = (256 << 10) + UNWRITTEN_MAX + PACKET_MAX;

macro_rules! keeps {
    ($transport:expr, $tokio:meta: $($name:ident($($more:expr),*);)*) => {
        $(#[$tokio]
        async fn $name() {
            essentials::$name(&$transport, &here(), $($more),*).await;
        })*
    };
    ($module:ident, $transport:expr, $tokio:meta) => {
        mod $module {
            use super::*;

            keeps! { $transport, $tokio:
                a_slow_reader_holds_the_writer_back(SLOW_READER_MAX);
                an_abrupt_end_is_a_reset();
                one_half_that_is_dropped_cuts_the_connection();
                an_orderly_end_comes_behind_what_was_sent();
                an_orderly_end_waits_for_a_peer_that_reads_late();
                a_dial_to_nothing_is_refused();
                a_dial_can_be_cancelled();
                connections_outlive_their_listener();
                an_address_is_listened_on_once();
                many_connections_at_once();
            }

            #[$tokio]
            async fn packets_arrive_whole_and_in_the_order_of_their_lane() {
                packets(&$transport).await;
            }
        }
    };
}

keeps! { many_threads, transport(), tokio::test(flavor = "multi_thread", worker_threads = 2) }
keeps! { one_thread, transport(), tokio::test }
keeps! { without_tokio, Elsewhere(transport()), tokio::test }

/// What the essentials have for transports that keep order over all packets, which this one does not.
async fn packets(transport: &dyn Transport) {
    const MANY: usize = 300;
    let (_listener, dialled, accepted) = essentials::connect(transport, &here()).await;
    let sizes = [5, 6, 100, 1_024, 1_025, 16_384, PACKET_MAX, 7, PACKET_MAX - 1, 4];
    let packet = |lane: Lane, n: usize| {
        let mut packet = vec![lane.index() as u8; sizes[n % sizes.len()]];
        packet[1..4].copy_from_slice(&n.to_be_bytes()[5..]);
        Bytes::from(packet)
    };
    let lane = |n: usize| if n.is_multiple_of(3) { Lane::B } else { Lane::C };
    let both = [dialled, accepted].map(|Connection { mut sender, mut receiver, .. }| async move {
        let send = async {
            for n in 0..MANY {
                poll_fn(|cx| Pin::new(&mut *sender).poll_ready(cx)).await.expect("ready");
                Pin::new(&mut *sender).send(packet(lane(n), n), lane(n)).expect("sent");
            }
            // Nothing at all is a packet, too.
            Pin::new(&mut *sender).send(Bytes::new(), Lane::C).expect("sent");
            poll_fn(|cx| Pin::new(&mut *sender).poll_close(cx)).await
        };
        let read = async {
            let mut next = [1, 0];
            let mut empty = 0;
            loop {
                let received = soon(poll_fn(|cx| Pin::new(&mut *receiver).poll_receive(cx))).await;
                match received {
                    Ok(received) if received.is_empty() => empty += 1,
                    Ok(received) => {
                        let of = Lane::ALL[usize::from(received[0])];
                        let n = next[of.index()];
                        assert!(received == packet(of, n), "packet {n} of lane {of:?}");
                        next[of.index()] = (n + 1..).find(|n| lane(*n) == of).expect("endless");
                    }
                    Err(end) => return (next, empty, end),
                }
            }
        };
        let (closed, read) = futures::join!(send, read);
        assert_eq!(closed, Ok(()));
        assert_eq!(read, ([301, 300], 1, Reason::ClosedByPeer));
        (sender, receiver)
    });
    soon(futures::future::join_all(both)).await;
}

/// Dials and listens on the threads of smol, where there is no tokio.
struct Elsewhere(QuicTransport);

impl Transport for Elsewhere {
    fn schemes(&self) -> &'static [&'static str] {
        self.0.schemes()
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        smol::spawn(self.0.dial(endpoint)).boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        smol::spawn(self.0.listen(endpoint)).boxed()
    }
}

#[test]
fn any_executor_will_do() {
    futures::executor::block_on(async {
        let transport = transport();
        let mut listener = transport.listen(&here()).await.expect("listens");
        let localhost = format!("quic://localhost:{}", listener.endpoint().port())
            .parse()
            .expect("an endpoint");
        let dial = transport.dial(&localhost);
        let (dialled, accepted) = futures::join!(dial, listener.accept());
        let (mut dialled, mut accepted) = (dialled.expect("dialled"), accepted.expect("accepted"));
        Pin::new(&mut *dialled.sender).send("hello".into(), Lane::C).expect("sent");
        let closed = poll_fn(|cx| Pin::new(&mut *dialled.sender).poll_close(cx));
        let mut receive =
            async || poll_fn(|cx| Pin::new(&mut *accepted.receiver).poll_receive(cx)).await;
        let read = async { (receive().await, receive().await) };
        let (closed, read) = futures::join!(closed, read);
        assert_eq!(closed, Ok(()));
        assert_eq!(read, (Ok("hello".into()), Err(Reason::ClosedByPeer)));
    });
}
