//! The journal in a worker's data directory.

use std::path::Path;

use moorline_driver::OpenJournal;
use moorline_store::SqliteJournal;

use crate::{Error, Result};

/// Its file in the data directory.
const FILE: &str = "journal.db";

/// How large it may become when nobody says, in bytes.
pub(crate) const STANDARD: u64 = 256 << 20;

/// The least it may be bounded by, in bytes: the largest result is 16 MiB.
pub(crate) const LEAST: u64 = 17 << 20;

/// Refuses a bound within which not every result fits.
pub(crate) fn check(max_bytes: u64) -> Result<()> {
    if max_bytes < LEAST {
        let problem =
            format!("{max_bytes} bytes are less than the largest result: at least {LEAST}");
        return Err(Error::setting("journal_max", problem));
    }
    Ok(())
}

/// Opens it, and reads what an earlier process left in it.
///
/// # Errors
/// [`Error::Journal`]. Nothing is deleted, whatever it is.
pub(crate) fn open(data_dir: &Path, max_bytes: u64) -> Result<OpenJournal> {
    let journal = SqliteJournal::open(data_dir.join(FILE), max_bytes).map_err(Error::Journal)?;
    OpenJournal::read(journal).map_err(Error::Journal)
}

#[cfg(test)]
mod tests;
