//! The hidden commands that measure: each runs for a moment, and what it prints is of the shape that
//! scripts read, and can be true.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::rig::{MOORLINE, free_address, until};
use crate::wire;

/// A process whose stdin and stdout a test holds.
pub(crate) struct Talk {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl Talk {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(MOORLINE)
            .arg("bench")
            .args(args)
            .args(wire::flags())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, lines }
    }

    /// The next line it prints; empty at its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ends(&mut self) -> ExitStatus {
        until("it ends", || self.child.try_wait().unwrap())
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tasks(store: &str) {
    let address = free_address().to_string();
    let begin = std::time::Instant::now();
    let flags = ["--window", "8", "--seconds", "2", "--store", store];
    let mut coordinator = Talk::start(
        &[["coordinator", wire::scheme(), address.as_str()].as_slice(), &flags].concat(),
    );
    assert_eq!(coordinator.line(), "READY");
    let mut worker = Talk::start(&["worker", wire::scheme(), &address]);
    let figures = coordinator.line();
    let figures: Value = serde_json::from_str(&figures).expect(&figures);
    assert_eq!(coordinator.line(), "", "one line and no more");
    assert_eq!((coordinator.ends().code(), worker.ends().code()), (Some(0), Some(0)));
    assert!(begin.elapsed() >= Duration::from_secs(2), "it measures as long as it was told");

    let keys: Vec<_> = figures.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["p50_us", "p999_us", "p99_us", "tasks", "tasks_per_s"]);
    let figure = |name: &str| figures[name].as_f64().unwrap();
    // The first fifth of two seconds does not count.
    assert!((figure("tasks") - figure("tasks_per_s") * 1.6).abs() < 1.0, "{figures}");
    assert!(figure("p50_us") > 0.0 && figure("p50_us") <= figure("p99_us"), "{figures}");
    assert!(figure("p99_us") <= figure("p999_us"), "{figures}");
    // Eight at a time, each p50 long: as many as Little's law has, give or take what is skewed.
    let expected = 8.0 / (figure("p50_us") / 1e6);
    let ratio = figure("tasks_per_s") / expected;
    assert!((0.1..=2.0).contains(&ratio), "{figures}: {ratio} of what the median says");
}

#[test]
fn a_bench_of_tasks_in_memory_prints_what_it_measured_and_both_sides_end() {
    tasks("memory");
}

#[test]
fn a_bench_of_tasks_in_a_file_prints_what_it_measured_and_both_sides_end() {
    let home = tempfile::tempdir().unwrap();
    tasks(&format!("sqlite:{}", home.path().join("bench.db").display()));
}

/// Unix nanoseconds.
pub(crate) fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

#[test]
fn a_fleet_tells_when_each_of_its_workers_dialled_was_active_and_was_cut_off() {
    let begin = nanos();
    let address = free_address().to_string();
    let mut serve = Talk::start(&["serve", wire::scheme(), &address]);
    assert_eq!(serve.line(), "READY");
    let mut fleet =
        Talk::start(&["fleet", wire::scheme(), &address, "40", "--heartbeat-ms", "1000"]);
    assert_eq!(fleet.line(), "UP");
    let killed = nanos();
    serve.kill();
    let mut serve = Talk::start(&["serve", wire::scheme(), &address]);
    assert_eq!(serve.line(), "READY");
    assert_eq!(fleet.line(), "UP", "all came back");
    writeln!(fleet.stdin.as_mut().unwrap(), "tell").unwrap();
    let moments = fleet.line();
    let moments: Value = serde_json::from_str(&moments).expect(&moments);
    let list = |name: &str| -> Vec<u64> {
        moments[name].as_array().unwrap().iter().map(|at| at.as_u64().unwrap()).collect()
    };
    let (tries, ups, downs) = (list("tries"), list("ups"), list("downs"));
    assert_eq!((ups.len(), downs.len()), (80, 40));
    assert!(tries.len() >= 80, "a worker that is up has dialled: {}", tries.len());
    for times in [&tries, &ups, &downs] {
        assert!(times.is_sorted() && times[0] > begin && *times.last().unwrap() < nanos());
    }
    assert!(tries[0] < ups[0] && ups[39] < downs[0], "dial, up, down");
    assert!(downs[0] >= killed && downs[0] < ups[40], "none was lost before, then all were");
    drop(fleet.stdin.take());
    assert_eq!(fleet.ends().code(), Some(0), "it ends with its stdin");
}

#[test]
fn what_only_serves_keeps_its_state_where_it_is_told() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("serve.db");
    let store = format!("sqlite:{}", file.display());
    let address = free_address().to_string();
    let mut serve = Talk::start(&["serve", wire::scheme(), &address, "--store", &store]);
    assert_eq!(serve.line(), "READY");
    assert!(file.is_file(), "{store}");
    serve.kill();
    // Another life of the same coordinator.
    let mut serve = Talk::start(&["serve", wire::scheme(), &address, "--store", &store]);
    assert_eq!(serve.line(), "READY");
}

#[test]
fn what_is_no_transport_is_refused_by_name() {
    for command in [
        &["coordinator", "smoke", "127.0.0.1:1", "--window", "1", "--seconds", "1"][..],
        &["worker", "smoke", "127.0.0.1:1"],
        &["serve", "smoke", "127.0.0.1:1"],
        &["fleet", "smoke", "127.0.0.1:1", "3", "--heartbeat-ms", "1000"],
    ] {
        let output = Command::new(MOORLINE).arg("bench").args(command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{command:?}");
        assert!(said.contains("error[ML") && said.contains("smoke"), "{command:?}: {said}");
        assert!(said.contains("hint: "), "{command:?}: {said}");
    }
}
