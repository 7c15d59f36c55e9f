//! Whole tasks through both nodes, from submitted to settled, in front of a store that says yes to
//! everything: what is left is what the nodes and their machines do.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads a clock and reports"
)]

#[path = "../../link/benches/kit/mod.rs"]
mod kit;
mod pair;

use bytes::Bytes;
use moorline_node::{Done, StoreOp, StoreRow};

use kit::{Run, Workload};
use pair::{BODY, Commit, Pair};

/// Knows the order of submission and one payload.
fn yes() -> Commit {
    let mut order = 0;
    let payload: Bytes = vec![7; BODY].into();
    Box::new(move |_, batch| {
        let answer = |op: &StoreOp| match op {
            StoreOp::Submit { .. } => {
                order += 1;
                vec![StoreRow::Submitted { order }]
            }
            StoreOp::Lease { .. } => vec![StoreRow::Payload(payload.clone())],
            StoreOp::Claim { .. }
            | StoreOp::Finish { .. }
            | StoreOp::Leases
            | StoreOp::Workers
            | StoreOp::Worker(_)
            | StoreOp::Event { .. } => Vec::new(),
            other @ (StoreOp::Unclaim { .. }
            | StoreOp::Lookup { .. }
            | StoreOp::Adopt { .. }
            | StoreOp::Requeue { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Retry { .. }
            | StoreOp::Forget { .. }) => panic!("nothing goes wrong here: {other:?}"),
        };
        let rows = batch.iter().map(|persist| &persist.op).map(answer);
        rows.map(|rows| Done { rows, conflict: None }).collect()
    })
}

fn tasks(at_once: u64) -> Run {
    Pair::new(yes()).run(at_once)
}

fn main() {
    let workload =
        |name, round, set_up| Workload { name, counted: true, large: false, round, set_up };
    let workloads = [
        workload("task_1_at_once", 20_000, || tasks(1)),
        workload("task_256_at_once", 102_400, || tasks(256)),
    ];
    kit::main("node", &workloads);
}
