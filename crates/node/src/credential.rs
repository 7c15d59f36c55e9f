//! What a worker proves itself with.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// A credential, such as a token: 1 to 8,192 bytes that mean something to whoever checks them. A secret:
/// it shows its length and nothing else.
///
/// ```
/// use moorline_node::Credential;
///
/// let credential = Credential::new("a token".to_owned())?;
/// assert_eq!(credential.as_bytes(), b"a token");
/// assert_eq!(format!("{credential:?}"), "Credential(7 bytes)");
/// assert!(Credential::new("").is_err());
/// # Ok::<(), moorline_node::CredentialError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credential(Arc<[u8]>);

/// Why bytes are no credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CredentialError {
    /// There are none.
    Empty,
    /// There are more than [`Credential::MAX`].
    TooLong {
        /// How many.
        len: usize,
    },
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a credential must not be empty"),
            Self::TooLong { len } => {
                write!(f, "a credential has at most {} bytes, this one has {len}", Credential::MAX)
            }
        }
    }
}

impl std::error::Error for CredentialError {}

impl Credential {
    /// Longest credential in bytes.
    pub const MAX: usize = 8_192;

    /// Checks the length.
    ///
    /// # Errors
    /// [`CredentialError`]: none, or too many.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, CredentialError> {
        let bytes = bytes.into();
        match bytes.len() {
            0 => Err(CredentialError::Empty),
            len if len > Self::MAX => Err(CredentialError::TooLong { len }),
            // A copy of its own: what it was read from is not kept for it.
            _ => Ok(Self(Arc::from(&bytes[..]))),
        }
    }

    /// The secret itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A copy of it.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} bytes)", self.0.len())
    }
}
