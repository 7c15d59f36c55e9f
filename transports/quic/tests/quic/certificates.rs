//! Certificates for the two ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moorline_quic::QuicTransport;
use moorline_transport::{ClientTls, Security, ServerTls, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use tempfile::TempDir;

/// Whoever signs certificates.
pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

/// How long [`ends_soon`] leaves: enough to read the file, which nobody does who could not use it.
pub(crate) const LIFE: Duration = Duration::from_secs(5);

/// A certificate that can be read now, and is over [`LIFE`] later.
pub(crate) fn ends_soon(params: &mut CertificateParams) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("later than 1970");
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(1970, 1, 1) + now + LIFE;
}

/// What a certificate says, for the machine the tests run on.
pub(crate) fn params(name: &str) -> CertificateParams {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A certificate with its key and whom its owner believes, as files.
pub(crate) struct Files {
    pub(crate) files: TlsFiles,
    _dir: TempDir,
}

impl Files {
    pub(crate) fn new(params: CertificateParams, by: &Authority, believes: &Authority) -> Self {
        let dir = TempDir::new().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("written");
            Some(path)
        };
        let cert = params.signed_by(&key, by).expect("signed");
        let files = TlsFiles {
            cert: write("cert.pem", &cert.pem()),
            key: write("key.pem", &key.serialize_pem()),
            ca: write("ca.pem", &believes.pem()),
        };
        Self { files, _dir: dir }
    }

    /// Nobody is asked for a certificate.
    pub(crate) fn open_server(&self) -> ServerTls {
        ServerTls::from_files(TlsFiles { ca: None, ..self.files.clone() }).expect("files")
    }

    pub(crate) fn server(&self) -> ServerTls {
        ServerTls::from_files(self.files.clone()).expect("files")
    }

    /// Shows no certificate.
    pub(crate) fn nameless_client(&self) -> ClientTls {
        let ca = self.files.ca.clone();
        ClientTls::from_files(TlsFiles { ca, ..TlsFiles::default() }).expect("files")
    }

    pub(crate) fn client(&self) -> ClientTls {
        ClientTls::from_files(self.files.clone()).expect("files")
    }
}

/// Both ends of a transport that believe each other.
pub(crate) fn security() -> Security {
    let ca = authority();
    let files = Files::new(params("the coordinator"), &ca, &ca);
    Security::new().with_server(files.open_server()).with_client(files.nameless_client())
}

/// A transport both ends of which believe each other.
pub(crate) fn transport() -> QuicTransport {
    QuicTransport::new().with_security(security())
}
