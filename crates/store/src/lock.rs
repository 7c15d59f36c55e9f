//! One process per store, kept by the kernel.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The right to use the store beside whose file it lies: `FILE.lock`.
///
/// It ends with this value or its process, however that ends (SIGKILL too). The file stays: deleting it
/// would let two processes lock two files of one name.
#[derive(Debug)]
pub(crate) struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock of the store in this file, or says who has it.
    pub(crate) fn acquire(store: &Path) -> Result<Self, StoreError> {
        let path = lock_path(store);
        let io = |error: std::io::Error| StoreError::Io {
            detail: format!("cannot lock {}: {error}", path.display()),
        };
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Locked { path: store.display().to_string() })
            }
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }
}

/// Where the lock of a store lies.
fn lock_path(store: &Path) -> PathBuf {
    let mut name = OsString::from(store);
    name.push(".lock");
    PathBuf::from(name)
}
