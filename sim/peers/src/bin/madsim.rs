//! The workload on madsim, over its TCP. Needs `--cfg madsim`.

#[cfg(not(madsim))]
fn main() {
    panic!("built without --cfg madsim: this would use the real network");
}

#[cfg(madsim)]
fn main() {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::{Duration, Instant};

    use madsim::net::{TcpListener, TcpStream};
    use madsim::runtime::{Handle, Runtime};
    use madsim::{Config, time};
    use sim_peers::{Count, Load, PORT, World, report, serve, work};

    #[derive(Clone, Copy)]
    struct Madsim;

    impl World for Madsim {
        async fn sleep(self, duration: Duration) {
            time::sleep(duration).await;
        }
    }

    let load = Load::from_arguments();
    let mut config = Config::default();
    config.net.send_latency = Duration::from_millis(1)..Duration::from_millis(100);
    let began = Instant::now();
    let count = Count::default();
    let runtime = Runtime::with_seed_and_config(7, config);
    runtime.block_on(async {
        let handle = Handle::current();
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), PORT));
        let server = handle.create_node().name("coordinator").ip(address.ip()).build();
        let counted = Arc::clone(&count);
        let served = server.spawn(async move {
            let listener = TcpListener::bind(address).await.expect("the address is free");
            let mut served = Vec::new();
            for _ in 0..load.workers {
                let (stream, _) = listener.accept().await.expect("a worker comes");
                let counted = Arc::clone(&counted);
                served.push(madsim::task::spawn(serve(Madsim, stream, load, counted)));
            }
            for serving in served {
                serving.await.expect("it ran").expect("every message arrived");
            }
        });
        let workers: Vec<_> = (0..load.workers)
            .map(|index| {
                let ip = IpAddr::V4(Ipv4Addr::from_bits(0x0a01_0000 + index));
                let node = handle.create_node().name(format!("w{index}")).ip(ip).build();
                let counted = Arc::clone(&count);
                node.spawn(async move {
                    time::sleep(Duration::from_millis(1)).await;
                    let stream = TcpStream::connect(address).await.expect("it listens");
                    work(Madsim, stream, load, counted).await.expect("every message arrived");
                })
            })
            .collect();
        for worker in workers {
            worker.await.expect("it ran");
        }
        served.await.expect("it ran");
    });
    report(load, began, count.load(Ordering::Relaxed));
}
