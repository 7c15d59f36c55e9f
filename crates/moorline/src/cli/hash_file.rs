//! `moorline hash-file`: the demo's handler, a child process like any other.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::exit::Exit;
use super::values::duration;
use super::{Outcome, output};
use crate::Error;

/// How often it looks whether its worker is still there.
const GLANCE: Duration = Duration::from_millis(20);

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Take at least so long.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pace: Duration,
}

pub(super) async fn run(args: Args) -> Outcome {
    let worker = rustix::process::getppid();
    let end = Instant::now() + args.pace;
    let mut path = Vec::new();
    std::io::stdin().lock().read_to_end(&mut path).map_err(|error| unreadable("stdin", error))?;
    let path = Path::new(OsStr::from_bytes(&path));
    let hash = hash(path).map_err(|error| unreadable(path, error))?;
    while Instant::now() < end {
        // A worker that was killed leaves its children to another parent: nobody waits for the result.
        if rustix::process::getppid() != worker {
            return Ok(Exit::Failed);
        }
        tokio::time::sleep(GLANCE.min(end.saturating_duration_since(Instant::now()))).await;
    }
    output::bytes(hash.as_bytes())?;
    Ok(Exit::Done)
}

fn unreadable(path: impl AsRef<Path>, source: std::io::Error) -> Error {
    Error::Input { path: path.as_ref().to_owned(), source }
}

/// The SHA-256 of a file in hexadecimal digits.
pub(super) fn hash(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut digest = Sha256::new();
    std::io::copy(&mut file, &mut digest)?;
    let bytes = digest.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn a_hash_is_the_one_of_the_standard() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(&file).unwrap(), expected);
        assert!(hash(&home.path().join("nowhere")).is_err());
    }
}
