//! The workload that the other simulators of `sim/peers` get, in our world: `standard WORKERS SECONDS`.
//! Paths of 1 to 100 ms; each worker has a heartbeat every 5 s, and is given a task every second, which
//! it answers. Real nodes, codec and store, every promise judged. Prints the packets that arrived
//! and the nanoseconds it took.

#![allow(missing_docs, clippy::print_stdout, reason = "a program for cargo xtask bench")]

use std::time::Instant;

use moorline_sim::{Latency, Plan, Run, Settings, TaskPlan, WorkerPlan};

const MS: u64 = 1_000_000;
const SEC: u64 = 1_000 * MS;
/// What workers have to be there before there is work.
const BOOT: u64 = 10 * SEC;

fn plan(workers: u64, seconds: u64) -> Plan {
    let calm = (0..).map(Plan::new).find(Plan::is_calm).expect("one in ten is");
    let (worker, task) = (calm.workers[0].clone(), calm.tasks[0].clone());
    let latency = Latency::Uniform { min: MS, max: 100 * MS };
    let place = |index: u64| u128::from(index + 1) << 64 | u128::from(index);
    Plan {
        settings: Settings {
            lost_after: 90 * SEC,
            beat: 5 * SEC,
            window: 256,
            keeps: Some(1_000),
            commit: MS / 10,
            group: 256,
            late: 1,
            ..calm.settings.clone()
        },
        workers: (0..workers)
            .map(|index| WorkerPlan {
                id: place(index),
                slots: 2,
                handlers: 3,
                clock: index * SEC,
                up: latency,
                down: latency,
                distance: 0,
                ..worker.clone()
            })
            .collect(),
        tasks: (0..workers * seconds)
            .map(|index| TaskPlan {
                id: place(index),
                submit_at: BOOT + index * SEC / workers,
                handler: 0,
                size: 1,
                work: MS / 1_000,
                stops: 1,
                endless: false,
                failing: 0,
                panics: 0,
                twice: false,
                priority: 0,
                max_retries: 0,
                timeout: None,
                cancel_at: None,
                again_at: None,
                clash_at: None,
                ..task.clone()
            })
            .collect(),
        quiet_at: BOOT + seconds * SEC,
        ..calm
    }
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (workers, seconds) = match numbers[..] {
        [workers, seconds, ..] => (workers, seconds),
        _ => (10, 10),
    };
    let plan = plan(workers, seconds);
    let began = Instant::now();
    let report = match Run::new(plan).go().result {
        Ok(report) => report,
        Err(failure) => panic!("{failure}"),
    };
    let nanos = began.elapsed().as_nanos();
    println!("{{\"messages\":{},\"nanos\":{nanos}}}", report.packets);
}
