//! Keys and certificates from files, read again when they change.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use crate::Authority;

/// Where keys and certificates are, all as PEM.
///
/// | | at the coordinator | at a worker |
/// | --- | --- | --- |
/// | `cert`, `key` | what it proves itself with | the same, where the coordinator asks for it |
/// | `ca` | who signs workers' certificates: without one nobody else is let in | who signs the coordinator's; default: whom the system trusts |
///
/// Each file is looked at before it is used: one that has changed is read again, and counts from the
/// next connection on. If it cannot be read, or key and certificate do not belong together, what was
/// read before goes on, and a line of the log says so.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TlsFiles {
    /// A certificate, and behind it those that lead to its authority.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Certificates of authorities.
    pub ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Whether the certificate that is shown is valid now, as this machine's clock says.
    ///
    /// Outside its time it is used all the same: peers refuse it, by their clocks, until the file is
    /// replaced or the time has come. A machine whose clock is set late in its start needs no more than that.
    ///
    /// ```
    /// use moorline_transport::TlsFiles;
    ///
    /// assert!(TlsFiles::default().in_force().is_ok(), "none is shown");
    /// ```
    ///
    /// # Errors
    /// [`TlsError::Expired`] or [`TlsError::NotYetValid`]; what cannot be read is no matter of time.
    pub fn in_force(&self) -> Result<(), TlsError> {
        let certs = self.cert.as_deref().and_then(|path| Some((path, certificates(path).ok()?)));
        let Some((path, certs)) = certs else { return Ok(()) };
        let Some((_, own)) = certs.first().and_then(|own| X509Certificate::from_der(own).ok())
        else {
            return Ok(());
        };
        let (valid, now, path) = (own.validity(), ASN1Time::now(), path.to_owned());
        if now > valid.not_after {
            return Err(TlsError::Expired { path, until: valid.not_after.to_string() });
        }
        if now < valid.not_before {
            return Err(TlsError::NotYetValid { path, from: valid.not_before.to_string() });
        }
        Ok(())
    }
}

/// Why there is no TLS with these files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file holds nothing of the kind.
    #[error("{} holds no {what}", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A file is no PEM.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// In words.
        detail: String,
    },
    /// There is a key and no certificate, or the other way round.
    #[error("{given} is given without {missing}")]
    Half {
        /// What there is.
        given: &'static str,
        /// What there is not.
        missing: &'static str,
    },
    /// A certificate is not valid any more.
    #[error("{} has expired: it was valid until {until}", path.display())]
    Expired {
        /// Which.
        path: PathBuf,
        /// Its last moment.
        until: String,
    },
    /// A certificate is not valid yet.
    #[error("{} is not valid before {from}", path.display())]
    NotYetValid {
        /// Which.
        path: PathBuf,
        /// Its first moment.
        from: String,
    },
    /// The certificate was issued for another key.
    #[error("the key in {} is not the one that the certificate in {} is for", key.display(), cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A server needs a certificate and its key.
    #[error("a listener with TLS needs a certificate and its key")]
    NoCertificate,
    /// The system's list of authorities is empty or cannot be read.
    #[error("the system trusts nobody: {detail}; name an authority's file")]
    NoRoots {
        /// In words.
        detail: String,
    },
    /// A key or a certificate is of a kind that is not supported.
    #[error("these keys and certificates cannot be used: {detail}")]
    Unusable {
        /// In words.
        detail: String,
    },
}

/// How a worker proves itself, and whom it believes. Cloning shares it.
///
/// ```no_run
/// use moorline_transport::{ClientTls, TlsFiles};
///
/// let files = TlsFiles { ca: Some("ca.pem".into()), ..TlsFiles::default() };
/// let tls = ClientTls::from_files(files)?;
/// # Ok::<(), moorline_transport::TlsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientTls(Arc<Reread<ClientConfig>>);

/// How a coordinator proves itself, and whom it lets in. Cloning shares it.
///
/// ```no_run
/// use moorline_transport::{ServerTls, TlsFiles};
///
/// let tls = ServerTls::from_files(TlsFiles {
///     cert: Some("coordinator.pem".into()),
///     key: Some("coordinator.key".into()),
///     ca: Some("ca.pem".into()),
/// })?;
/// # Ok::<(), moorline_transport::TlsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<Reread<ServerConfig>>);

