//! What SQLite says, sorted by what a caller can do about it.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::StoreError;

/// A [`StoreError`] that does not know yet in which file it happened.
#[derive(Debug)]
pub(crate) enum Fault {
    /// May work later.
    Io(String),
    /// May work when there is room.
    Full(String),
    /// May work when it may be written.
    ReadOnly(String),
    /// The content is not what the file is to hold: trying again will not help.
    Damaged(String),
}

impl Fault {
    /// The public error.
    pub(crate) fn at(self, path: &Path) -> StoreError {
        let path = path.display().to_string();
        match self {
            Self::Io(detail) => StoreError::Io { detail: format!("{path}: {detail}") },
            Self::Full(detail) => StoreError::Full { path, detail },
            Self::ReadOnly(detail) => StoreError::ReadOnly { path, detail },
            Self::Damaged(detail) => StoreError::Damaged { path, detail },
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        let foreign = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::ConstraintViolation
            )
        );
        let unreadable = matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
        );
        if foreign || unreadable {
            return Self::Damaged(detail);
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(detail),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(detail),
            Some(_) | None => Self::Io(detail),
        }
    }
}
