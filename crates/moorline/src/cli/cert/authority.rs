//! A small private authority: a certificate and its key in a directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SerialNumber, SubjectPublicKeyInfo, date_time_ymd,
};

use super::files::{Pending, Readers, unwritable};
use super::parsed::{DAY, Parsed, Use};
use super::{now, unusable};
use crate::random::random;
use crate::{Code, Error, Result};

/// Its certificate, in its directory.
pub(super) const CERT: &str = "ca.pem";
/// Its key.
pub(super) const KEY: &str = "ca.key";

/// A certificate counts from so many seconds before it was made: clocks differ.
const BEFORE: i64 = 3_600;

/// An authority that was read.
pub(super) struct Authority {
    pub(super) cert: Parsed,
    issuer: Issuer<'static, KeyPair>,
}

/// What is to be certified.
pub(super) struct Wanted<'a> {
    /// The common name of the subject.
    pub(super) name: &'a str,
    /// DNS names and addresses, for a server.
    pub(super) names: &'a [String],
    /// What it is for.
    pub(super) is_for: Use,
    /// For how many days.
    pub(super) days: u32,
}

/// Makes an authority in this directory, which is made if it is not there.
///
/// # Errors
/// [`Code::AUTHORITY_EXISTS`] if there is one, or the directory does not take it.
pub(super) fn init(directory: &Path, name: &str, days: u32) -> Result<()> {
    let (cert, key) = (directory.join(CERT), directory.join(KEY));
    if let Some(there) = [&cert, &key].into_iter().find(|path| path.exists()) {
        return Err(taken(there));
    }
    make_directory(directory).map_err(|source| unwritable(directory, source))?;
    let pair = KeyPair::generate().map_err(failed)?;
    let mut params = params(name, days, i64::MAX)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let signed = params.self_signed(&pair).map_err(failed)?;
    let key = Pending::new(&key, &pair.serialize_pem(), Readers::Owner)?;
    let cert = Pending::new(&cert, &signed.pem(), Readers::All)?;
    // Two that begin at once: the key decides.
    key.create().map_err(|error| taken_by(error, directory.join(KEY)))?;
    cert.create().map_err(|error| taken_by(error, directory.join(CERT))).inspect_err(|_| {
        // A key without a certificate is no authority, and would keep one from being made.
        let _ = std::fs::remove_file(directory.join(KEY));
    })
}

/// Waits until no other command writes certificates of this authority, and keeps others waiting as long as
/// it lives: of two that replace a key and its certificate, each replaces both.
///
/// # Errors
/// The system does not lock it.
pub(super) fn lock(directory: &Path) -> Result<Option<File>> {
    let key = directory.join(KEY);
    // What is not there is told when it is read.
    let Ok(file) = File::open(&key) else { return Ok(None) };
    file.lock().map(|()| Some(file)).map_err(|error| unusable(&key, &error))
}

impl Authority {
    /// The authority in this directory.
    ///
    /// # Errors
    /// [`Code::NO_AUTHORITY`] if there is none, [`Code::CERT_FILE`] if its files cannot be read, do not
    /// belong together or have expired.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let (path, key) = (directory.join(CERT), directory.join(KEY));
        if !path.exists() {
            let detail = format!("there is no authority in {}", directory.display());
            return Err(Error::Command { code: Code::NO_AUTHORITY, detail });
        }
        let cert = Parsed::first_in(&path)?;
        if cert.is_for != Use::Authority {
            return Err(unusable(&path, &"it is not the certificate of an authority"));
        }
        if cert.until <= now() {
            return Err(unusable(&path, &"the authority has expired"));
        }
        let text = std::fs::read_to_string(&key).map_err(|error| unusable(&key, &error))?;
        let pair = KeyPair::from_pem(&text).map_err(|error| unusable(&key, &error))?;
        if pair.subject_public_key_info() != cert.public_key() {
            return Err(unusable(&key, &format!("it is not the key of {}", path.display())));
        }
        let issuer =
            Issuer::from_ca_cert_der(&cert.der, pair).map_err(|error| unusable(&path, &error))?;
        Ok(Self { cert, issuer })
    }

    /// A certificate for a key that is made for it; both as PEM.
    ///
    /// # Errors
    /// The names cannot stand in a certificate.
    pub(super) fn issue(&self, wanted: &Wanted<'_>) -> Result<(String, String)> {
        let pair = KeyPair::generate().map_err(failed)?;
        Ok((self.sign(wanted, &pair)?, pair.serialize_pem()))
    }

    /// A certificate for the key of another one, as PEM.
    ///
    /// # Errors
    /// The names cannot stand in a certificate, or its key is of a kind that is not known here.
    pub(super) fn again(&self, wanted: &Wanted<'_>, old: &Parsed) -> Result<String> {
        let key = SubjectPublicKeyInfo::from_der(&old.public_key()).map_err(failed)?;
        self.sign(wanted, &key)
    }

    fn sign(&self, wanted: &Wanted<'_>, key: &impl PublicKeyData) -> Result<String> {
        // Nobody believes it for longer than its authority.
        let mut params = params(wanted.name, wanted.days, self.cert.until)?;
        let named = CertificateParams::new(wanted.names).map_err(failed)?;
        params.subject_alt_names = named.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match wanted.is_for {
            Use::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Use::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Use::Any | Use::Authority => {
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]
            }
        };
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(key, &self.issuer).map_err(failed)?.pem())
    }
}

/// What all certificates of ours have: a number that no other has, and an end.
fn params(name: &str, days: u32, until: i64) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = now();
    // Unix time as it is written into certificates.
    let at = |seconds: i64| {
        date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    };
    params.not_before = at(now - BEFORE);
    params.not_after = at(until.min(now + i64::from(days) * DAY));
    let mut number = [0; 16];
    for half in number.chunks_mut(8) {
        half.copy_from_slice(&random().map_err(Error::Start)?.to_be_bytes());
    }
    // Positive, and as long as it looks (RFC 5280, 4.1.2.2).
    number[0] = number[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&number));
    Ok(params)
}

/// Whether others than its owner may read an authority's key.
#[cfg(unix)]
pub(super) fn is_open_to_others(directory: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let metadata = directory.join(KEY).metadata();
    metadata.is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_open_to_others(_directory: &Path) -> bool {
    false
}

#[cfg(unix)]
fn make_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn make_directory(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)
}

fn taken(path: &Path) -> Error {
    let detail = format!("{} is there already: an authority is never overwritten", path.display());
    Error::Command { code: Code::AUTHORITY_EXISTS, detail }
}

fn taken_by(error: Error, path: PathBuf) -> Error {
    if error.code() == Code::CERT_EXISTS { taken(&path) } else { error }
}

/// What its library says no to.
fn failed(error: rcgen::Error) -> Error {
    Error::Command { code: Code::CERT_NAME, detail: format!("no such certificate: {error}") }
}

/// The machine's clock, as certificates count: seconds of Unix time.
pub(super) fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