impl ClientTls {
    /// TLS 1.2 or 1.3 with these files; without any it believes whom the system trusts.
    ///
    /// # Errors
    /// They cannot be used as they are.
    pub fn from_files(files: TlsFiles) -> Result<Self, TlsError> {
        Reread::new(files, client_config).map(|reread| Self(Arc::new(reread)))
    }

    /// TLS as somebody else has set it up. What is negotiated as the protocol is set by the transports.
    #[must_use]
    pub fn from_config(config: ClientConfig) -> Self {
        Self(Arc::new(Reread::fixed(config)))
    }

    /// What holds now, for one protocol (ALPN).
    #[must_use]
    pub fn config(&self, protocol: &[u8]) -> Arc<ClientConfig> {
        let mut config = (*self.0.latest()).clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }
}

impl ServerTls {
    /// TLS 1.2 or 1.3 with these files.
    ///
    /// # Errors
    /// They cannot be used as they are, or there is no certificate or no key.
    pub fn from_files(files: TlsFiles) -> Result<Self, TlsError> {
        Reread::new(files, server_config).map(|reread| Self(Arc::new(reread)))
    }

    /// TLS as somebody else has set it up. What is negotiated as the protocol is set by the transports.
    #[must_use]
    pub fn from_config(config: ServerConfig) -> Self {
        Self(Arc::new(Reread::fixed(config)))
    }

    /// What holds now, for one protocol (ALPN).
    #[must_use]
    pub fn config(&self, protocol: &[u8]) -> Arc<ServerConfig> {
        let mut config = (*self.0.latest()).clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }
}

