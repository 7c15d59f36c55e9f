//! Who has a turn, and how its processes are started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Error;

/// One of our transports, and the library beneath it as `peers bare` calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pair {
    pub(super) scheme: &'static str,
    pub(super) library: &'static str,
}

pub(super) const PAIRS: [Pair; 5] = [
    Pair { scheme: "grpc", library: "tonic" },
    Pair { scheme: "grpcs", library: "tonic-tls" },
    Pair { scheme: "quic", library: "quinn" },
    Pair { scheme: "ws", library: "tungstenite" },
    Pair { scheme: "wss", library: "tungstenite-tls" },
];

/// What no library is faster than: a length before each message, over TCP and over TLS.
pub(super) const LIMITS: [&str; 2] = ["tcp", "tls"];

/// Somebody who has a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// A library with nothing on top.
    Bare(&'static str),
    /// `moorline bench`, over this transport.
    Ours(&'static str),
}

impl Side {
    /// The limits, and each library before our transport on top of it.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        LIMITS.into_iter().map(Self::Bare).chain(Self::pairs())
    }

    /// Each library before our transport on top of it.
    pub(super) fn pairs() -> impl Iterator<Item = Self> {
        PAIRS.into_iter().flat_map(|pair| [Self::Bare(pair.library), Self::Ours(pair.scheme)])
    }

    /// As people read it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Ours(scheme) => format!("moorline, {scheme}"),
            Self::Bare("tcp") => "length-prefixed TCP".to_owned(),
            Self::Bare("tls") => "length-prefixed TLS".to_owned(),
            Self::Bare(library) => match library.strip_suffix("-tls") {
                Some(library) => format!("bare {library}, TLS"),
                None => format!("bare {library}"),
            },
        }
    }

    pub(super) fn is_encrypted(self) -> bool {
        match self {
            Self::Bare(library) => {
                library == "quinn" || library == "tls" || library.ends_with("-tls")
            }
            Self::Ours(scheme) => ["grpcs", "quic", "wss"].contains(&scheme),
        }
    }

    /// Whether it travels as datagrams.
    pub(super) fn is_udp(self) -> bool {
        matches!(self, Self::Bare("quinn") | Self::Ours("quic"))
    }
}

/// A certificate for this machine, and that of who signed it.
pub(super) struct Pki(PathBuf);

impl Pki {
    pub(super) fn new(moorline: &Path, home: &Path) -> Result<Self, Error> {
        let run = |args: &[&str]| -> Result<(), Error> {
            let made = Command::new(moorline).arg("cert").args(args).current_dir(home).output()?;
            match made.status.success() {
                true => Ok(()),
                false => Err(format!("moorline cert: {}", String::from_utf8_lossy(&made.stderr)))?,
            }
        };
        run(&["init", "--dir", "ca"])?;
        let names = ["--coordinator", "--san", "127.0.0.1", "--san", "localhost"];
        run(&[&["issue", "bench", "--dir", "ca"], &names[..]].concat())?;
        Ok(Self(home.to_owned()))
    }

    pub(super) fn cert(&self) -> PathBuf {
        self.0.join("bench.pem")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.0.join("bench.key")
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.0.join("ca/ca.pem")
    }
}

/// The programs that play both sides.
pub(super) struct Programs {
    pub(super) moorline: PathBuf,
    pub(super) messages: PathBuf,
    pub(super) peers: PathBuf,
    pub(super) pki: Pki,
}

impl Programs {
    /// `moorline bench ROLE SCHEME`, or `peers bare LIBRARY ROLE`, at this address.
    fn role(&self, side: Side, role: &str, address: &str) -> Command {
        let mut command = match side {
            Side::Ours(scheme) => {
                let mut command = Command::new(&self.moorline);
                command.args(["bench", role, scheme]);
                command
            }
            Side::Bare(library) => {
                let mut command = Command::new(&self.peers);
                command.args(["bare", library, role]);
                command
            }
        };
        command.arg(address);
        command
    }

    fn proving(&self, side: Side, mut command: Command) -> Command {
        if side.is_encrypted() {
            command.arg("--tls-cert").arg(self.pki.cert()).arg("--tls-key").arg(self.pki.key());
        }
        command
    }

    fn believing(&self, side: Side, mut command: Command) -> Command {
        if side.is_encrypted() {
            command.arg("--tls-ca").arg(self.pki.ca());
        }
        command
    }

    /// Whole tasks through ours, messages through a library: the side that measures, and the other.
    pub(super) fn load(
        &self,
        side: Side,
        address: &str,
        window: u32,
        seconds: u64,
    ) -> [Command; 2] {
        let (submit, work) = match side {
            Side::Ours(_) => ("coordinator", "worker"),
            Side::Bare(_) => ("submit", "work"),
        };
        let mut submit = self.role(side, submit, address);
        submit.args(["--window", &window.to_string(), "--seconds", &seconds.to_string()]);
        [self.proving(side, submit), self.believing(side, self.role(side, work, address))]
    }

    /// Reliable messages alone over this transport of ours: the side that measures, and the other.
    pub(super) fn messages(
        &self,
        scheme: &'static str,
        address: &str,
        window: u32,
        seconds: u64,
    ) -> [Command; 2] {
        let url = format!("{scheme}://{address}");
        let (mut submit, mut answer) = (Command::new(&self.messages), Command::new(&self.messages));
        submit.args(["--messages", &url, &window.to_string(), &seconds.to_string()]);
        answer.args(["--mirror", &url]);
        if Side::Ours(scheme).is_encrypted() {
            submit.arg(self.pki.cert()).arg(self.pki.key());
            answer.arg(self.pki.ca());
        }
        [submit, answer]
    }

    /// Who only listens and answers; ours keeps its state in this file, if any.
    pub(super) fn serve(&self, side: Side, address: &str, store: Option<&Path>) -> Command {
        let mut serve = self.role(side, "serve", address);
        if let (Side::Ours(_), Some(file)) = (side, store) {
            serve.arg("--store").arg(format!("sqlite:{}", file.display()));
        }
        self.proving(side, serve)
    }

    /// So many who dial there, with a heartbeat each so often.
    pub(super) fn fleet(
        &self,
        side: Side,
        address: &str,
        workers: u32,
        every: Duration,
    ) -> Command {
        let mut fleet = self.role(side, "fleet", address);
        let every = every.as_millis().to_string();
        fleet.args([&workers.to_string(), "--heartbeat-ms", &every]);
        self.believing(side, fleet)
    }
}
