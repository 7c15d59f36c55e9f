//! The processes that are measured, and what the kernel says of them.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

type Error = Box<dyn std::error::Error>;

/// Ends with its value.
pub(super) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(super) fn start(program: &Path, args: &[&str]) -> Result<Self, Error> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    /// The next line it prints.
    pub(super) fn line(&mut self) -> Result<String, Error> {
        Ok(self.lines.next().ok_or("it ended before it said what it had to")??)
    }

    /// Waits until it prints this line.
    pub(super) fn until(&mut self, wanted: &str) -> Result<(), Error> {
        while self.line()? != wanted {}
        Ok(())
    }

    /// Asks it by an empty line, and returns what it answers.
    pub(super) fn ask(&mut self) -> Result<String, Error> {
        let stdin = self.child.stdin.as_mut().ok_or("no stdin")?;
        stdin.write_all(b"\n")?;
        stdin.flush()?;
        loop {
            let line = self.line()?;
            if line.starts_with('{') {
                return Ok(line);
            }
        }
    }

    /// SIGKILL, and until it is gone.
    pub(super) fn kill(mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Memory that it has in use, in bytes.
    pub(super) fn memory(&self) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).ok_or("no VmRSS")?;
        Ok(kib.trim().parse::<u64>()? * 1_024)
    }

    /// What its threads have run so far, in nanoseconds.
    pub(super) fn cpu(&self) -> Result<u64, Error> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let said = fs::read_to_string(thread?.path().join("schedstat"))?;
            sum += said.split(' ').next().ok_or("an empty schedstat")?.parse::<u64>()?;
        }
        Ok(sum)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine that nobody listens at.
pub(super) fn free_address() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The middle one, of an odd number of figures.
pub(super) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
