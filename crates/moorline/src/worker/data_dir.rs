//! The worker's data directory: its identity, and a lock so that only one process has it. Its journal is
//! in it too, in a file of its own: one that is damaged does not take the identity along.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use moorline_link::WorkerId;

use crate::{Error, Result};

/// An open data directory. The lock is held as long as the value lives; the operating system
/// releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataDir {
    #[cfg(feature = "journal")]
    path: PathBuf,
    worker: WorkerId,
    _lock: File,
}

impl DataDir {
    /// Opens the directory, making it and its identity if they are not there.
    ///
    /// # Errors
    /// [`Error::DataDirInUse`] if another process has it, [`Error::DataDir`] otherwise.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::DataDir { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::DataDirInUse { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let worker = identity(path).map_err(failed)?;
        Ok(Self {
            #[cfg(feature = "journal")]
            path: path.to_owned(),
            worker,
            _lock: lock,
        })
    }

    /// Where it is.
    #[cfg(feature = "journal")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Who lives here.
    pub(crate) fn worker(&self) -> WorkerId {
        self.worker
    }
}

/// Reads the identity, or makes one. The lock is held, so nobody else does the same.
fn identity(path: &Path) -> io::Result<WorkerId> {
    let file = path.join("identity");
    match fs::read_to_string(&file) {
        Ok(text) => parse(&text).ok_or_else(|| {
            let problem = format!(
                "{} is damaged; if this worker is to be a new one, remove it",
                file.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, problem)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut random = [0; 16];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let worker = WorkerId(u128::from_le_bytes(random));
            write_durably(path, &file, &format!("{:032x}\n", worker.0))?;
            Ok(worker)
        }
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<WorkerId> {
    let digits = text.strip_suffix('\n')?;
    let whole = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| u128::from_str_radix(digits, 16).ok().map(WorkerId)).flatten()
}

/// After this the file is there whole, or not at all, also after a power cut.
fn write_durably(directory: &Path, file: &Path, text: &str) -> io::Result<()> {
    let half: PathBuf = directory.join("identity.new");
    let mut new = File::create(&half)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(&half, file)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
