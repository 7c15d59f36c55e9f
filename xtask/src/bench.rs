//! `bench`: the figures of docs/performance.md, peers beside them in the same run.

use std::process::Command;

use crate::Outcome;

pub(crate) fn run(args: &[String]) -> Outcome {
    for (package, bench) in [("moorline-link", "heartbeat"), ("moorline-driver", "tasks")] {
        let status = Command::new(env!("CARGO"))
            .args(["bench", "--quiet", "--package", package, "--bench", bench, "--"])
            .args(args)
            .status()?;
        if !status.success() {
            return Err(format!("{bench}: {status}").into());
        }
    }
    Ok(())
}
