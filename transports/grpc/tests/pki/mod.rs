//! Authorities, certificates and their files.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moorline_grpc::GrpcTransport;
use moorline_transport::{ClientTls, Security, ServerTls, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use tempfile::TempDir;

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

/// A certificate for `localhost` and 127.0.0.1, and its key, as PEM.
pub(crate) fn issued(by: &Authority, name: &str) -> (String, String) {
    issued_with(by, name, |_| ())
}

/// The same with something changed.
pub(crate) fn issued_with(
    by: &Authority,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> (String, String) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    (params.signed_by(&key, by).expect("signed").pem(), key.serialize_pem())
}

/// A certificate, its key and whom their owner believes, in files that go with this.
pub(crate) struct Files {
    dir: TempDir,
    pub(crate) files: TlsFiles,
}

impl Files {
    pub(crate) fn new(ca: &Authority, (cert, key): &(String, String)) -> Self {
        let dir = TempDir::new().expect("a directory");
        let path = |name: &str| Some(dir.path().join(name));
        let files = TlsFiles { cert: path("cert.pem"), key: path("key.pem"), ca: path("ca.pem") };
        let files = Self { dir, files };
        files.write("ca.pem", &ca.pem());
        files.write("cert.pem", cert);
        files.write("key.pem", key);
        files
    }

    /// Writes a file so that it looks changed, however fast that is.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        let before = path.metadata().and_then(|metadata| metadata.modified());
        std::fs::write(&path, text).expect("written");
        if let Ok(before) = before {
            let file = std::fs::File::options().write(true).open(&path).expect("opened");
            file.set_modified(before + Duration::from_secs(1)).expect("its time is set");
        }
    }

    /// Listens with these, and asks nobody for a certificate.
    pub(crate) fn listens(&self) -> GrpcTransport {
        let files = TlsFiles { ca: None, ..self.files.clone() };
        let server = ServerTls::from_files(files).expect("files");
        GrpcTransport::new().with_security(Security::new().with_server(server))
    }

    /// Listens with these, and lets only those in whose certificate the authority signed.
    pub(crate) fn listens_to_workers(&self) -> GrpcTransport {
        let server = ServerTls::from_files(self.files.clone()).expect("files");
        GrpcTransport::new().with_security(Security::new().with_server(server))
    }

    /// Dials with these.
    pub(crate) fn dials(&self) -> GrpcTransport {
        let client = ClientTls::from_files(self.files.clone()).expect("files");
        GrpcTransport::new().with_security(Security::new().with_client(client))
    }

    /// Dials without a certificate of its own.
    pub(crate) fn dials_as_nobody(&self) -> GrpcTransport {
        let files = TlsFiles { cert: None, key: None, ..self.files.clone() };
        let client = ClientTls::from_files(files).expect("files");
        GrpcTransport::new().with_security(Security::new().with_client(client))
    }
}
