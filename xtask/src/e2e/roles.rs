//! Both roles, really running, and what they tell.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::must;
use crate::write::{root, target};

/// How long anything may take.
const SOON: Duration = Duration::from_secs(60);

/// Builds the command.
pub(super) fn build() -> Result<PathBuf, String> {
    must(Command::new(env!("CARGO")).current_dir(root()).args([
        "build",
        "--quiet",
        "--package",
        "moorline",
        "--bin",
        "moorline",
    ]))?;
    let binary = target().join("debug/moorline");
    binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))
}

/// Ends with the test, however that ends.
pub(super) struct Role(Child);

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn start(binary: &Path, args: &[String]) -> Result<Role, String> {
    let name = binary.file_name().unwrap_or_default().display();
    println!("e2e: {name} {}", args.join(" "));
    let command = &mut Command::new(binary);
    let command =
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(Role).map_err(|error| format!("{}: {error}", binary.display()))
}

/// The metrics of a worker that has done a task and of its coordinator.
pub(super) fn pages(binary: &Path) -> Result<Vec<(String, String)>, String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let ports = [free()?, free()?, free()?, free()?];
    let [listen, admin, of_coordinator, of_worker] = ports.map(|at| at.to_string());
    let _coordinator = start(
        binary,
        &[
            "coordinator".to_owned(),
            format!("--listen=grpc://{listen}"),
            format!("--admin-listen={admin}"),
            format!("--health-listen={of_coordinator}"),
            format!("--store=sqlite:{}", home.path().join("store.db").display()),
        ],
    )?;
    ready(ports[2])?;
    let _worker = start(
        binary,
        &[
            "worker".to_owned(),
            "--name=w1".to_owned(),
            format!("--coordinator=grpc://{listen}"),
            format!("--data-dir={}", home.path().join("w1").display()),
            format!("--health-listen={of_worker}"),
            "--handler=work=cat".to_owned(),
            "--heartbeat-interval=1s".to_owned(),
            "--heartbeat-timeout=3s".to_owned(),
        ],
    )?;
    ready(ports[3])?;
    must(
        Command::new(binary)
            .args(["task", "submit", "work", "--input", "x", "--wait"])
            .args(["--timeout=60s".to_owned(), format!("--server=http://{admin}")]),
    )?;
    let of = |role: &str, at: SocketAddr| {
        let (status, body) = get(at, "/metrics").map_err(|error| format!("{at}: {error}"))?;
        if status == 200 { Ok((role.to_owned(), body)) } else { Err(format!("{at}: {status}")) }
    };
    Ok(vec![of("coordinator", ports[2])?, of("worker", ports[3])?])
}

pub(super) fn free() -> Result<SocketAddr, String> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map_err(|error| error.to_string())
}

pub(super) fn ready(at: SocketAddr) -> Result<(), String> {
    let until = Instant::now() + SOON;
    loop {
        let answer = get(at, "/readyz");
        if answer.as_ref().is_ok_and(|(status, _)| *status == 200) {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(format!("{at} is not ready: {answer:?}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(super) fn get(at: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(SOON))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}
