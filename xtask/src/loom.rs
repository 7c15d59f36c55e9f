//! `loom`: every interleaving of what threads share, within a bound on preemptions.
//!
//! `crates/sync` has nothing beneath it, so it is built alone with `--cfg loom`, in a target directory of
//! its own: the flag reaches everything that is built, and tokio has no sockets with it.

use std::process::Command;

use crate::Outcome;
use crate::write::root;

/// Times a thread may be interrupted where it could have gone on: loom's own documentation finds 2 or 3
/// enough for most faults, and each one more multiplies the time.
const PREEMPTIONS: &str = "3";

pub(crate) fn run(args: &[String]) -> Outcome {
    let (mut test, mut preemptions) = (None, PREEMPTIONS.to_owned());
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--preemptions" => {
                let number = rest.next().ok_or("--preemptions takes a number")?;
                number.parse::<u8>().map_err(|error| format!("--preemptions {number}: {error}"))?;
                preemptions.clone_from(number);
            }
            name if test.is_none() && !name.starts_with('-') => test = Some(name),
            other => return Err(format!("does not know {other:?}").into()),
        }
    }
    let status = Command::new(env!("CARGO"))
        .args(["test", "--package", "moorline-sync", "--test", "loom"])
        .args(test)
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", root().join("target/loom"))
        .env("LOOM_MAX_PREEMPTIONS", preemptions)
        .current_dir(root())
        .status()?;
    if !status.success() {
        return Err("an interleaving breaks a test, or a wake is lost".into());
    }
    Ok(())
}
