//! What the benchmarks of the machines share: named workloads, run in turn for their time, or one of
//! them for its instructions.
//!
//! - `--bench` (from `cargo bench`): every workload has its turn in each round; prints the median, the
//!   lowest and the highest nanoseconds of an operation as one JSON object a line. `--quick` for three
//!   short rounds.
//! - `--list`: the workloads whose instructions are counted, and how many operations do for that.
//! - `--count NAME N`: sets NAME up and runs N operations of it, for callgrind.
//! - nothing (from `cargo test --benches`): runs each of them once, to see that it works.

use std::time::Instant;

/// One thing that is measured.
pub(crate) struct Workload {
    /// What is measured, in words.
    pub(crate) name: &'static str,
    /// Its instructions are counted too: they depend on nothing but the compiler.
    pub(crate) counted: bool,
    /// Too large for a run that only looks whether it works.
    pub(crate) large: bool,
    /// Operations of a round.
    pub(crate) round: u64,
    /// Sets it up and warms it; what it returns runs so many operations.
    pub(crate) set_up: fn() -> Run,
}

/// Runs so many operations.
pub(crate) type Run = Box<dyn FnMut(u64)>;

const ROUNDS: usize = 11;
const QUICK_ROUNDS: usize = 3;
/// A quick round is so much shorter.
const QUICK: u64 = 10;

/// Does what the command line says. `group` is the name of the benchmark.
pub(crate) fn main(group: &str, workloads: &[Workload]) {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    if has("--list") {
        for workload in workloads.iter().filter(|workload| workload.counted) {
            println!("{} {}", workload.name, (workload.round / 100).max(10));
        }
    } else if let Some(at) = args.iter().position(|arg| arg == "--count") {
        let [name, count] = &args[at + 1..] else { panic!("--count NAME N") };
        let workload = workloads.iter().find(|workload| workload.name == name);
        let mut run = (workload.expect("a workload of this name").set_up)();
        run(count.parse().expect("a number of operations"));
    } else if has("--bench") {
        measure(group, workloads, has("--quick"));
    } else {
        for workload in workloads.iter().filter(|workload| !workload.large) {
            (workload.set_up)()(10);
        }
    }
}

fn measure(group: &str, workloads: &[Workload], quick: bool) {
    let (rounds, share) = if quick { (QUICK_ROUNDS, QUICK) } else { (ROUNDS, 1) };
    let mut ready: Vec<(Run, Vec<f64>)> =
        workloads.iter().map(|workload| ((workload.set_up)(), Vec::new())).collect();
    for _ in 0..rounds {
        // In turn, so that what the machine does meanwhile meets all of them.
        for (workload, (run, nanos)) in workloads.iter().zip(&mut ready) {
            let operations = (workload.round / share).max(1);
            let start = Instant::now();
            run(operations);
            nanos.push(start.elapsed().as_secs_f64() * 1e9 / operations as f64);
        }
    }
    for (workload, (_, mut nanos)) in workloads.iter().zip(ready) {
        nanos.sort_by(f64::total_cmp);
        println!(
            "{{\"bench\":\"{group}\",\"what\":\"{}\",\"median_ns\":{:.1},\"min_ns\":{:.1},\
             \"max_ns\":{:.1}}}",
            workload.name,
            nanos[nanos.len() / 2],
            nanos[0],
            nanos[nanos.len() - 1],
        );
    }
}
