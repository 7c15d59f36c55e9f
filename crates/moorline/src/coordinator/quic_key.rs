//! The key of a coordinator's QUIC connections: beside its store, so that the next life of the same
//! coordinator has it, and no other coordinator.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Bytes of a key.
const LEN: usize = 32;

/// The key beside this store, made if it is not there: beside the file itself, by whichever link it was
/// named. The store's lock is held, so nobody else makes one at the same time.
///
/// # Errors
/// [`Error::QuicKey`].
pub(super) fn beside(store: &Path) -> Result<[u8; LEN]> {
    let failed = |source| Error::QuicKey { path: store.to_owned(), source };
    let mut path = store.canonicalize().map_err(failed)?.into_os_string();
    path.push(".quic-key");
    let path = PathBuf::from(path);
    read_or_make(&path).map_err(|source| Error::QuicKey { path, source })
}

fn read_or_make(path: &Path) -> io::Result<[u8; LEN]> {
    match File::open(path) {
        Ok(file) => read(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        Err(error) => Err(error),
    }
}

fn read(file: &File) -> io::Result<[u8; LEN]> {
    let mut bytes = Vec::with_capacity(LEN + 1);
    file.take(LEN as u64 + 1).read_to_end(&mut bytes)?;
    let key = bytes.try_into().map_err(|_| {
        let problem = "it is damaged; remove it, and a new one is made";
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })?;
    only_for_its_owner(file)?;
    Ok(key)
}

/// After this the file is there whole, or not at all, also after a power cut.
fn make(path: &Path) -> io::Result<[u8; LEN]> {
    let mut key = [0; LEN];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut half = path.as_os_str().to_owned();
    half.push(".new");
    // What an earlier life did not finish has whatever permissions.
    match fs::remove_file(&half) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut new = options.open(&half)?;
    new.write_all(&key)?;
    new.sync_all()?;
    fs::rename(&half, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(key)
}

/// A copy of a store may have brought other permissions along.
#[cfg(unix)]
fn only_for_its_owner(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    file.set_permissions(PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn only_for_its_owner(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
