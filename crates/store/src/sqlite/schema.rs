//! The schema of a store.

use crate::database::format::Format;

/// Each step leads to the next version: see [`Format::steps`].
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// A store of moorline: "moor" in the header of the database.
pub(crate) const STORE: Format = Format {
    name: "a coordinator's store",
    application_id: i32::from_be_bytes(*b"moor"),
    steps: MIGRATIONS,
};

/// The schema version that this moorline writes.
pub(super) const CURRENT: u32 = STORE.current();
