//! Files that are derived from sources and checked in.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// What to do with a derived file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Write it.
    Write,
    /// Fail if it is not what would be written.
    Check,
}

impl Mode {
    /// From the arguments of a chore that takes `--check` and nothing else.
    pub(crate) fn parse(args: &[String]) -> Result<Self, String> {
        match args {
            [] => Ok(Self::Write),
            [flag] if flag == "--check" => Ok(Self::Check),
            _ => Err(format!("takes --check or nothing, got {args:?}")),
        }
    }

    /// Writes a file, or compares it. `path` is relative to the repository; `chore` is how people
    /// repair a difference.
    pub(crate) fn apply(self, path: &str, text: &str, chore: &str) -> Result<(), String> {
        let file = root().join(path);
        let there = fs::read_to_string(&file).unwrap_or_default();
        if there == text {
            return Ok(());
        }
        match self {
            Self::Check => {
                Err(format!("{path} is not what its source says: run `cargo xtask {chore}`"))
            }
            Self::Write => {
                if let Some(folder) = file.parent() {
                    fs::create_dir_all(folder).map_err(|error| format!("{path}: {error}"))?;
                }
                fs::write(&file, text).map_err(|error| format!("{path}: {error}"))?;
                println!("wrote {path}");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mode;

    #[test]
    fn a_check_fails_on_drift_and_writes_nothing() {
        let known = include_str!("write.rs");
        assert_eq!(Mode::Check.apply("xtask/src/write.rs", known, "x"), Ok(()));
        let error = Mode::Check.apply("xtask/src/write.rs", "other", "x").unwrap_err();
        assert!(error.contains("cargo xtask x"), "{error}");
        assert!(Mode::Check.apply("xtask/no-such-file", "new", "x").is_err());
        assert!(!super::root().join("xtask/no-such-file").exists());
    }

    #[test]
    fn only_check_is_understood() {
        assert_eq!(Mode::parse(&[]), Ok(Mode::Write));
        assert_eq!(Mode::parse(&["--check".into()]), Ok(Mode::Check));
        assert!(Mode::parse(&["--chekc".into()]).is_err());
    }
}
