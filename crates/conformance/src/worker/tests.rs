//! Each promise is shown to be one: a worker that has one fault breaks that promise and no other. In
//! virtual time, over packets inside this process.

use moorline_memory::MemoryTransport;

use self::faulty::InProcess;
use super::{PROMISES, Subject, run};
use crate::{Limits, Report, Verdict};

mod faulty;

/// Judges a worker that breaks the promise of this name; none if it is empty.
fn judged(fault: &'static str) -> Report {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    let transport = MemoryTransport::new();
    let launch = InProcess { transport: transport.clone(), fault };
    let at = "mem://coordinator".parse().expect("an endpoint");
    // One at a time: there is one address.
    let subject =
        Subject::new(transport, at, launch).with_limits(Limits { jobs: 1, ..Limits::default() });
    runtime.block_on(run(&subject, PROMISES, |_| ()))
}

#[test]
fn a_worker_without_a_fault_keeps_every_promise() {
    let report = judged("");
    let kept = report.judged.iter().all(|one| one.verdict == Verdict::Kept);
    assert!(kept && report.judged.len() == PROMISES.len(), "{report}");
}

#[test]
fn a_worker_with_one_fault_breaks_one_promise() {
    let mut wrong = Vec::new();
    for promise in PROMISES {
        let report = judged(promise.name);
        let broken: Vec<_> = report.broken().map(|one| one.promise.name).collect();
        if broken != [promise.name] {
            let told = report.broken().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            wrong.push(format!("the fault of {} breaks {broken:?}\n{told}", promise.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
