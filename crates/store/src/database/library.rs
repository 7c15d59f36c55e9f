//! Which SQLite libraries are fit to keep anything.

use crate::StoreError;

/// The first release without the WAL-reset bug, as `sqlite3_libversion_number` writes 3.51.3.
const FIRST_SAFE: i32 = 3_051_003;

/// Refuses a library that can corrupt a database in WAL mode, by its version number
/// (`major * 1,000,000 + minor * 1,000 + patch`).
pub(crate) fn check(version: i32) -> Result<(), StoreError> {
    if version >= FIRST_SAFE {
        return Ok(());
    }
    let (major, minor, patch) = (version / 1_000_000, version / 1_000 % 1_000, version % 1_000);
    Err(StoreError::UnsafeLibrary { found: format!("{major}.{minor}.{patch}") })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::StoreError;

    #[test]
    fn a_library_with_the_wal_reset_bug_is_refused_by_its_version() {
        for (version, words) in
            [(3_051_002, "3.51.2"), (3_040_001, "3.40.1"), (3_050_099, "3.50.99")]
        {
            match check(version) {
                Err(StoreError::UnsafeLibrary { found }) => assert_eq!(found, words),
                other => panic!("{version}: {other:?}"),
            }
        }
        for version in [3_051_003, 3_052_000, 4_000_000] {
            assert!(check(version).is_ok(), "{version}");
        }
    }

    #[test]
    fn the_library_built_in_is_safe() {
        assert!(check(rusqlite::version_number()).is_ok(), "{}", rusqlite::version());
    }
}
