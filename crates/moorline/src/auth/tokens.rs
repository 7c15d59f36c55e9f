//! Join tokens in files: what a worker shows, and what a coordinator takes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use moorline_node::Credential;

/// A file of tokens is read up to this size.
const FILE_MAX: u64 = 1 << 20;
/// A shorter token could be guessed.
#[cfg(feature = "coordinator")]
const TOKEN_MIN: usize = 16;

/// Why a file of tokens is of no use. It says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is no plain file of up to 1 MiB")]
    NoFile { path: PathBuf },
    #[error("{path} holds no token")]
    Empty { path: PathBuf },
    #[error("{path} holds {found}, and a worker shows one token of at most {most} bytes", most = Credential::MAX)]
    Worker { path: PathBuf, found: &'static str },
    #[cfg(feature = "coordinator")]
    #[error(
        "{path}, line {line}: a token has {TOKEN_MIN} to {most} bytes",
        most = Credential::MAX
    )]
    Length { path: PathBuf, line: usize },
}

fn read(path: &Path) -> Result<Vec<u8>, TokenError> {
    let unreadable = |source| TokenError::Read { path: path.to_owned(), source };
    // What is no file could keep whoever reads it waiting for ever.
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > FILE_MAX {
        return Err(TokenError::NoFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(bytes)
}

/// What a worker shows: all that is in the file, without white space around it.
///
/// # Errors
/// There is none, or more than one line.
pub(crate) fn own(path: &Path) -> Result<Credential, TokenError> {
    let bytes = read(path)?;
    let token = bytes.trim_ascii();
    if token.is_empty() {
        return Err(TokenError::Empty { path: path.to_owned() });
    }
    let path = || path.to_owned();
    if token.contains(&b'\n') {
        return Err(TokenError::Worker { path: path(), found: "several lines" });
    }
    Credential::new(token.to_vec())
        .map_err(|_| TokenError::Worker { path: path(), found: "more than that" })
}

/// What a coordinator takes.
#[cfg(feature = "coordinator")]
pub(crate) struct Taken(Vec<[u8; 32]>);

#[cfg(feature = "coordinator")]
impl Taken {
    /// One token a line; empty lines and those that begin with `#` count for nothing.
    ///
    /// # Errors
    /// There is none, or one that is too short to be kept secret.
    pub(crate) fn read(path: &Path) -> Result<Self, TokenError> {
        let bytes = read(path)?;
        let mut taken = Vec::new();
        for (at, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let token = line.trim_ascii();
            if token.is_empty() || token.starts_with(b"#") {
                continue;
            }
            if !(TOKEN_MIN..=Credential::MAX).contains(&token.len()) {
                return Err(TokenError::Length { path: path.to_owned(), line: at + 1 });
            }
            taken.push(digest(token));
        }
        if taken.is_empty() {
            return Err(TokenError::Empty { path: path.to_owned() });
        }
        Ok(Self(taken))
    }

    /// Whether it is one of them. How long this takes says nothing of how much of one fits: hashes are compared,
    /// which nobody can bring closer to another one, and all of them.
    pub(crate) fn has(&self, shown: &Credential) -> bool {
        let shown = digest(shown.as_bytes());
        self.0.iter().fold(false, |found, taken| found | (*taken == shown))
    }
}

#[cfg(feature = "coordinator")]
fn digest(token: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(token).into()
}

/// Whether everybody on this machine may read the file: its permissions, if they say so.
#[cfg(all(feature = "cli", unix))]
pub(crate) fn is_open(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata().ok()?.permissions().mode() & 0o777;
    (mode & 0o007 != 0).then_some(mode)
}

/// Other systems say it otherwise.
#[cfg(all(feature = "cli", not(unix)))]
pub(crate) fn is_open(_path: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests;
