//! Where a coordinator is, as a text that only a driver reads.

use std::fmt;
use std::sync::Arc;

use crate::NameError;

/// The URL of an endpoint: 1 to 512 bytes of UTF-8 without control characters. A node compares
/// addresses and passes them on; what they mean is the driver's to know.
///
/// ```
/// use moorline_node::Address;
///
/// let address = Address::new("grpcs://eu.example.com:8740")?;
/// assert_eq!(address.as_str(), "grpcs://eu.example.com:8740");
/// assert!(Address::new("").is_err());
/// # Ok::<(), moorline_node::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// Longest address in bytes.
    pub const MAX: usize = 512;
    /// Most addresses that a coordinator tells at once: 16.
    pub const COUNT_MAX: usize = 16;

    /// Checks a text.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        NameError::check(text, Self::MAX)?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}
