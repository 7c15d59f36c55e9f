//! The processes that are measured, and what the kernel says of them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

type Error = Box<dyn std::error::Error>;

/// How often it looks whether a process has ended.
const GLANCE: Duration = Duration::from_millis(10);

/// A process whose lines are read, and which does not outlive its owner.
pub(super) struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts it. What it says goes to [`Self::line`], what it complains about to our stderr.
    pub(super) fn start(command: &mut Command) -> Result<Self, Error> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().ok_or("a child without stdout")?;
        let (sender, lines) = channel();
        // Ends with the child.
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// The next line it says.
    pub(super) fn line(&self, patience: Duration) -> Result<String, Error> {
        self.lines.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => format!("it said nothing for {patience:?}").into(),
            RecvTimeoutError::Disconnected => "it ended before it said anything".into(),
        })
    }

    /// Waits until it says this.
    pub(super) fn until(&self, wanted: &str, patience: Duration) -> Result<(), Error> {
        while self.line(patience)? != wanted {}
        Ok(())
    }

    /// Asks it by an empty line, and returns the object it answers.
    pub(super) fn ask(&mut self, patience: Duration) -> Result<String, Error> {
        self.child.stdin.as_mut().ok_or("no stdin")?.write_all(b"\n")?;
        loop {
            let line = self.line(patience)?;
            if line.starts_with('{') {
                return Ok(line);
            }
        }
    }

    /// Waits until it has ended well.
    pub(super) fn ends(mut self, patience: Duration) -> Result<(), Error> {
        let until = Instant::now() + patience;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(status.to_string().into()),
                None if Instant::now() >= until => return Err("it does not end".into()),
                None => std::thread::sleep(GLANCE),
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
