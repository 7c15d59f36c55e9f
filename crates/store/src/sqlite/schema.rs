//! Whose file it is, and the way from any older schema to the present one.

use rusqlite::{Connection, TransactionBehavior};

use super::fault::Fault;

/// Marks a file as a store of moorline: "moor" in the header of the database.
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"moor");

/// Each step leads to the next version, the first one from an empty file to version 1. A step that was
/// published is never edited; a new one is appended.
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// The schema version that this moorline writes.
pub(super) const CURRENT: u32 = MIGRATIONS.len() as u32;

/// What a file was found to be, before anything in it is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Nothing is in it yet.
    Empty,
    /// A store with this schema version.
    Store(u32),
}

/// Looks whose file it is.
pub(super) fn find(connection: &Connection) -> Result<Found, Fault> {
    let application: i32 = pragma(connection, "application_id")?;
    let version: i32 = pragma(connection, "user_version")?;
    if application == APPLICATION_ID {
        return match u32::try_from(version) {
            Ok(version) if version > 0 => Ok(Found::Store(version)),
            Ok(_) | Err(_) => Err(Fault::Damaged(format!("schema version {version}"))),
        };
    }
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && version == 0 && objects == 0 {
        return Ok(Found::Empty);
    }
    Err(Fault::Damaged(format!(
        "a database of another application (application_id {application:#x})"
    )))
}

/// Brings a store to the present schema, each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection, found: Found) -> Result<(), Fault> {
    migrate_by(MIGRATIONS, connection, found)
}

/// The same by these steps.
pub(super) fn migrate_by(
    steps: &[&str],
    connection: &mut Connection,
    found: Found,
) -> Result<(), Fault> {
    let from = match found {
        Found::Empty => 0,
        Found::Store(version) => version,
    };
    for (version, step) in (1_u32..).zip(steps) {
        if version <= from {
            continue;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, Fault> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}
