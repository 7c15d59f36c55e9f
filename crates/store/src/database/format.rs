//! Whose file it is, and the way from any older schema to the present one.

use rusqlite::{Connection, TransactionBehavior};

use super::fault::Fault;
use crate::journal::sqlite::JOURNAL;
use crate::sqlite::schema::STORE;

/// What one kind of file is known by, and how it came to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// What it is, in words.
    pub(crate) name: &'static str,
    /// Marks a file in the header of the database.
    pub(crate) application_id: i32,
    /// Each step leads to the next version, the first one from an empty file to version 1. A step that was
    /// published is never edited; a new one is appended.
    pub(crate) steps: &'static [&'static str],
}

/// What a file was found to be, before anything in it is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing is in it yet.
    Empty,
    /// A file of the format that was looked for, with this schema version.
    Version(u32),
}

impl Format {
    /// The schema version that this moorline writes.
    pub(crate) const fn current(&self) -> u32 {
        self.steps.len() as u32
    }

    /// Looks whose file it is.
    pub(crate) fn find(&self, connection: &Connection) -> Result<Found, Fault> {
        let application: i32 = pragma(connection, "application_id")?;
        let version: i32 = pragma(connection, "user_version")?;
        if application == self.application_id {
            return match u32::try_from(version) {
                Ok(version) if version > 0 => Ok(Found::Version(version)),
                Ok(_) | Err(_) => Err(Fault::Damaged(format!("schema version {version}"))),
            };
        }
        let objects: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if application == 0 && version == 0 && objects == 0 {
            return Ok(Found::Empty);
        }
        Err(Fault::Damaged(foreign(application)))
    }

    /// Brings a file to the present schema, each step whole or not at all.
    pub(crate) fn migrate(&self, connection: &mut Connection, found: Found) -> Result<(), Fault> {
        self.migrate_by(self.steps, connection, found)
    }

    /// The same by these steps.
    pub(crate) fn migrate_by(
        &self,
        steps: &[&str],
        connection: &mut Connection,
        found: Found,
    ) -> Result<(), Fault> {
        let from = match found {
            Found::Empty => 0,
            Found::Version(version) => version,
        };
        for (version, step) in (1_u32..).zip(steps) {
            if version <= from {
                continue;
            }
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", self.application_id)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()?;
        }
        Ok(())
    }
}

/// Whose it is, where it is not whose it should be.
fn foreign(application: i32) -> String {
    match [STORE, JOURNAL].iter().find(|format| format.application_id == application) {
        Some(other) => format!("this is {}", other.name),
        None => format!("a database of another application (application_id {application:#x})"),
    }
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, Fault> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}
