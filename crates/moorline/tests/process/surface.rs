//! What people type and what processes do at their ends: signals, closed pipes, the first five minutes.

use std::process::Command;

use rustix::process::Signal;

use crate::rig::{MOORLINE, Process, Rig, STEADY, free_address, until};

/// The process that wrote its number there, as long as it runs.
fn running(pid_file: &std::path::Path) -> Option<u32> {
    let pid: u32 = std::fs::read_to_string(pid_file).ok()?.strip_suffix('\n')?.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let state = stat.rsplit_once(") ")?.1;
    (!state.starts_with(['Z', 'X'])).then_some(pid)
}

#[test]
fn a_second_signal_ends_a_worker_at_once_and_its_handlers_with_it() {
    let rig = Rig::new("20s");
    let pid_file = rig.home.path().join("pid");
    let handler = format!(
        "--handler=work=sh -c 'trap \"\" TERM; sleep 1000 & echo $! > {}; wait'",
        pid_file.display()
    );
    let mut worker = rig.worker("w1", &[STEADY, &[handler.as_str()]].concat());
    rig.submit("work", "", &[]);
    until("its handler runs", || running(&pid_file));
    worker.signal(Signal::TERM);
    worker.log().wait("shutdown.begin");
    assert!(worker.is_running() && running(&pid_file).is_some(), "the first one only asks");
    worker.signal(Signal::INT);
    assert_eq!(worker.ends().code(), Some(130));
    until("its handler is gone", || running(&pid_file).is_none().then_some(()));
}

#[test]
fn processes_whose_log_nobody_reads_any_more_work_on_and_end_in_order() {
    let home = tempfile::tempdir().unwrap();
    let (listen, admin) = (free_address(), free_address());
    let server = format!("--server=http://{admin}");
    let mut coordinator = Process::start_unheard(
        "coordinator",
        &[
            "coordinator",
            &format!("--listen=grpc://{listen}"),
            &format!("--admin-listen={admin}"),
            &format!("--store=sqlite:{}", home.path().join("store.db").display()),
        ],
    );
    let mut worker = Process::start_unheard(
        "w1",
        &[
            "worker",
            &format!("--coordinator=grpc://{listen}"),
            "--name=w1",
            &format!("--data-dir={}", home.path().join("w1").display()),
            "--handler=work=cat",
        ],
    );
    let submit = ["task", "submit", "work", "--input", "hi", "--wait", "--timeout=60s", &server];
    let output = Command::new(MOORLINE).args(submit).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for process in [&mut worker, &mut coordinator] {
        process.signal(Signal::TERM);
        assert_eq!(process.ends().code(), Some(0));
    }
}

#[test]
fn the_first_five_minutes_of_the_readme_work_as_written() {
    let (listen, admin) = (free_address(), free_address());
    let mut dev = Process::start(
        "dev",
        &["dev", &format!("--listen=grpc://{listen}"), &format!("--admin-listen={admin}")],
    );
    let readme = include_str!("../../../../README.md");
    let (_, minutes) = readme.split_once("\n## Five minutes\n").unwrap();
    let (_, second_terminal) = minutes.split_once("In a second terminal:").unwrap();
    let block = second_terminal.split("```").nth(1).unwrap();
    let commands: Vec<_> =
        block.lines().filter_map(|line| line.strip_prefix("$ moorline ")).collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for line in commands {
        // Without the remark behind it.
        let words = shell_words::split(line.split(" #").next().unwrap()).unwrap();
        let output = Command::new(MOORLINE)
            .args(&words)
            .args([format!("--server=http://{admin}"), "--timeout=60s".to_owned()])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{line}: {said}");
        assert!(!output.stdout.is_empty(), "{line}");
    }
    dev.signal(Signal::TERM);
    dev.log().wait("shutdown.begin");
    // It drains; the sleeper of half a minute is not waited for here.
    dev.signal(Signal::TERM);
    assert_eq!(dev.ends().code(), Some(143));
}
