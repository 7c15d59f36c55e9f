//! Two hosts with a cable between them: network namespaces that are gone when the test is.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The coordinator's host.
pub(crate) const COORDINATOR: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);
/// The worker's host.
pub(crate) const WORKER: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 2);
/// And after it has moved.
pub(crate) const MOVED: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 3);

/// What the names of all namespaces of these tests begin with; then come the process and a number.
const PREFIX: &str = "moorline-test-";

/// Says that something is not tested, also where the output of a test that succeeds is not shown.
pub(crate) fn skip(what: &str, problem: &str) {
    let line = format!("SKIPPED {what}: {problem}");
    assert!(std::env::var("MOORLINE_NETNS").as_deref() != Ok("required"), "{line}");
    // Not by a macro: those are captured.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Two hosts and the cable.
pub(crate) struct Hosts {
    pub(crate) coordinator: Namespace,
    pub(crate) worker: Namespace,
}

impl Hosts {
    /// Sets them up; `None`, with a line that says why, where that is not possible.
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        remove_those_of_the_dead();
        let name = |role| format!("{PREFIX}{}-{number}{role}", std::process::id());
        let coordinator = Namespace::new(name("c"))?;
        let worker = Namespace::new(name("w"))?;
        let hosts = Self { coordinator, worker };
        let (here, there) = (hosts.coordinator.0.as_str(), hosts.worker.0.as_str());
        let cable = ["link", "add", "wire", "netns", here, "type", "veth", "peer", "name", "wire"];
        if let Err(problem) = run("ip", &[&cable[..], &["netns", there]].concat()) {
            skip("two hosts", &problem);
            return None;
        }
        hosts.coordinator.begins(COORDINATOR);
        hosts.worker.begins(WORKER);
        Some(hosts)
    }

    /// The worker's host has another address from now on.
    pub(crate) fn worker_moves(&self) {
        self.worker.ip(&["address", "del", &format!("{WORKER}/24"), "dev", "wire"]);
        self.worker.ip(&["address", "add", &format!("{MOVED}/24"), "dev", "wire"]);
    }
}

/// A host.
pub(crate) struct Namespace(String);

impl Namespace {
    fn new(name: String) -> Option<Self> {
        match run("ip", &["netns", "add", &name]) {
            Ok(_) => Some(Self(name)),
            Err(problem) => {
                skip("two hosts", &problem);
                None
            }
        }
    }

    fn begins(&self, address: Ipv4Addr) {
        self.ip(&["link", "set", "lo", "up"]);
        // Else all of 127.0.0.0/8 is this host.
        self.ip(&["address", "del", "127.0.0.1/8", "dev", "lo"]);
        self.ip(&["address", "add", "127.0.0.1/32", "dev", "lo"]);
        self.inside(|| {
            for name in ["all", "wire"] {
                let path = format!("/proc/sys/net/ipv4/conf/{name}/route_localnet");
                std::fs::write(path, "1").unwrap();
            }
        });
        self.ip(&["address", "add", &format!("{address}/24"), "dev", "wire"]);
        self.ip(&["link", "set", "wire", "up"]);
    }

    /// Does this on the host: sockets are opened there, and processes and threads begin there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            let namespace = File::open(format!("/run/netns/{}", self.0)).unwrap();
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), network).unwrap();
        };
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                enter();
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Changes the network of the host.
    pub(crate) fn ip(&self, args: &[&str]) {
        self.said(args);
    }

    /// What `ip` says about it.
    pub(crate) fn said(&self, args: &[&str]) -> String {
        run("ip", &[&["-netns", &self.0], args].concat()).unwrap()
    }

    /// Changes how packets leave the host, if the kernel knows how.
    pub(crate) fn tc(&self, args: &[&str]) -> Result<String, String> {
        run("tc", &[&["-netns", &self.0], args].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A test that has failed already says why.
        let _ = run("ip", &["netns", "del", &self.0]);
    }
}

/// Runs it; what it said, or what it complained about.
fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let output = match Command::new(program).args(args).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("there is no `{program}` here; Debian has it in iproute2"));
        }
        Err(error) => return Err(format!("{program}: {error}")),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program} {}`: {}", args.join(" "), said.trim()))
}

/// A test that was killed could not clean up: whoever comes next does.
fn remove_those_of_the_dead() {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return };
    for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(process) = process.and_then(|process| process.parse::<u32>().ok()) else {
            continue;
        };
        if !std::path::Path::new(&format!("/proc/{process}")).exists() {
            let _ = run("ip", &["netns", "del", &name]);
        }
    }
}
