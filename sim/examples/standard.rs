use moorline_sim::{Latency, Plan, Run, TaskPlan, WorkerPlan};
const SEC: u64 = 1_000_000_000;
fn main() {
    let mut args = std::env::args().skip(1);
    let n: u64 = args.next().unwrap().parse().unwrap();
    let secs: u64 = args.next().unwrap().parse().unwrap();
    let mut plan = (0..).map(Plan::new).find(|p| p.calm && p.settings.lost_after == 90 * SEC && p.settings.dispatcher.settings().window == 256).unwrap();
    let w = plan.workers[0].clone();
    let t = plan.tasks[0].clone();
    plan.settings.latency = Latency::Uniform { min: 1_000_000, max: 100_000_000 };
    plan.settings.keeps = Some(1000);
    plan.settings.commit = 100_000;
    plan.settings.group = 256;
    plan.settings.late = 1;
    plan.workers = (0..n).map(|i| WorkerPlan { id: u128::from(i + 1) << 64 | u128::from(i), clock: i * SEC, slots: 2, handlers: 3, ..w.clone() }).collect();
    plan.tasks = (0..n * secs).map(|i| TaskPlan { id: u128::from(i + 7) << 64 | u128::from(i), submit_at: 10 * SEC + i * SEC / n, handler: 0, size: 1, work: 1_000, endless: false, failing: 0, cancel_at: None, again_at: None, clash_at: None, timeout: None, max_retries: 0, priority: 0, stops: 1, ..t.clone() }).collect();
    plan.quiet_at = (10 + secs) * SEC;
    let start = std::time::Instant::now();
    let out = Run::new(plan).go();
    let took = start.elapsed().as_secs_f64();
    match out.result {
        Ok(r) => println!("{took:.3} s wall, {} s sim, {} packets, {:.0} packets/s, {} tasks {} events", r.lasted / SEC, r.packets, r.packets as f64 / took, r.tasks, r.events),
        Err(f) => println!("{:?} at {}", f.violation, f.at),
    }
}
