//! The workload on turmoil, over its TCP, with ticks of 1 ms, as by default: all workers on one host, or each
//! on a host of its own with the word `apart`, which takes hours at a thousand.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use sim_peers::{Arguments, Count, Load, PORT, World, serve, work};
use turmoil::net::{TcpListener, TcpStream};

#[derive(Clone, Copy)]
struct Turmoil;

impl World for Turmoil {
    async fn sleep(self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

fn main() {
    let arguments = Arguments::read();
    let is_apart = arguments.say("apart");
    arguments.measure(|seed, count| world(seed, is_apart, arguments.load, count));
}

fn world(seed: u64, is_apart: bool, load: Load, count: Count) {
    let mut sim = turmoil::Builder::new()
        .simulation_duration(Duration::from_secs(load.seconds + 60))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(100))
        .tcp_capacity(1 << 16)
        .rng_seed(seed)
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
    let worker = move |count: Count| async move {
        let stream = TcpStream::connect(("coordinator", PORT)).await?;
        work(Turmoil, stream, load, count).await
    };
    if is_apart {
        for index in 0..load.workers {
            let worker = worker(Arc::clone(&count));
            sim.client(format!("w{index}"), async move { Ok(worker.await?) });
        }
    } else {
        sim.client("workers", async move {
            let spawn = |_| tokio::task::spawn_local(worker(Arc::clone(&count)));
            let workers: Vec<_> = (0..load.workers).map(spawn).collect();
            for worker in workers {
                worker.await??;
            }
            Ok(())
        });
    }
    sim.run().expect("the simulation ends");
}
