//! What is hashed, and how slowly.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Args;
use crate::cli::{files, hash_file};
use crate::{Error, Result};

/// Fewer files than this do not last for four faults.
pub(super) const FILES_MIN: u32 = 8;
/// From so many files on every worker runs two at once.
const FILES_FOR_TWO: usize = 24;
/// How many workers there are.
pub(super) const WORKERS: usize = 3;
/// Larger files are left out: the demo is about faults, not about disks.
const FILE_MAX: u64 = 16 << 20;
/// Trees with many small files that most machines have.
const TREES: [&str; 4] = ["/usr/share/doc", "/usr/include", "/usr/share/man", "/usr/share"];

/// The work: files with the hashes they must turn out to have.
#[derive(Debug)]
pub(super) struct Plan {
    /// Where the files are, for people.
    pub(super) directory: PathBuf,
    /// Each file and its SHA-256, computed here.
    pub(super) files: Vec<(PathBuf, String)>,
    /// How many tasks a worker runs at once.
    pub(super) slots: u16,
    /// How long each task takes at least.
    pub(super) pace: Duration,
}

impl Plan {
    /// Chooses the files and hashes them.
    pub(super) fn new(args: &Args, home: &Path) -> Result<Self> {
        let max = usize::try_from(args.tasks).unwrap_or(usize::MAX);
        let (directory, files) = match &args.directory {
            Some(directory) => {
                let directory = std::path::absolute(directory)
                    .and_then(|directory| directory.canonicalize())
                    .map_err(|source| Error::Input { path: directory.clone(), source })?;
                let files = hashed(&directory, max)
                    .map_err(|source| Error::Input { path: directory.clone(), source })?;
                (directory, files)
            }
            None => some_tree(max, home)?,
        };
        let least = usize::try_from(FILES_MIN).unwrap_or(usize::MAX);
        if files.len() < least {
            let problem = format!(
                "{} has {} files that can be hashed; four faults need at least {least}",
                directory.display(),
                files.len()
            );
            return Err(Error::setting("DIR", problem));
        }
        let slots = if files.len() < FILES_FOR_TWO { 1 } else { 2 };
        Ok(Self { pace: pace(args.work, files.len(), slots), slots, directory, files })
    }
}

/// How long one task must take so that all of them take `work` on all slots.
fn pace(work: Duration, files: usize, slots: u16) -> Duration {
    let at_once = WORKERS * usize::from(slots);
    let rounds = files.div_ceil(at_once);
    work / u32::try_from(rounds).unwrap_or(u32::MAX).max(1)
}

/// The first tree of this machine with enough files, else one that is made here.
fn some_tree(max: usize, home: &Path) -> Result<(PathBuf, Vec<(PathBuf, String)>)> {
    for tree in TREES {
        // A tree that is not there, or may not be read, is not the one.
        let files = hashed(Path::new(tree), max).unwrap_or_default();
        if files.len() >= FILES_FOR_TWO.min(max) {
            return Ok((tree.into(), files));
        }
    }
    let directory = home.join("files");
    let failed = |source| Error::Input { path: directory.clone(), source };
    generate(&directory, max).map_err(failed)?;
    let files = hashed(&directory, max).map_err(failed)?;
    Ok((directory, files))
}

/// Files below a directory with their hashes; what cannot be read or is too large is left out.
fn hashed(directory: &Path, max: usize) -> io::Result<Vec<(PathBuf, String)>> {
    let mut hashed = Vec::new();
    for file in files::below(directory, 4 * max)? {
        let small = file.metadata().is_ok_and(|metadata| metadata.len() <= FILE_MAX);
        if let Some(hash) = small.then(|| hash_file::hash(&file).ok()).flatten() {
            hashed.push((file, hash));
        }
        if hashed.len() == max {
            break;
        }
    }
    Ok(hashed)
}

/// So many files of different sizes.
fn generate(directory: &Path, count: usize) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for n in 0..count {
        let mut file = File::create(directory.join(format!("file-{n:04}")))?;
        for line in 0..=(n * n % 997) {
            io::Write::write_all(&mut file, format!("file {n}, line {line}\n").as_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{generate, hashed, pace};

    #[test]
    fn the_pace_makes_all_files_last_as_long_as_asked_for() {
        let work = Duration::from_secs(20);
        assert_eq!(pace(work, 96, 2), work / 16);
        assert_eq!(pace(work, 97, 2), work / 17);
        assert_eq!(pace(work, 8, 1), work / 3);
        assert_eq!(pace(work, 1, 1), work);
    }

    #[test]
    fn a_generated_tree_has_as_many_different_files_as_asked_for() {
        let home = tempfile::tempdir().unwrap();
        generate(home.path(), 20).unwrap();
        let mut files = hashed(home.path(), 100).unwrap();
        assert_eq!(files.len(), 20);
        files.sort_by(|a, b| a.1.cmp(&b.1));
        files.dedup_by(|a, b| a.1 == b.1);
        assert_eq!(files.len(), 20);
        assert_eq!(hashed(home.path(), 5).unwrap().len(), 5);
    }
}
