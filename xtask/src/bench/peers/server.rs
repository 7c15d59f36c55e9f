//! Servers of other systems: Debian's, as they come, on the loopback, with a directory of their own.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::process::free_address;
use super::super::report;

type Error = Box<dyn std::error::Error>;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it looks whether a server listens.
const GLANCE: Duration = Duration::from_millis(10);

/// Another process may take a free port before the server does.
const TRIES: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// With JetStream, which costs subjects alone nothing. Files are written, and synced two minutes
    /// later: its default, and version 2.9 has no other.
    Nats,
    /// In memory alone.
    Redis,
    /// Every write is synced before it is acknowledged, like ours with SQLite.
    RedisSynced,
}

impl Kind {
    /// Debian's package, which is the program's name too.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Nats => "nats-server",
            Self::Redis | Self::RedisSynced => "redis-server",
        }
    }

    fn command(self, port: &str, home: &Path) -> Result<Command, Error> {
        let program = find(self.package()).ok_or_else(|| format!("no {}", self.package()))?;
        let mut command = Command::new(program);
        match self {
            Self::Nats => {
                command.args(["--addr", "127.0.0.1", "--port", port, "--jetstream"]);
                command.arg("--store_dir").arg(home);
            }
            Self::Redis | Self::RedisSynced => {
                command.args(["--bind", "127.0.0.1", "--port", port, "--save", "", "--dir"]);
                command.arg(home);
            }
        }
        if self == Self::RedisSynced {
            command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        }
        Ok(command)
    }
}

/// Where the program is: Debian has some where only root's `PATH` looks.
fn find(program: &str) -> Option<PathBuf> {
    [program.to_owned(), format!("/usr/sbin/{program}")]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_ok())
        .map(PathBuf::from)
}

/// Nothing where the program of this package is; where it is missing root installs it. Fails with why
/// it cannot be had.
pub(super) fn need(package: &str) -> Result<(), Error> {
    if find(package).is_some() {
        return Ok(());
    }
    if report::said("id", &["-u"])? != "0" {
        return Err(format!("there is no {package}, and only root can install it").into());
    }
    eprintln!("{package} is missing: apt-get install {package}");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", package]);
    // What it says is no figure.
    let status = install.stdout(Stdio::null()).status()?;
    match find(package) {
        Some(_) => Ok(()),
        None => Err(format!("there is no {package}, and apt-get ended with {status}").into()),
    }
}

/// A server that listens. It ends when this is dropped.
pub(super) struct Server {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Server {
    /// Starts it with its files in `home`.
    pub(super) fn start(kind: Kind, home: &Path) -> Result<Self, Error> {
        let mut failed: Error = "it was not tried".into();
        for _ in 0..TRIES {
            match Self::start_once(kind, home) {
                Ok(server) => return Ok(server),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn start_once(kind: Kind, home: &Path) -> Result<Self, Error> {
        let (address, log) = (free_address()?, home.join("log"));
        let output = File::create(&log)?;
        let child = kind
            .command(&address.port().to_string(), home)?
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut server = Self { child, address: address.to_string(), log };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(&server.address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                let (package, said) = (kind.package(), server.said());
                return Err(format!("{package} ended with {status}: {said}").into());
            }
            if Instant::now() >= until {
                return Err(format!("{} does not listen: {}", kind.package(), server.said()).into());
            }
            std::thread::sleep(GLANCE);
        }
        Ok(server)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The last lines of its log.
    pub(super) fn said(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
