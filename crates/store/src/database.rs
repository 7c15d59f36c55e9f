//! One SQLite file: how it is opened, so that it survives crashes of the process and of the machine.
//!
//! A store and a journal are such files. What they have in common is here: one process at a time, the
//! write-ahead log, whose file it is, and what SQLite says when something fails.

pub(crate) mod fault;
pub(crate) mod format;
mod library;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::StoreError;
use crate::lock::StoreLock;
use fault::Fault;
use format::{Format, Found};

/// How long somebody else's lock on the file (a backup, the `sqlite3` shell) is waited for.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An open file of the present schema.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) connection: Connection,
    /// With every link resolved.
    pub(crate) path: PathBuf,
    /// To be let go after the connection is closed.
    pub(crate) lock: StoreLock,
}

impl Database {
    /// Opens the file of this format; creates it if there is none, migrates one of an older moorline. Its
    /// log is cut back to `log_limit` bytes whenever it is started over.
    ///
    /// # Errors
    /// [`StoreError`]: what is not of this format, or newer, is left as it is.
    pub(crate) fn open(path: &Path, format: &Format, log_limit: u32) -> Result<Self, StoreError> {
        library::check(rusqlite::version_number())?;
        let path = resolve(path)?;
        let lock = StoreLock::acquire(&path)?;
        let at = |fault: Fault| fault.at(&path);
        let mut connection = connect(&path).map_err(at)?;
        let found = format.find(&connection).map_err(at)?;
        match found {
            Found::Version(version) if version > format.current() => {
                return Err(StoreError::Newer {
                    path: path.display().to_string(),
                    found: version,
                    known: format.current(),
                });
            }
            Found::Version(_) | Found::Empty => {}
        }
        prepare(&connection, log_limit).map_err(at)?;
        format.migrate(&mut connection, found).map_err(at)?;
        Ok(Self { connection, path, lock })
    }
}

/// Begins a transaction that may write.
pub(crate) fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Fault> {
    if !connection.is_autocommit() {
        // What failed before could not even be undone then; nothing of it may be kept.
        connection.execute_batch("ROLLBACK")?;
    }
    // A transaction that may write takes its place at once, instead of failing half-way.
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// A file with our mark but without our tables is found now, not by the first write.
pub(crate) fn check<'a>(
    connection: &Connection,
    statements: impl IntoIterator<Item = &'a str>,
) -> Result<(), Fault> {
    for sql in statements {
        connection.prepare(sql).map_err(|error| Fault::Damaged(error.to_string()))?;
    }
    Ok(())
}

/// The one name of a file, so that two ways of writing it meet at one lock.
fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    let io =
        |error: std::io::Error| StoreError::Io { detail: format!("{}: {error}", path.display()) };
    match path.canonicalize() {
        Ok(path) => Ok(path),
        // A link to a file that is not there yet: SQLite would create that file, and the lock would lie
        // beside the link, where nobody who comes by the file's own name looks.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.is_symlink() => {
            File::options().create(true).append(true).open(path).map_err(io)?;
            path.canonicalize().map_err(io)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or_else(|| StoreError::Io {
                detail: format!("{} names no file", path.display()),
            })?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).canonicalize().map_err(io)?;
            Ok(parent.join(name))
        }
        Err(error) => Err(io(error)),
    }
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if connection.is_readonly("main")? {
        // SQLite would go on without a word until the first write.
        return Err(Fault::ReadOnly("it is not writable".to_owned()));
    }
    Ok(connection)
}

/// Makes what is written from now on survive, and its log stay small.
fn prepare(connection: &Connection, log_limit: u32) -> Result<(), Fault> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::Io(format!("no write-ahead log is possible here (mode {mode})")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Where fsync stops at the drive's cache (macOS), go through it; nothing elsewhere.
    connection.pragma_update(None, "fullfsync", true)?;
    let limit = format!("PRAGMA journal_size_limit = {log_limit}");
    connection.query_row(&limit, [], |row| row.get::<_, i64>(0))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}
