//! Agents as another system starts them: by `agent start`, with ports and addresses, in the background.

use std::path::Path;
use std::process::{Command, Output};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::rig::{MOORLINE, Rig, until};
use crate::wire;

/// A process that nobody waits for. It is ended when this is dropped.
struct Daemon(Pid);

impl Daemon {
    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = kill_process(self.0, Signal::KILL);
    }
}

/// `agent start` as it is written for others, with a port for each.
fn agent(rig: &Rig, name: &str, port: u16, more: &[&str]) -> Output {
    // A name, not an address.
    let master = match wire::scheme() {
        "grpc" | "grpcs" => format!("localhost:{}", rig.listen.port()),
        scheme => format!("{scheme}://localhost:{}", rig.listen.port()),
    };
    let port = port.to_string();
    let data = rig.home.path().join(name).display().to_string();
    let args = ["agent", "start", "--name", name, "--port", &port, "--master", &master, "--daemon"];
    Command::new(MOORLINE)
        .args(args)
        .args(["--data-dir", &data, "--handler=work=cat", "--json"])
        .args(more)
        .envs(wire::variables())
        .output()
        .unwrap()
}

fn started(rig: &Rig, name: &str, port: u16, more: &[&str]) -> Daemon {
    let output = agent(rig, name, port, more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["name"], name);
    let pid = told["pid"].as_i64().and_then(|pid| Pid::from_raw(pid.try_into().unwrap()));
    Daemon(pid.unwrap())
}

fn log(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("worker.log")).unwrap()
}

/// Names in this state, as `agent list` has them.
fn listed(rig: &Rig, state: &str) -> Vec<String> {
    let server = format!("http://{}", rig.admin);
    let args = ["agent", "list", "--state", state, "-o", "name", "--server", &server];
    let output = Command::new(MOORLINE).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<_> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn several_agents_run_in_the_background_and_the_list_says_which_are_active() {
    let rig = Rig::new("20s");
    let agents: Vec<_> = ["agent-1", "agent-2", "agent-3"]
        .iter()
        .zip(50_052..)
        .map(|(name, port)| started(&rig, name, port, &[]))
        .collect();
    let all = ["agent-1", "agent-2", "agent-3"];
    until("all are active", || (listed(&rig, "active") == all).then_some(()));
    assert_eq!(listed(&rig, "inactive"), [""; 0]);
    let task = rig.submit("work", "over there", &[]);
    rig.until_task(&task, "succeeded");

    agents[1].signal(Signal::KILL);
    until("one is inactive", || (listed(&rig, "inactive") == ["agent-2"]).then_some(()));
    assert_eq!(listed(&rig, "active"), ["agent-1", "agent-3"]);
    // Asked to end it leaves in order, and takes its process id along.
    let home = rig.home.path().join("agent-1");
    assert_eq!(
        std::fs::read_to_string(home.join("worker.pid")).unwrap(),
        format!("{}\n", agents[0].0.as_raw_nonzero())
    );
    agents[0].signal(Signal::TERM);
    until("it has left", || (!home.join("worker.pid").exists()).then_some(()));
    assert_eq!(rig.until_worker("agent-1", "departed")["name"], "agent-1");
}

#[test]
fn a_second_start_of_an_agent_is_refused_while_it_runs_and_not_after() {
    let rig = Rig::new("20s");
    let first = started(&rig, "agent-1", 50_052, &[]);
    rig.until_worker("agent-1", "active");
    let second = agent(&rig, "agent-1", 50_052, &[]);
    assert_eq!(second.status.code(), Some(73), "{second:?}");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("ML1102") && said.contains("worker.log"), "{said}");
    assert_eq!(String::from_utf8_lossy(&second.stdout), "");
    let task = rig.submit("work", "still there", &[]);
    rig.until_task(&task, "succeeded");
    // However it ended: what is left of a process is no reason.
    first.signal(Signal::KILL);
    rig.until_worker("agent-1", "disconnected");
    assert!(rig.home.path().join("agent-1/worker.pid").exists());
    let again = started(&rig, "agent-1", 50_052, &[]);
    assert_ne!(first.0, again.0);
    rig.until_worker("agent-1", "active");
}

#[test]
fn addresses_of_an_agent_are_noted_and_it_is_said_that_nothing_listens_there() {
    let rig = Rig::new("20s");
    let addresses = ["--bind-address", "192.0.2.7", "--report-address", "nat.example.com"];
    let _agent = started(&rig, "agent-1", 50_052, &addresses);
    rig.until_worker("agent-1", "active");
    let log = log(&rig.home.path().join("agent-1"));
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let noted: Vec<_> = lines.filter(|line| line["event"] == "worker.address").collect();
    let [noted] = noted.as_slice() else { panic!("{log}") };
    assert_eq!(noted["address"], "nat.example.com:50052");
    assert!(noted["msg"].as_str().unwrap().contains("nothing listens there"), "{noted}");
    assert!(log.contains("worker.registered"), "the log is there: {log}");
}
