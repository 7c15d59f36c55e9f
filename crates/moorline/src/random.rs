//! Randomness from the operating system: for incarnations and seeds, never inside a machine.

use std::io;

/// A random number.
pub(crate) fn random() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}
