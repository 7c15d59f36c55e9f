//! The workload that the other simulators of `sim/peers` get, in our world: `standard WORKERS SECONDS
//! [WORLDS [faults]]`. Paths of 1 to 100 ms; each worker has a heartbeat every 5 s, and is given a task
//! every second, which it answers. Real nodes, codec and store, every promise judged. Prints the packets
//! that arrived, the nanoseconds of CPU and of time it took, and the most memory the process has had.

#![allow(missing_docs, clippy::print_stdout, reason = "a program for cargo xtask bench")]

use std::time::Instant;

use moorline_sim::{Latency, Plan, Run, Settings, TaskPlan, Temper, WorkerPlan};

const MS: u64 = 1_000_000;
const SEC: u64 = 1_000 * MS;
/// What workers have to be there before there is work.
const BOOT: u64 = 10 * SEC;

fn plan(seed: u64, workers: u64, seconds: u64) -> Plan {
    let calm = (0..).map(Plan::new).find(Plan::is_calm).expect("one in ten is");
    let (worker, task) = (calm.workers[0].clone(), calm.tasks[0].clone());
    let latency = Latency::Uniform { min: MS, max: 100 * MS };
    let place = |index: u64| u128::from(index + 1) << 64 | u128::from(index);
    Plan {
        seed,
        settings: Settings {
            lost_after: 90 * SEC,
            beat: 5 * SEC,
            window: 256,
            keeps: Some(1_000),
            commit: MS / 10,
            group: 256,
            late: 1,
            // Nobody has to wait for a place: that would be no calm world.
            registrations: Some(5_000),
            ..calm.settings.clone()
        },
        workers: (0..workers)
            .map(|index| WorkerPlan {
                id: place(index),
                begins_at: index * (BOOT / 2) / workers,
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

/// The same with the faults of a world of that seed, as far as they are over in time.
fn faulty(plan: Plan) -> Plan {
    let drawn = (0..).map(|more| Plan::new(plan.seed + (more << 32)));
    let drawn = drawn.into_iter().find(|drawn| drawn.temper == Temper::Common);
    let mut episodes = drawn.expect("most are").episodes;
    episodes.retain(|episode| episode.at < plan.quiet_at);
    Plan { temper: Temper::Common, episodes, ..plan }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|text| text.parse::<u64>().ok());
    let (workers, seconds) = (number(0).unwrap_or(10), number(1).unwrap_or(10));
    let has_faults = args.iter().any(|arg| arg == "faults");
    let mut packets = 0;
    let (began, cpu) = (Instant::now(), cpu());
    for seed in 0..number(2).unwrap_or(1) {
        let plan = plan(seed, workers, seconds);
        let plan = if has_faults { faulty(plan) } else { plan };
        match Run::new(plan).go().result {
            Ok(report) => packets += report.packets,
            Err(failure) => panic!("{failure}"),
        }
    }
    let (nanos, cpu) = (began.elapsed().as_nanos(), self::cpu() - cpu);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|rest| rest.trim().strip_suffix(" kB")).unwrap_or("0");
    println!(
        "{{\"messages\":{packets},\"cpu_nanos\":{cpu},\"nanos\":{nanos},\"peak_kib\":{}}}",
        kib.trim()
    );
}

/// What this thread has run so far, in nanoseconds.
fn cpu() -> u64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    said.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}
