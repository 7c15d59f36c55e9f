//! What stands in a certificate.

use std::net::IpAddr;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use super::unusable;
use crate::Result;

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// What a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Use {
    /// It signs others.
    Authority,
    /// A coordinator proves itself with it.
    Server,
    /// A worker does.
    Client,
    /// Both may.
    Any,
}

impl Use {
    /// In a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Server => "server",
            Self::Client => "client",
            Self::Any => "any",
        }
    }
}

/// A certificate that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Parsed {
    /// The common name of its subject; empty: it has none.
    pub(super) subject: String,
    /// The other names in it, DNS names and addresses.
    pub(super) names: Vec<String>,
    /// That of who has signed it.
    pub(super) issuer: String,
    /// What it is for.
    pub(super) is_for: Use,
    /// Its number, in hexadecimal.
    pub(super) serial: String,
    /// From when on and until when it counts, in seconds of Unix time.
    pub(super) from: i64,
    pub(super) until: i64,
    /// All of it.
    pub(super) der: CertificateDer<'static>,
}

impl Parsed {
    /// Every certificate in a file.
    ///
    /// # Errors
    /// It cannot be read, holds none, or is damaged.
    pub(super) fn all_in(path: &Path) -> Result<Vec<Self>> {
        let damaged = |error: &dyn std::fmt::Display| unusable(path, error);
        let text = std::fs::read(path).map_err(|error| damaged(&error))?;
        let all = CertificateDer::pem_slice_iter(&text).collect::<std::result::Result<Vec<_>, _>>();
        let all = all.map_err(|error| damaged(&error))?;
        if all.is_empty() {
            return Err(damaged(&"it holds no certificate"));
        }
        let read = |der: CertificateDer<'static>| {
            Self::new(der).ok_or_else(|| damaged(&"a certificate in it is damaged"))
        };
        all.into_iter().map(read).collect()
    }

    /// The first one in a file: that of who has the file.
    ///
    /// # Errors
    /// Those of [`all_in`](Self::all_in).
    pub(super) fn first_in(path: &Path) -> Result<Self> {
        let first = Self::all_in(path)?.into_iter().next();
        first.ok_or_else(|| unusable(path, &"it holds no certificate"))
    }

    /// Reads one; `None` if it is damaged.
    fn new(der: CertificateDer<'static>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let names = certificate.subject_alternative_name().ok()?;
        let names = names.iter().flat_map(|names| &names.value.general_names);
        let usage = certificate.extended_key_usage().ok()?;
        let is_for = match usage {
            _ if certificate.is_ca() => Use::Authority,
            Some(usage) if usage.value.server_auth && usage.value.client_auth => Use::Any,
            Some(usage) if usage.value.server_auth => Use::Server,
            Some(usage) if usage.value.client_auth => Use::Client,
            Some(_) | None => Use::Any,
        };
        let validity = certificate.validity();
        Some(Self {
            subject: common_name(certificate.subject()),
            names: names.filter_map(shown).collect(),
            issuer: common_name(certificate.issuer()),
            is_for,
            serial: hex(certificate.raw_serial(), ""),
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
            der: der.clone(),
        })
    }

    /// Whether this authority has signed it.
    pub(super) fn is_signed_by(&self, authority: &Self) -> bool {
        let parse = |of: &'static str, der| (of, X509Certificate::from_der(der));
        let ((_, Ok((_, own))), (_, Ok((_, ca)))) =
            (parse("own", &self.der), parse("ca", &authority.der))
        else {
            return false;
        };
        own.issuer().as_raw() == ca.subject().as_raw()
            && own.verify_signature(Some(ca.public_key())).is_ok()
    }

    /// The key that it is for, as in the certificate; empty if it is damaged.
    pub(super) fn public_key(&self) -> Vec<u8> {
        let parsed = X509Certificate::from_der(&self.der);
        parsed.map(|(_, certificate)| certificate.public_key().raw.to_vec()).unwrap_or_default()
    }

    /// SHA-256 over all of it, as other programs show it.
    pub(super) fn fingerprint(&self) -> String {
        hex(&Sha256::digest(&self.der), ":")
    }
}

fn common_name(name: &X509Name<'_>) -> String {
    let first = name.iter_common_name().next().and_then(|name| name.as_str().ok());
    first.unwrap_or_default().to_owned()
}

/// A DNS name or an address; other names are none of ours.
#[allow(clippy::wildcard_enum_match_arm, reason = "there are many kinds of names")]
fn shown(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from).ok();
            let v6 = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from).ok();
            v4.or_else(v6).map(|address| address.to_string())
        }
        _ => None,
    }
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(between)
}
