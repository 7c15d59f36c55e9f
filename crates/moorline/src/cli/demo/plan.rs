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
/// Files of a directory that was given: more would not be done in a minute.
const FILES_GIVEN: usize = 1_000;
/// Files of a tree that nobody has asked for.
const FILES_FOUND: usize = 96;
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
    /// Files of the directory that cannot be hashed.
    unfit: usize,
    /// There are more files than are taken.
    more: bool,
    /// How many tasks a worker runs at once.
    pub(super) slots: u16,
    /// How long each task takes at least.
    pub(super) pace: Duration,
}

impl Plan {
    /// Chooses the files and hashes them.
    pub(super) fn new(args: &Args, home: &Path) -> Result<Self> {
        let max = args.tasks.map(|tasks| usize::try_from(tasks).unwrap_or(usize::MAX));
        let (directory, found) = match &args.directory {
            Some(directory) => {
                let directory = std::path::absolute(directory)
                    .and_then(|directory| directory.canonicalize())
                    .map_err(|source| Error::Input { path: directory.clone(), source })?;
                let found = hashed(&directory, max.unwrap_or(FILES_GIVEN))
                    .map_err(|source| Error::Input { path: directory.clone(), source })?;
                (directory, found)
            }
            // Nobody misses a file of a tree that was chosen here.
            None => {
                let (directory, found) = some_tree(max.unwrap_or(FILES_FOUND), home)?;
                (directory, Found { unfit: 0, more: false, ..found })
            }
        };
        let Found { files, unfit, more } = found;
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
        let pace = pace(args.work, files.len(), slots);
        Ok(Self { directory, files, unfit, more, slots, pace })
    }

    /// Which files of the directory make no task, if there are any.
    pub(super) fn left_out(&self) -> Option<String> {
        let (taken, unfit) = (self.files.len(), self.unfit);
        let unfit = (unfit > 0)
            .then(|| format!("{unfit} files cannot be read or are larger than 16 MiB: left out"));
        let more = self.more.then(|| format!("only {taken} files are taken: --tasks takes more"));
        let both: Vec<_> = [unfit, more].into_iter().flatten().collect();
        (!both.is_empty()).then(|| both.join("; "))
    }
}

/// How long one task must take so that all of them take `work` on all slots.
fn pace(work: Duration, files: usize, slots: u16) -> Duration {
    let at_once = WORKERS * usize::from(slots);
    let rounds = files.div_ceil(at_once);
    work / u32::try_from(rounds).unwrap_or(u32::MAX).max(1)
}

/// The first tree of this machine with enough files, else one that is made here.
fn some_tree(max: usize, home: &Path) -> Result<(PathBuf, Found)> {
    for tree in TREES {
        // A tree that is not there, or may not be read, is not the one.
        let found = hashed(Path::new(tree), max).unwrap_or_default();
        if found.files.len() >= FILES_FOR_TWO.min(max) {
            return Ok((tree.into(), found));
        }
    }
    let directory = home.join("files");
    let failed = |source| Error::Input { path: directory.clone(), source };
    generate(&directory, max).map_err(failed)?;
    let found = hashed(&directory, max).map_err(failed)?;
    Ok((directory, found))
}

/// What is below a directory.
#[derive(Debug, Default)]
struct Found {
    /// Files with their hashes.
    files: Vec<(PathBuf, String)>,
    /// So many cannot be read, or are too large.
    unfit: usize,
    /// There are more than were looked at.
    more: bool,
}

/// The first files below a directory with their hashes; what cannot be read or is too large is left out.
fn hashed(directory: &Path, max: usize) -> io::Result<Found> {
    let mut found = Found::default();
    for file in files::below(directory, 4 * max)? {
        if found.files.len() == max {
            found.more = true;
            break;
        }
        let small = file.metadata().is_ok_and(|metadata| metadata.len() <= FILE_MAX);
        match small.then(|| hash_file::hash(&file).ok()).flatten() {
            Some(hash) => found.files.push((file, hash)),
            None => found.unfit += 1,
        }
    }
    Ok(found)
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

    use clap::Parser;

    use super::{FILES_GIVEN, Plan, generate, hashed, pace};
    use crate::cli::demo::Args;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn plan(line: &[&str], home: &std::path::Path) -> crate::Result<Plan> {
        let line = ["demo"].iter().chain(line);
        Plan::new(&Command::try_parse_from(line).unwrap().args, home)
    }

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
        let mut files = hashed(home.path(), 100).unwrap().files;
        assert_eq!(files.len(), 20);
        files.sort_by(|a, b| a.1.cmp(&b.1));
        files.dedup_by(|a, b| a.1 == b.1);
        assert_eq!(files.len(), 20);
        assert_eq!(hashed(home.path(), 5).unwrap().files.len(), 5);
    }

    #[test]
    fn every_file_of_a_given_directory_is_taken_and_what_is_not_is_said() {
        let (home, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directory = given.path().to_str().unwrap();
        generate(given.path(), 120).unwrap();
        let all = plan(&[directory], home.path()).unwrap();
        assert_eq!((all.files.len(), all.left_out()), (120, None));

        std::fs::File::create(given.path().join("large")).unwrap().set_len(17 << 20).unwrap();
        let fit = plan(&[directory], home.path()).unwrap();
        assert_eq!(fit.files.len(), 120);
        assert!(fit.left_out().unwrap().starts_with("1 files cannot be read or are larger"));
        let few = plan(&[directory, "--tasks", "8"], home.path()).unwrap();
        assert_eq!(few.files.len(), 8);
        assert_eq!(few.left_out().unwrap(), "only 8 files are taken: --tasks takes more");

        for n in 0..=FILES_GIVEN {
            std::fs::write(given.path().join(format!("small-{n}")), n.to_string()).unwrap();
        }
        assert_eq!(plan(&[directory], home.path()).unwrap().files.len(), FILES_GIVEN);
    }

    #[test]
    fn a_directory_with_too_few_files_for_four_faults_is_refused() {
        let home = tempfile::tempdir().unwrap();
        generate(&home.path().join("few"), 7).unwrap();
        let few = home.path().join("few");
        let error = plan(&[few.to_str().unwrap()], home.path()).unwrap_err();
        assert!(error.to_string().contains("has 7 files"), "{error}");
    }
}
