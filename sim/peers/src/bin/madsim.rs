//! The workload on madsim: over its TCP, or over its UDP with the word `udp`. Needs `--cfg madsim`.

#[cfg(not(madsim))]
fn main() {
    panic!("built without --cfg madsim: this would use the real network");
}

#[cfg(madsim)]
fn main() {
    let arguments = sim_peers::Arguments::read();
    let is_udp = arguments.say("udp");
    arguments.measure(|seed, count| simulated::world(seed, is_udp, arguments.load, count));
}

#[cfg(madsim)]
mod simulated {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use madsim::net::{TcpListener, TcpStream, UdpSocket};
    use madsim::runtime::{Handle, Runtime};
    use madsim::{Config, task, time};
    use sim_peers::{
        BEAT, BEAT_ANSWER, Count, LENGTH, Load, PORT, TASK, TASK_ANSWER, World, serve, work,
    };

    /// A worker is there: TCP has its handshake for that. It is not counted.
    const HELLO: u8 = 0;

    #[derive(Clone, Copy)]
    struct Madsim;

    impl World for Madsim {
        async fn sleep(self, duration: Duration) {
            time::sleep(duration).await;
        }
    }

    pub(super) fn world(seed: u64, is_udp: bool, load: Load, count: Count) {
        let mut config = Config::default();
        config.net.send_latency = Duration::from_millis(1)..Duration::from_millis(100);
        let runtime = Runtime::with_seed_and_config(seed, config);
        runtime.block_on(async {
            let handle = Handle::current();
            let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), PORT));
            let server = handle.create_node().name("coordinator").ip(address.ip()).build();
            let counted = Arc::clone(&count);
            let served = server.spawn(async move {
                if is_udp {
                    serve_udp(address, load, counted).await;
                } else {
                    serve_tcp(address, load, counted).await;
                }
            });
            let workers: Vec<_> = (0..load.workers)
                .map(|index| {
                    let ip = IpAddr::V4(Ipv4Addr::from_bits(0x0a01_0000 + index));
                    let node = handle.create_node().name(format!("w{index}")).ip(ip).build();
                    let counted = Arc::clone(&count);
                    node.spawn(async move {
                        time::sleep(Duration::from_millis(1)).await;
                        if is_udp {
                            work_udp(address, load, counted).await;
                        } else {
                            let stream = TcpStream::connect(address).await.expect("it listens");
                            work(Madsim, stream, load, counted).await.expect("all arrives");
                        }
                    })
                })
                .collect();
            for worker in workers {
                worker.await.expect("it ran");
            }
            served.await.expect("it ran");
        });
    }

    async fn serve_tcp(address: SocketAddr, load: Load, count: Count) {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let mut served = Vec::new();
        for _ in 0..load.workers {
            let (stream, _) = listener.accept().await.expect("a worker comes");
            served.push(task::spawn(serve(Madsim, stream, load, Arc::clone(&count))));
        }
        for serving in served {
            serving.await.expect("it ran").expect("all arrives");
        }
    }

    async fn serve_udp(address: SocketAddr, load: Load, count: Count) {
        let socket = Arc::new(UdpSocket::bind(address).await.expect("the address is free"));
        let mut message = [0; LENGTH];
        for _ in 0..u64::from(load.workers) * (1 + load.seconds + load.seconds / 5) {
            let (_, from) = socket.recv_from(&mut message).await.expect("something comes");
            if message[0] == HELLO {
                let socket = Arc::clone(&socket);
                task::spawn(async move {
                    for _ in 0..load.seconds {
                        time::sleep(Duration::from_secs(1)).await;
                        socket.send_to(from, &[TASK; LENGTH]).await.expect("it is sent");
                    }
                });
                continue;
            }
            count.fetch_add(1, Ordering::Relaxed);
            if message[0] == BEAT {
                socket.send_to(from, &[BEAT_ANSWER; LENGTH]).await.expect("it is sent");
            }
        }
        // What was written last is under way.
        time::sleep(Duration::from_secs(1)).await;
    }

    async fn work_udp(address: SocketAddr, load: Load, count: Count) {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let socket = Arc::new(UdpSocket::bind(any).await.expect("there is a port"));
        socket.send_to(address, &[HELLO; LENGTH]).await.expect("it is sent");
        let beats = Arc::clone(&socket);
        let beating = task::spawn(async move {
            for _ in 0..load.seconds / 5 {
                time::sleep(Duration::from_secs(5)).await;
                beats.send_to(address, &[BEAT; LENGTH]).await.expect("it is sent");
            }
        });
        let mut message = [0; LENGTH];
        for _ in 0..load.seconds + load.seconds / 5 {
            socket.recv_from(&mut message).await.expect("something comes");
            count.fetch_add(1, Ordering::Relaxed);
            if message[0] == TASK {
                socket.send_to(address, &[TASK_ANSWER; LENGTH]).await.expect("it is sent");
            }
        }
        beating.await.expect("it ran");
        time::sleep(Duration::from_secs(1)).await;
    }
}
