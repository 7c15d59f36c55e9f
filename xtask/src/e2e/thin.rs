//! Fifty megabytes of results over a thin line: too long for the tests that run all the time.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::must;
use crate::write::root;

/// The test, which sends a few megabytes where nothing else is asked for.
const TEST: &str = "slow::megabytes_of_results_over_a_thin_line_delay_no_heartbeat";
/// So many are sent here.
const MEGABYTES: u32 = 50;
/// They need 80 s at 5 Mbit/s; a machine that is busy with other things needs longer.
const LIMIT: Duration = Duration::from_secs(300);

/// Builds the test and runs it, for so long at most.
pub(super) fn run() -> Result<(), String> {
    let program = build()?;
    println!("e2e: {TEST} with {MEGABYTES} MB at 5 Mbit/s: 80 s at least, {LIMIT:?} at most");
    let begun = Instant::now();
    let child = Command::new(&program)
        .args(["--exact", TEST, "--nocapture"])
        .env("MOORLINE_TEST_MEGABYTES", MEGABYTES.to_string())
        .current_dir(root().join("crates/moorline"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What it starts is in its group: nothing of it outlives this.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let (status, said) = ended(child, begun + LIMIT)?;
    if !status.success() {
        let why = status.signal().map_or(String::new(), |_| format!(", after {LIMIT:?}"));
        return Err(format!("{TEST}: {status}{why}\n{said}"));
    }
    // A name that no test has is no error of a test program.
    if !said.contains("1 passed") {
        return Err(format!("{TEST} was not run\n{said}"));
    }
    println!("e2e: all of it arrived after {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// The program of the tests with real processes.
fn build() -> Result<PathBuf, String> {
    let output = must(Command::new(env!("CARGO")).current_dir(root()).args([
        "test",
        "--quiet",
        "--package",
        "moorline",
        "--test",
        "process",
        "--no-run",
        "--message-format=json",
    ]))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut programs = text.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "process" && message["profile"]["test"] == true;
        is_it.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    programs.next_back().ok_or_else(|| "cargo test --no-run named no test program".to_owned())
}

/// Waits for its end, and kills its whole group when it is too late.
fn ended(mut child: Child, until: Instant) -> Result<(ExitStatus, String), String> {
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        // What was read before an error is all there is to say.
        let _ = stdout.map(|mut stdout| stdout.read_to_string(&mut said));
        said
    });
    let mut killed = false;
    let status = loop {
        let ended = child.try_wait().map_err(|error| format!("{TEST}: {error}"))?;
        if let Some(status) = ended {
            break status;
        }
        if Instant::now() >= until && !std::mem::replace(&mut killed, true) {
            must(Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]))?;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let said = reader.join().map_err(|_| "the reader of a test's words panicked".to_owned())?;
    Ok((status, said))
}
