//! A proxy between a worker and its coordinator whose network can be cut without a word: for TCP, or for
//! UDP where that is what they talk over.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::wire;

/// Forwards connections until it is cut; healed, it forwards new ones again.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Nothing passes, and new connections are not answered: what a broken network does.
    cut: AtomicBool,
    /// Connections of before this cut stay silent for good.
    generation: AtomicUsize,
    closed: AtomicBool,
    /// Bytes that pass in a second and a direction; 0 = as many as come.
    rate: AtomicUsize,
}

/// A slow line moves what it may move at once, so often in a second.
const TICKS: usize = 50;

impl Proxy {
    /// Listens, and forwards to `target`.
    pub(crate) fn start(target: SocketAddr) -> Self {
        if wire::is_udp() { Self::start_udp(target) } else { Self::start_tcp(target) }
    }

    /// Datagrams that arrive while it is cut are lost; a new connection is not told from an old one.
    fn start_udp(target: SocketAddr) -> Self {
        let below = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = below.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let mut above: BTreeMap<SocketAddr, UdpSocket> = BTreeMap::new();
            let mut buffer = vec![0; 64 << 10];
            while let Ok((len, client)) = below.recv_from(&mut buffer) {
                if shared.closed.load(Ordering::SeqCst) {
                    return;
                }
                let up = above.entry(client).or_insert_with(|| {
                    let up = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                    up.connect(target).unwrap();
                    let (from, to) = (up.try_clone().unwrap(), below.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || forward_datagrams(&from, &to, client, &shared));
                    up
                });
                pass(&shared, len, || up.send(&buffer[..len]));
            }
        });
        Self { address, state }
    }

    fn start_tcp(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.closed.load(Ordering::SeqCst) {
                    return;
                }
                let generation = shared.generation.load(Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(target) else { continue };
                let pairs = [(&client, &server), (&server, &client)];
                for (from, to) in pairs {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || forward(from, to, &shared, generation));
                }
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on so many bytes pass in a second, in each direction.
    pub(crate) fn throttle(&self, bytes_per_second: usize) {
        self.state.rate.store(bytes_per_second, Ordering::SeqCst);
    }

    /// Nothing passes any more, in no direction, and nobody is told.
    pub(crate) fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
        self.state.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// New connections pass again; those that were cut stay dead.
    pub(crate) fn heal(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
        self.state.generation.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // So that it looks.
        if wire::is_udp() {
            let bell = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
            let _ = bell.and_then(|bell| bell.send_to(&[0], self.address));
        } else {
            let _ = TcpStream::connect(self.address);
        }
    }
}

fn forward_datagrams(from: &UdpSocket, to: &UdpSocket, client: SocketAddr, state: &State) {
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut buffer = vec![0; 64 << 10];
    while !state.closed.load(Ordering::SeqCst) {
        // An error is nobody's being there, or that nothing has come: the client asks again.
        if let Ok(len) = from.recv(&mut buffer) {
            pass(state, len, || to.send_to(&buffer[..len], client));
        }
    }
}

/// One datagram, as fast as it may, or not at all.
fn pass(state: &State, len: usize, send: impl FnOnce() -> std::io::Result<usize>) {
    if state.cut.load(Ordering::SeqCst) {
        return;
    }
    // Lost, if it does not work: that is what datagrams are like.
    let _ = send();
    let rate = state.rate.load(Ordering::SeqCst);
    if rate > 0 {
        std::thread::sleep(Duration::from_secs(1) * len as u32 / rate as u32);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, state: &State, generation: usize) {
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut buffer = vec![0; 64 << 10];
    loop {
        if state.closed.load(Ordering::SeqCst) {
            break;
        }
        let rate = state.rate.load(Ordering::SeqCst);
        let most = if rate == 0 { buffer.len() } else { (rate / TICKS).clamp(1, buffer.len()) };
        let read = from.read(&mut buffer[..most]);
        // Asked only now: what is sent after a cut must not pass because the read began before it.
        let dead = state.generation.load(Ordering::SeqCst) != generation
            || state.cut.load(Ordering::SeqCst);
        match read {
            Ok(0) => break,
            // Read and lost.
            Ok(_) if dead => {}
            Ok(n) => {
                if to.write_all(&buffer[..n]).is_err() {
                    break;
                }
                if rate > 0 {
                    std::thread::sleep(Duration::from_secs(1) * n as u32 / rate as u32);
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
