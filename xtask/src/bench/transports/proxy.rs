//! `moorline chaos proxy`, steered and asked over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::super::process::Process;
use super::Error;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(20);

pub(super) struct Proxy {
    /// Who dials it reaches the target.
    pub(super) address: String,
    control: String,
    _process: Process,
}

impl Proxy {
    pub(super) fn start(moorline: &Path, is_udp: bool, target: &str) -> Result<Self, Error> {
        let kind = if is_udp { "udp" } else { "tcp" };
        let listen = format!("{kind}://127.0.0.1:0");
        let mut command = Command::new(moorline);
        command.args(["chaos", "proxy", "-o", "json", "--listen", &listen, "--to", target]);
        let process = Process::start(command.args(["--control", "127.0.0.1:0"]))?;
        let started: Value = serde_json::from_str(&process.line(SOON)?)?;
        let text = |key: &str| started[key].as_str().ok_or_else(|| format!("no {key}: {started}"));
        let control = text("control")?.trim_start_matches("http://").to_owned();
        Ok(Self { address: text(kind)?.to_owned(), control, _process: process })
    }

    /// Makes a change: `reset`, `half-open`, `heal`.
    pub(super) fn change(&self, verb: &str) -> Result<(), Error> {
        self.ask("POST", verb).map(|_| ())
    }

    /// Bytes that have come out so far: to the target, and back.
    pub(super) fn bytes(&self) -> Result<[u64; 2], Error> {
        bytes(&self.ask("GET", "status")?)
    }

    fn ask(&self, method: &str, path: &str) -> Result<Value, Error> {
        let mut stream = TcpStream::connect(&self.control)?;
        stream.set_read_timeout(Some(SOON))?;
        let host = &self.control;
        write!(
            stream,
            "{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        body(&said)
    }
}

/// What the proxy has counted.
pub(super) fn bytes(status: &Value) -> Result<[u64; 2], Error> {
    let of = |way: &str| status[way]["bytes"].as_u64().ok_or_else(|| format!("no {way}: {status}"));
    Ok([of("to_target")?, of("back")?])
}

/// The JSON of an answer that is one.
pub(super) fn body(answer: &str) -> Result<Value, Error> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a head")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("the proxy refused: {answer}").into());
    }
    Ok(serde_json::from_str(body)?)
}
