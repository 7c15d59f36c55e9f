//! Where a coordinator keeps its tasks, as people write it.

use std::path::PathBuf;
use std::str::FromStr;

use moorline_store::{MemoryStore, SqliteStore, Store};

use crate::Result;

/// Where a coordinator keeps its tasks.
///
/// ```
/// use moorline::StoreAt;
///
/// assert_eq!("memory".parse(), Ok(StoreAt::Memory));
/// assert_eq!("sqlite:tasks.db".parse(), Ok(StoreAt::Sqlite("tasks.db".into())));
/// assert!("postgres://localhost".parse::<StoreAt>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum StoreAt {
    /// In memory: gone with the process.
    #[default]
    Memory,
    /// In this SQLite file: survives crashes of the process and of the machine.
    Sqlite(PathBuf),
}

/// A text does not say where a store is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is not a store: write sqlite:FILE or memory")]
pub struct StoreAtError {
    text: String,
}

impl FromStr for StoreAt {
    type Err = StoreAtError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("sqlite", file)) if !file.is_empty() => Ok(Self::Sqlite(file.into())),
            None | Some(_) => Err(StoreAtError { text: text.to_owned() }),
        }
    }
}

impl std::fmt::Display for StoreAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
        }
    }
}

impl StoreAt {
    /// The key with which a coordinator of this store names and resets its QUIC connections; none where
    /// nothing outlives the process. It is made if it is not there. Blocking, and only for who has the
    /// store open.
    pub(super) fn quic_key(&self) -> Result<Option<[u8; 32]>> {
        match self {
            #[cfg(feature = "quic")]
            Self::Sqlite(file) => super::quic_key::beside(file).map(Some),
            #[cfg(not(feature = "quic"))]
            Self::Sqlite(_) => Ok(None),
            Self::Memory => Ok(None),
        }
    }

    /// Opens it. Blocking.
    pub(super) fn open(&self) -> Result<Box<dyn Store>> {
        Ok(match self {
            Self::Memory => Box::new(MemoryStore::new()),
            Self::Sqlite(file) => Box::new(SqliteStore::open(file)?),
        })
    }
}
