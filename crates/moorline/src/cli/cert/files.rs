//! Files of keys and certificates: each is there as a whole or not at all, whoever reads it meanwhile.

use std::fs::{File, Permissions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Code, Error, Result};

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Readers {
    /// Its owner alone: it is a key.
    Owner,
    /// Everybody: a certificate is no secret.
    All,
}

/// A file that is complete and has no name yet: dropped, there was none.
pub(super) struct Pending {
    file: NamedTempFile,
    path: PathBuf,
}

impl Pending {
    /// Writes text beside where it is to be.
    ///
    /// # Errors
    /// The directory or its disk does not take it.
    pub(super) fn new(path: &Path, text: &str, readers: Readers) -> Result<Self> {
        let directory = directory_of(path);
        let write = || {
            // Readable by its owner alone, until it is said otherwise.
            let mut file = NamedTempFile::new_in(directory)?;
            file.write_all(text.as_bytes())?;
            if readers == Readers::All {
                readable_by_all(file.as_file())?;
            }
            file.as_file().sync_all()?;
            Ok(file)
        };
        let file = write().map_err(|source| unwritable(path, source))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Gives it to the owner of the file whose place it is to take, and lets the same read it.
    ///
    /// # Errors
    /// That owner is somebody else, and this process may not give files away.
    pub(super) fn like_the_old(self) -> Result<Self> {
        keep_owner(&self.path, &self.file).map_err(|source| unwritable(&self.path, source))?;
        Ok(self)
    }

    /// Gives it its name, unless another file has that.
    ///
    /// # Errors
    /// [`Code::CERT_EXISTS`] for that, or the disk does not take it.
    pub(super) fn create(self) -> Result<()> {
        let path = self.path;
        match self.file.persist_noclobber(&path) {
            Ok(_) => settle(&path),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(exists(&path))
            }
            Err(error) => Err(unwritable(&path, error.error)),
        }
    }

    /// Gives it its name in one step: whoever opens that has the old file or the new one.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn replace(self) -> Result<()> {
        let path = self.path;
        self.file.persist(&path).map_err(|error| unwritable(&path, error.error))?;
        settle(&path)
    }
}

/// There is such a file.
pub(super) fn exists(path: &Path) -> Error {
    let detail = format!("{} is there already", path.display());
    Error::Command { code: Code::CERT_EXISTS, detail }
}

pub(super) fn unwritable(path: &Path, source: std::io::Error) -> Error {
    Error::WriteFile { path: path.to_owned(), source }
}

fn directory_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// A name that was given is there after a crash as well.
fn settle(path: &Path) -> Result<()> {
    let directory = File::open(directory_of(path));
    directory.and_then(|directory| directory.sync_all()).map_err(|source| unwritable(path, source))
}

#[cfg(unix)]
fn readable_by_all(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(file: &File) -> std::io::Result<()> {
    let _: Permissions = file.metadata()?.permissions();
    Ok(())
}

#[cfg(unix)]
fn keep_owner(old: &Path, file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (old, new) = (old.metadata()?, file.as_file().metadata()?);
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        std::os::unix::fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
    }
    file.as_file().set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn keep_owner(old: &Path, file: &NamedTempFile) -> std::io::Result<()> {
    file.as_file().set_permissions(old.metadata()?.permissions())
}
