//! Whole tasks beside other systems that people give tasks to: NATS and Redis. Each has a server of
//! Debian's, and two processes of `xtask/peers` in the place of our coordinator and worker. All have
//! their turns in every round, so that what the machine does meanwhile meets all of them.

mod server;
pub(super) mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::cargo;
use super::process::{Process, free_address};
use crate::Outcome;
use crate::write::root;
use server::{Kind, Server};
use table::Turn;

type Error = Box<dyn std::error::Error>;

const ROUNDS: usize = 5;

/// Seconds of one turn, of which the first fifth does not count.
const SECONDS: u64 = 5;

/// Tasks under way at a time.
const WINDOWS: [u32; 2] = [256, 1];

/// How long a process may take beyond its turn before it counts as stuck.
const GRACE: Duration = Duration::from_secs(60);

/// Who has a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Peer {
    name: &'static str,
    system: System,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum System {
    /// `moorline bench`; whether with SQLite.
    Ours { sqlite: bool },
    /// `peers`, which calls it so.
    Other { server: Kind, called: &'static str },
}

/// Ours come first: every other one is compared with them.
const PEERS: [Peer; 7] = [
    Peer { name: "moorline, memory", system: System::Ours { sqlite: false } },
    Peer { name: "moorline, SQLite, synced", system: System::Ours { sqlite: true } },
    other("NATS core", Kind::Nats, "nats-core"),
    other("JetStream, memory", Kind::Nats, "jetstream-memory"),
    other("JetStream, file, not synced", Kind::Nats, "jetstream-file"),
    other("Redis Streams, memory", Kind::Redis, "redis-streams"),
    other("Redis Streams, file, synced", Kind::RedisSynced, "redis-streams"),
];

const fn other(name: &'static str, server: Kind, called: &'static str) -> Peer {
    Peer { name, system: System::Other { server, called } }
}

/// The programs that play both sides.
struct Programs {
    moorline: PathBuf,
    peers: PathBuf,
}

pub(super) fn measure(flags: &[&str]) -> Outcome {
    let quick = flags.contains(&"--quick");
    let (rounds, seconds) = if quick { (1, 1) } else { (ROUNDS, SECONDS) };
    let peers = present();
    let programs = Programs { moorline: cargo::moorline()?, peers: build()? };
    let mut turns = Vec::new();
    for _ in 0..rounds {
        for window in WINDOWS {
            let mut round = Vec::new();
            for peer in &peers {
                let turn = peer
                    .turn(&programs, window, seconds)
                    .map_err(|error| format!("{}, {window} in flight: {error}", peer.name))?;
                round.push(turn);
            }
            turns.push((window, round));
        }
    }
    let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    for window in WINDOWS {
        let rounds: Vec<&[Turn]> =
            turns.iter().filter(|turn| turn.0 == window).map(|turn| &turn.1[..]).collect();
        println!("{}", table::text(window, &names, &rounds));
    }
    Ok(())
}

/// Ours, and those whose server is here or could be installed.
fn present() -> Vec<Peer> {
    let (mut peers, mut asked) = (Vec::new(), BTreeMap::new());
    for peer in PEERS {
        let System::Other { server, .. } = peer.system else {
            peers.push(peer);
            continue;
        };
        let package = server.package();
        match asked.entry(package).or_insert_with(|| server::need(package)) {
            Ok(()) => peers.push(peer),
            Err(error) => println!("left out: {}: {error}", peer.name),
        }
    }
    peers
}

/// The other systems' sides, and those of bare libraries. They are no part of the workspace.
pub(super) fn build() -> Result<PathBuf, Error> {
    let manifest = root().join("xtask/peers/Cargo.toml");
    let manifest = manifest.to_str().ok_or("the repository's path is no UTF-8")?;
    let built = cargo::build(&["build", "--release", "--locked", "--manifest-path", manifest])?;
    let found = built.into_iter().find(|(name, _)| name == "peers");
    Ok(found.ok_or("cargo built no peers")?.1)
}

impl Peer {
    /// One turn, from an empty start; nothing of it is left behind.
    fn turn(self, programs: &Programs, window: u32, seconds: u64) -> Result<Turn, Error> {
        let home = tempfile::tempdir()?;
        let (window, time) = (window.to_string(), seconds.to_string());
        let load = ["--window", &window, "--seconds", &time];
        match self.system {
            System::Ours { sqlite } => {
                let address = free_address()?.to_string();
                let store = match sqlite {
                    true => format!("sqlite:{}", home.path().join("bench.db").display()),
                    false => "memory".to_owned(),
                };
                let submit = ["bench", "coordinator", "grpc", &address, "--store", &store];
                let work = ["bench", "worker", "grpc", &address];
                run(&programs.moorline, &[&submit[..], &load].concat(), &work, seconds)
            }
            System::Other { server, called } => {
                let server = Server::start(server, home.path())?;
                let address = server.address();
                let submit = [called, "submit", address];
                let work = [called, "work", address];
                run(&programs.peers, &[&submit[..], &load].concat(), &work, seconds)
                    .map_err(|error| format!("{error}; its server said: {}", server.said()).into())
            }
        }
    }
}

/// Both sides, until the one that measures has printed its figures.
fn run(program: &Path, submit: &[&str], work: &[&str], seconds: u64) -> Result<Turn, Error> {
    let patience = Duration::from_secs(seconds) + GRACE;
    let submitter = Process::start(Command::new(program).args(submit))?;
    if submitter.line(GRACE)? != "READY" {
        return Err(format!("{} is not ready", submit.join(" ")).into());
    }
    let worker = Process::start(Command::new(program).args(work))?;
    let figures = submitter.line(patience)?;
    submitter.ends(GRACE)?;
    worker.ends(GRACE)?;
    Turn::read(&figures)
}

#[cfg(test)]
mod tests;
