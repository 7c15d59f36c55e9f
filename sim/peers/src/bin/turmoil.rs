//! The workload on turmoil, over its TCP: all workers on one host, for a host for each of them takes
//! hours at a thousand; ticks of 1 ms, as by default.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sim_peers::{Count, Load, PORT, World, report, serve, work};
use turmoil::net::{TcpListener, TcpStream};

#[derive(Clone, Copy)]
struct Turmoil;

impl World for Turmoil {
    async fn sleep(self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

fn main() {
    let load = Load::from_arguments();
    let began = Instant::now();
    let count = Count::default();
    let mut sim = turmoil::Builder::new()
        .simulation_duration(Duration::from_secs(load.seconds + 60))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(100))
        .tcp_capacity(1 << 16)
        .rng_seed(7)
        .build();
    let counted = Arc::clone(&count);
    sim.host("coordinator", move || {
        let counted = Arc::clone(&counted);
        async move {
            let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                let counted = Arc::clone(&counted);
                tokio::task::spawn_local(async move {
                    serve(Turmoil, stream, load, counted).await.expect("every message arrived");
                });
            }
        }
    });
    let counted = Arc::clone(&count);
    sim.client("workers", async move {
        let workers: Vec<_> = (0..load.workers)
            .map(|_| {
                let counted = Arc::clone(&counted);
                tokio::task::spawn_local(async move {
                    let stream = TcpStream::connect(("coordinator", PORT)).await?;
                    work(Turmoil, stream, load, counted).await
                })
            })
            .collect();
        for worker in workers {
            worker.await??;
        }
        Ok(())
    });
    sim.run().expect("the simulation ends");
    report(load, began, count.load(Ordering::Relaxed));
}