/// The name that a certificate proves: its subject's common name. It is empty if it has none or several:
/// nobody has that name.
///
/// ```
/// use moorline_transport::name_of;
///
/// let key = rcgen::KeyPair::generate()?;
/// let mut params = rcgen::CertificateParams::default();
/// params.distinguished_name.push(rcgen::DnType::CommonName, "gpu-1");
/// assert_eq!(name_of(params.self_signed(&key)?.der()), "gpu-1");
/// # Ok::<(), rcgen::Error>(())
/// ```
#[must_use]
pub fn name_of(certificate: &CertificateDer<'_>) -> String {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return String::new() };
    let mut names = parsed.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

impl TlsFiles {
    /// For which hosts whoever shows this certificate may speak, as the file is now: what a coordinator may
    /// send its workers to over TLS. Nobody without a certificate.
    ///
    /// ```
    /// use moorline_transport::{Authority, TlsFiles};
    ///
    /// assert_eq!(TlsFiles::default().authority()?, Authority::nobody());
    /// # Ok::<(), moorline_transport::TlsError>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate.
    pub fn authority(&self) -> Result<Authority, TlsError> {
        let Some(path) = &self.cert else { return Ok(Authority::nobody()) };
        let chain = certificates(path)?;
        Ok(chain.first().map_or_else(Authority::nobody, Authority::certificate))
    }
}

fn provider() -> Arc<CryptoProvider> {
    // Named, and not the process' default: that is somebody else's to choose.
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(error: impl fmt::Display) -> TlsError {
    TlsError::Unusable { detail: error.to_string() }
}

fn client_config(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
    let roots = match &files.ca {
        Some(path) => roots(path)?,
        None => system_roots()?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots);
    match identity(files)? {
        Some((certs, key)) => {
            builder.with_client_auth_cert(certs, key).map_err(|error| misfit(files, error))
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let (certs, key) = identity(files)?.ok_or(TlsError::NoCertificate)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match &files.ca {
        Some(path) => {
            let roots = Arc::new(roots(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            builder.with_client_cert_verifier(verifier.build().map_err(unusable)?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(certs, key).map_err(|error| misfit(files, error))?;
    if files.ca.is_some() {
        // A session that is resumed is not proven again: a certificate would outlive its end.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(files: &TlsFiles) -> Result<Option<Identity>, TlsError> {
    match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| said(key, error, "key"))?;
            Ok(Some((certificates(cert)?, key)))
        }
        (Some(_), None) => Err(TlsError::Half { given: "a certificate", missing: "its key" }),
        (None, Some(_)) => Err(TlsError::Half { given: "a key", missing: "its certificate" }),
        (None, None) => Ok(None),
    }
}

/// Why rustls does not take a key and a certificate.
#[allow(clippy::wildcard_enum_match_arm, reason = "they are rustls', and may become more")]
fn misfit(files: &TlsFiles, error: rustls::Error) -> TlsError {
    let path = |file: &Option<PathBuf>| file.clone().unwrap_or_default();
    let (cert, key) = (path(&files.cert), path(&files.key));
    match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { cert, key },
        error => unusable(format_args!("{} with {}: {error}", cert.display(), key.display())),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let detail = |error: rustls::Error| error.to_string();
        roots
            .add(certificate)
            .map_err(|error| TlsError::Damaged { path: path.to_owned(), detail: detail(error) })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let detail =
            found.errors.first().map_or("its list is empty".to_owned(), ToString::to_string);
        return Err(TlsError::NoRoots { detail });
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let said = |error| said(path, error, "certificate");
    let all = CertificateDer::pem_file_iter(path).map_err(said)?;
    let all = all.collect::<Result<Vec<_>, _>>().map_err(said)?;
    if all.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned(), what: "certificate" });
    }
    Ok(all)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "they may become more")]
fn said(path: &Path, error: pem::Error, what: &'static str) -> TlsError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(error) => TlsError::Read { path, error },
        pem::Error::NoItemsFound => TlsError::Empty { path, what },
        error => TlsError::Damaged { path, detail: error.to_string() },
    }
}

/// What was read from files, and is read again when one of them has changed.
struct Reread<T> {
    files: TlsFiles,
    read: fn(&TlsFiles) -> Result<T, TlsError>,
    last: Mutex<Last<T>>,
}

struct Last<T> {
    value: Arc<T>,
    /// How the files were when they were read.
    looks: Looks,
    /// How they were when they could not be read, and when that was.
    failed: Option<(Looks, Instant)>,
    /// It was used, and it was said if nobody will believe it.
    used: bool,
}

/// What could not be read is tried again after this time: it may have been the machine, and not the files.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What tells that a file is not what it was.
type Looks = [Option<(SystemTime, u64)>; 3];

fn looks(files: &TlsFiles) -> Looks {
    [&files.cert, &files.key, &files.ca].map(|path| {
        let metadata = path.as_deref()?.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn say_if_not_in_force(files: &TlsFiles) {
    if let Err(error) = files.in_force() {
        tracing::warn!(event = "tls.not_in_force", "Peers will not believe a certificate: {error}");
    }
}

impl<T> Reread<T> {
    fn new(files: TlsFiles, read: fn(&TlsFiles) -> Result<T, TlsError>) -> Result<Self, TlsError> {
        // Before they are read: what changes meanwhile is read again.
        let looks = looks(&files);
        let value = Arc::new(read(&files)?);
        Ok(Self { files, read, last: Mutex::new(Last { value, looks, failed: None, used: false }) })
    }

    fn fixed(value: T) -> Self {
        let last =
            Last { value: Arc::new(value), looks: Looks::default(), failed: None, used: false };
        let read = |_: &TlsFiles| Err(TlsError::NoCertificate);
        Self { files: TlsFiles::default(), read, last: Mutex::new(last) }
    }

    fn latest(&self) -> Arc<T> {
        // A panic under this lock leaves a whole value.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = looks(&self.files);
        let is_known =
            |(failed, at): (Looks, Instant)| failed == looks && at.elapsed() < AGAIN_AFTER;
        if looks != last.looks && !last.failed.is_some_and(is_known) {
            match (self.read)(&self.files) {
                Ok(value) => {
                    *last = Last { value: Arc::new(value), looks, failed: None, used: false };
                    tracing::info!(event = "tls.reloaded", "Keys and certificates were read again");
                }
                Err(error) => {
                    last.failed = Some((looks, Instant::now()));
                    tracing::warn!(
                        event = "tls.reload_failed",
                        "Keys and certificates stay as they were: {error}"
                    );
                }
            }
        }
        // Said of what is used, and once: who only looks whether files are good reads them too.
        if !std::mem::replace(&mut last.used, true) {
            say_if_not_in_force(&self.files);
        }
        Arc::clone(&last.value)
    }
}

impl<T> fmt::Debug for Reread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reread").field(&self.files).finish()
    }
}

#[cfg(test)]
mod tests;
