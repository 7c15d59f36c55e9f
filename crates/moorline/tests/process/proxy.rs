//! A TCP proxy between a worker and its coordinator whose network can be cut without a word.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

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
        let _ = TcpStream::connect(self.address);
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
