//! The command's worker on every runtime: its handlers are children, its coordinator comes and goes.

use rustix::process::Signal;

use crate::rig::{QUICK, Rig};

fn works_on(runtime: &str) {
    let mut rig = Rig::new("90s");
    let handlers = ["--handler=upper=tr a-z A-Z", "--handler=wait=sleep 600"];
    let mut worker = rig.worker_on(runtime, "worker", &[QUICK, &handlers].concat());
    rig.until_worker("worker", "active");
    let first = rig.submit("upper", "\"quiet\"", &[]);
    rig.until_task(&first, "succeeded");

    rig.coordinator.kill();
    rig.restart_coordinator();
    rig.until_worker("worker", "active");
    let second = rig.submit("upper", "\"quiet\"", &[]);
    rig.until_task(&second, "succeeded");
    rig.balances(2);

    let endless = rig.submit("wait", "null", &[]);
    rig.until_task(&endless, "leased");
    #[cfg(target_os = "linux")]
    assert_eq!(runs_on(worker.pid()), runtime);
    rig.run(&["task", "cancel", &endless]);
    rig.until_task(&endless, "cancelled");

    worker.signal(Signal::TERM);
    assert!(worker.ends().success());
    rig.until_worker("worker", "departed");
}

/// Which runtime the threads of a process tell of.
#[cfg(target_os = "linux")]
fn runs_on(pid: rustix::process::Pid) -> &'static str {
    let threads = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).unwrap();
    // A thread may have ended meanwhile.
    let names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    let names: Vec<String> = names.collect();
    let any = |beginning: &str| names.iter().any(|name| name.starts_with(beginning));
    match (any("moorline-grpc"), any("smol-"), any("async-std")) {
        (false, false, false) => "tokio",
        (true, true, false) => "smol",
        (true, false, true) => "async-std",
        (true, false, false) => "threads",
        _ => panic!("{names:?}"),
    }
}

#[test]
fn the_command_works_on_tokio() {
    works_on("tokio");
}

#[test]
fn the_command_works_on_smol() {
    works_on("smol");
}

#[test]
fn the_command_works_on_async_std() {
    works_on("async-std");
}

#[test]
fn the_command_works_on_plain_threads() {
    works_on("threads");
}

#[test]
fn a_runtime_that_is_none_is_named() {
    let rig = Rig::new("90s");
    let mut worker = rig.worker_on("fibers", "worker", &[]);
    assert_eq!(worker.ends().code(), Some(78), "as every configuration that cannot be used");
    let said = worker.log().messages("plain").join("\n");
    assert!(said.contains("`fibers` is no runtime; this build has tokio, smol"), "{said}");
}
