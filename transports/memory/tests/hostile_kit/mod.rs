//! A listener under attack, with an honest connection before, during and behind it. For tests on one
//! thread of tokio: deadlines pass by its clock, which is stopped where nothing else happens.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::Write;
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_transport::{AcceptError, Connection, Endpoint, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Longest wait for what has to happen; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Within this time whoever connects has to be attached, in every transport.
const ATTACH_WITHIN: Duration = Duration::from_secs(10);

/// A clock that is stopped goes on in steps of a millisecond.
const SLACK: Duration = Duration::from_millis(100);

/// So many are let in at a time without being attached yet, in every transport over TCP.
const UNATTACHED_MAX: usize = 1_024;

/// More than any of them takes of somebody before it is known who that is: a head or a handshake, and what
/// the kernel keeps of a connection whose sender is told to keep little.
pub(crate) const PUSHED_MAX: usize = 1 << 20;

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

/// Somebody who was turned away.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) peer: String,
    pub(crate) reason: Reason,
    pub(crate) detail: String,
}

pub(crate) struct Siege {
    transport: Arc<dyn Transport>,
    there: Endpoint,
    honest: (Connection, Connection),
    refused: mpsc::UnboundedReceiver<Refused>,
    taken: mpsc::UnboundedReceiver<Connection>,
    accepting: JoinHandle<()>,
    packets: u64,
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Siege {
    /// Listens there, takes whoever comes as a driver does, and connects once.
    pub(crate) async fn begin(transport: impl Transport, at: &str) -> Self {
        let transport: Arc<dyn Transport> = Arc::new(transport);
        let at = at.parse().expect("an endpoint");
        let mut listener = transport.listen(&at).await.expect("listens");
        let there = listener.endpoint();
        let (tell, refused) = mpsc::unbounded_channel();
        let (hand, mut taken) = mpsc::unbounded_channel();
        let accepting = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    // Nobody wants to know at the end.
                    Ok(connection) => {
                        let _ = hand.send(connection);
                    }
                    Err(AcceptError::Refused { peer, reason, detail }) => {
                        let _ = tell.send(Refused { peer, reason, detail });
                    }
                    Err(AcceptError::Connection { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let dialled = soon(transport.dial(&there)).await.expect("dialled");
        let accepted = soon(taken.recv()).await.expect("accepted");
        let honest = (dialled, accepted);
        let mut siege = Self { transport, there, honest, refused, taken, accepting, packets: 0 };
        siege.undisturbed().await;
        siege
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.there.host().parse().expect("an address"), self.there.port())
    }

    /// The connection that was there before passes packets, both ways.
    pub(crate) async fn undisturbed(&mut self) {
        self.packets += 1;
        let (dialled, accepted) = &mut self.honest;
        talk(dialled, accepted, self.packets).await;
    }

    /// Somebody new gets in, and passes packets.
    pub(crate) async fn newcomer(&mut self) {
        let mut dialled = soon(self.transport.dial(&self.there)).await.expect("dialled");
        let mut accepted = self.taken().await;
        self.packets += 1;
        talk(&mut dialled, &mut accepted, self.packets).await;
    }

    /// Nobody was disturbed.
    pub(crate) async fn withstands(mut self) {
        self.undisturbed().await;
        self.newcomer().await;
        self.undisturbed().await;
        assert!(!self.accepting.is_finished(), "nobody listens any more");
    }

    /// The next who is let in.
    pub(crate) async fn taken(&mut self) -> Connection {
        soon(self.taken.recv()).await.expect("it listens")
    }

    /// The next who is turned away.
    pub(crate) async fn refused(&mut self) -> Refused {
        soon(self.refused.recv()).await.expect("it listens")
    }

    /// Whoever is at this address was turned away for this reason.
    pub(crate) async fn refuses(&mut self, peer: SocketAddr, reason: Reason) {
        let refused = self.refused().await;
        assert_eq!(
            (refused.peer, refused.reason),
            (peer.to_string(), reason),
            "{}",
            refused.detail
        );
        self.undisturbed().await;
    }

    /// Who has said nothing more since `began` is turned away when the time to attach is over. On the way
    /// time passes as soon as nothing else happens.
    pub(crate) async fn waits_no_longer(
        &mut self,
        mut who: impl AsyncReadExt + Unpin,
        peer: SocketAddr,
    ) {
        self.undisturbed().await;
        tokio::time::pause();
        let began = Instant::now();
        let refused = self.refused().await;
        let waited = began.elapsed();
        tokio::time::resume();
        assert_eq!(
            (refused.peer, refused.reason),
            (peer.to_string(), Reason::RegisterTimeout),
            "{}",
            refused.detail
        );
        assert!(waited < ATTACH_WITHIN + SLACK && waited > ATTACH_WITHIN / 2, "{waited:?}");
        // It is let go, too.
        let mut rest = Vec::new();
        let _ = soon(who.read_to_end(&mut rest)).await;
        self.undisturbed().await;
    }

    /// Somebody who keeps little in its own kernel, so that what it got rid of was taken.
    pub(crate) async fn stranger(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_send_buffer_size(4 << 10).expect("set");
        let stream = soon(socket.connect(self.address())).await.expect("connected");
        stream.set_nodelay(true).expect("set");
        stream
    }

    /// Somebody says this bit by bit, and then nothing more.
    pub(crate) async fn withstands_drops(mut self, said: &[u8]) {
        let mut stranger = self.stranger().await;
        let peer = stranger.local_addr().expect("bound");
        for byte in said {
            stranger.write_all(&[*byte]).await.expect("written");
            tokio::task::yield_now().await;
        }
        self.waits_no_longer(stranger, peer).await;
        self.withstands().await;
    }

    /// Somebody says this, and goes on saying the other for as long as it is listened to: it is turned
    /// away for this reason, and how much it said is bounded.
    pub(crate) async fn withstands_endless(mut self, first: &[u8], then: &[u8], reason: Reason) {
        let mut stranger = self.stranger().await;
        let peer = stranger.local_addr().expect("bound");
        stranger.write_all(first).await.expect("written");
        let pushed = push(&mut stranger, then).await;
        assert!(pushed <= PUSHED_MAX, "{pushed} bytes were taken");
        self.refuses(peer, reason).await;
        self.withstands().await;
    }

    /// More connect at once than are let in, say this, and then nothing more: no more than there is room for
    /// are looked at in the time that each of them has.
    pub(crate) async fn withstands_crowd(mut self, said: &[u8]) {
        const MORE: usize = 60;
        let crowd: Vec<_> = (0..UNATTACHED_MAX + MORE)
            .map(|_| {
                let mut one = BlockingStream::connect(self.address()).expect("connected");
                one.write_all(said).expect("written");
                one
            })
            .collect();
        self.undisturbed().await;
        // From here on time passes as soon as nothing else happens.
        tokio::time::pause();
        let began = Instant::now();
        let mut waves = [0, 0];
        for _ in 0..crowd.len() {
            let refused = self.refused().await;
            assert_eq!(refused.reason, Reason::RegisterTimeout, "{}", refused.detail);
            let is_second = began.elapsed() > ATTACH_WITHIN + ATTACH_WITHIN / 2;
            waves[usize::from(is_second)] += 1;
        }
        tokio::time::resume();
        assert_eq!(waves, [UNATTACHED_MAX, MORE]);
        drop(crowd);
        self.withstands().await;
    }
}

/// Says it again and again until nobody listens any more: the bytes that were taken.
pub(crate) async fn push(stream: &mut TcpStream, what: &[u8]) -> usize {
    let (mut from, to) = stream.split();
    let (mut pushed, mut at) = (0, 0);
    let mut heard = vec![0; 16 << 10];
    soon(async {
        loop {
            tokio::select! {
                // It may be answered, which it need not look at; an end says that it is over.
                read = from.read(&mut heard) => match read {
                    Ok(count) if count > 0 => {}
                    Ok(_) | Err(_) => return,
                },
                ready = to.writable() => match ready.and_then(|()| to.try_write(&what[at..])) {
                    Ok(count) => {
                        pushed += count;
                        at = (at + count) % what.len();
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                },
            }
        }
    })
    .await;
    pushed
}

pub(crate) async fn talk(dialled: &mut Connection, accepted: &mut Connection, number: u64) {
    let packet = Bytes::from(format!("packet {number}"));
    send(dialled, packet.clone()).await;
    assert_eq!(hear(accepted).await, Ok(packet.clone()));
    send(accepted, packet.clone()).await;
    assert_eq!(hear(dialled).await, Ok(packet));
}

async fn send(from: &mut Connection, packet: Bytes) {
    let sender = &mut from.sender;
    soon(poll_fn(|cx| Pin::new(&mut **sender).poll_ready(cx))).await.expect("open");
    Pin::new(&mut **sender).send(packet, Lane::C).expect("open");
    soon(poll_fn(|cx| Pin::new(&mut **sender).poll_flush(cx))).await.expect("open");
}

/// The next packet, or why there is none.
pub(crate) async fn hear(at: &mut Connection) -> Result<Bytes, Reason> {
    soon(poll_fn(|cx| Pin::new(&mut *at.receiver).poll_receive(cx))).await
}

/// What becomes of a connection whose peer stays silent: time passes as soon as nothing else happens.
pub(crate) async fn end_in_silence(at: &mut Connection) -> (Reason, Duration) {
    tokio::time::pause();
    let began = Instant::now();
    let end = loop {
        match poll_fn(|cx| Pin::new(&mut *at.receiver).poll_receive(cx)).await {
            Ok(_) => {}
            Err(end) => break end,
        }
    };
    let waited = began.elapsed();
    tokio::time::resume();
    (end, waited)
}

/// TLS by hand: bytes that a client would not say.
pub(crate) mod tls {
    /// A record of a handshake of this many bytes.
    pub(crate) fn record(body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).expect("short").to_be_bytes();
        [&[22, 3, 1][..], &length, body].concat()
    }

    /// The beginning of a greeting that says it is so long.
    pub(crate) fn greeting(length: u32) -> Vec<u8> {
        let [_, length @ ..] = length.to_be_bytes();
        [&[1][..], &length, &[3, 3]].concat()
    }
}

/// Those who say in turn each of these, and what is done about them.
pub(crate) type Script = VecDeque<(&'static str, Vec<u8>, Reason)>;

/// Each of these is turned away for its reason.
pub(crate) async fn withstands_all(mut siege: Siege, all: Script) {
    for (what, said, reason) in all {
        let mut stranger = siege.stranger().await;
        let peer = stranger.local_addr().expect("bound");
        // It may be cut off in the middle.
        let _ = stranger.write_all(&said).await;
        let mut answer = Vec::new();
        let (refused, _) = tokio::join!(siege.refused(), soon(stranger.read_to_end(&mut answer)));
        assert_eq!((refused.peer, refused.reason), (peer.to_string(), reason), "{what}");
        siege.undisturbed().await;
    }
    siege.withstands().await;
}
