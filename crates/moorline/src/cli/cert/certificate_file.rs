//! A file with a certificate, and whatever else its owner keeps in it: a chain, or the key.

use std::path::Path;

use super::unusable;
use crate::Result;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// What is before its first certificate, and what is behind it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct CertificateFile {
    before: String,
    behind: String,
}

impl CertificateFile {
    /// # Errors
    /// It cannot be read, or holds no certificate.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
        Self::parse(&text).ok_or_else(|| unusable(path, &"it holds no certificate"))
    }

    fn parse(text: &str) -> Option<Self> {
        let (before, rest) = text.split_once(BEGIN)?;
        let (_, behind) = rest.split_once(END)?;
        Some(Self { before: before.to_owned(), behind: behind.to_owned() })
    }

    /// Whether there is a private key in it, of any kind.
    pub(super) fn has_key(&self) -> bool {
        [&self.before, &self.behind].iter().any(|part| part.contains("PRIVATE KEY-----"))
    }

    /// The same with another certificate in the place of the first one.
    pub(super) fn with(&self, certificate: &str) -> String {
        format!("{}{}{}", self.before, certificate.trim_end(), self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "-----BEGIN CERTIFICATE-----\nold\n-----END CERTIFICATE-----\n";
    const NEW: &str = "-----BEGIN CERTIFICATE-----\nnew\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nkey\n-----END PRIVATE KEY-----\n";

    #[test]
    fn what_is_beside_the_certificate_stays() {
        for (before, behind, has_key) in
            [("", "", false), (KEY, "", true), ("", KEY, true), ("a note\n", OLD, false)]
        {
            let file = CertificateFile::parse(&format!("{before}{OLD}{behind}")).unwrap();
            assert_eq!(file.with(NEW), format!("{before}{NEW}{behind}"));
            assert_eq!(file.has_key(), has_key);
        }
        assert_eq!(CertificateFile::parse(KEY), None);
    }
}
