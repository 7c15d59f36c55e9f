//! The transport between coordinators and workers: `MOORLINE_TEST_TRANSPORT` is grpc (the default),
//! grpcs, quic, ws or wss; `cargo xtask matrix` runs the suite over each. Certificates are made once for
//! each test process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use moorline::{TlsFiles, Worker, WorkerBuilder};
use moorline_grpc::GrpcTransport;
use moorline_quic::QuicTransport;
use moorline_transport::{ClientTls, Security, ServerTls, Transport};
use moorline_websocket::WebSocketTransport;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

/// The scheme under test.
pub(crate) fn scheme() -> &'static str {
    static SCHEME: OnceLock<String> = OnceLock::new();
    SCHEME.get_or_init(|| {
        let scheme = std::env::var("MOORLINE_TEST_TRANSPORT").unwrap_or_else(|_| "grpc".to_owned());
        assert!(["grpc", "grpcs", "quic", "ws", "wss"].contains(&&*scheme), "{scheme}");
        scheme
    })
}

/// Whether it has TLS.
pub(crate) fn is_encrypted() -> bool {
    ["grpcs", "quic", "wss"].contains(&scheme())
}

/// Whether its packets travel as datagrams: there is no connection to be refused, and none to be cut by
/// whoever is in between.
pub(crate) fn is_udp() -> bool {
    scheme() == "quic"
}

/// A coordinator there.
pub(crate) fn url(at: SocketAddr) -> String {
    format!("{}://{at}", scheme())
}

/// A worker in this process that dials there.
pub(crate) fn worker(at: SocketAddr) -> WorkerBuilder {
    let builder = Worker::builder(url(at));
    if is_encrypted() { builder.tls(pki().believes()) } else { builder }
}

/// The transport itself, for peers that are no workers and no coordinators of ours.
pub(crate) fn transport() -> Arc<dyn Transport> {
    static TRANSPORT: OnceLock<Arc<dyn Transport>> = OnceLock::new();
    Arc::clone(TRANSPORT.get_or_init(new_transport))
}

fn new_transport() -> Arc<dyn Transport> {
    let mut security = Security::new();
    if is_encrypted() {
        let client = ClientTls::from_files(pki().believes()).unwrap();
        let server = ServerTls::from_files(pki().proves("coordinator")).unwrap();
        security = security.with_client(client).with_server(server);
    }
    match scheme() {
        "grpc" | "grpcs" => Arc::new(GrpcTransport::new().with_security(security)),
        "quic" => Arc::new(QuicTransport::new().with_security(security)),
        _ => Arc::new(WebSocketTransport::new().with_security(security)),
    }
}

/// Variables with which both roles find their files, if they need any; and the runtime of workers.
pub(crate) fn variables() -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    if is_encrypted() {
        let pki = pki();
        variables.extend([
            ("MOORLINE_COORDINATOR_TLS_CERT", pki.path("coordinator.pem")),
            ("MOORLINE_COORDINATOR_TLS_KEY", pki.path("coordinator.key")),
            ("MOORLINE_WORKER_TLS_CA", pki.path("ca.pem")),
        ]);
    }
    let mut variables: Vec<_> =
        variables.into_iter().map(|(name, path)| (name, path.display().to_string())).collect();
    if let Ok(runtime) = std::env::var("MOORLINE_TEST_RUNTIME") {
        variables.push(("MOORLINE_RUNTIME", runtime));
    }
    variables
}

/// Flags of commands that take files for both sides, if they need any.
pub(crate) fn flags() -> Vec<String> {
    if !is_encrypted() {
        return Vec::new();
    }
    let flag = |name: &str, file: &str| format!("--tls-{name}={}", pki().path(file).display());
    vec![flag("cert", "coordinator.pem"), flag("key", "coordinator.key"), flag("ca", "ca.pem")]
}

/// An authority and what it has signed, in a directory.
pub(crate) struct Pki {
    authority: CertifiedIssuer<'static, KeyPair>,
    directory: PathBuf,
}

/// That of this test process: a coordinator's certificate is in it.
pub(crate) fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(|| {
        let name = format!("pki-{}", std::process::id());
        let pki = Pki::new(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        pki.issue("coordinator");
        pki
    })
}

impl Pki {
    /// Makes an authority, whose certificate is `ca.pem`.
    pub(crate) fn new(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
        Self { authority, directory: directory.to_owned() }
    }

    /// Signs a certificate for this machine in this name: `NAME.pem` and `NAME.key`.
    pub(crate) fn issue(&self, name: &str) {
        self.issue_with(name, |_| ());
    }

    /// The same with something changed.
    pub(crate) fn issue_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.authority).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), cert.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// Believes this authority.
    fn believes(&self) -> TlsFiles {
        TlsFiles { ca: Some(self.path("ca.pem")), ..TlsFiles::default() }
    }

    /// Shows this certificate.
    fn proves(&self, name: &str) -> TlsFiles {
        let path = |kind: &str| Some(self.path(&format!("{name}.{kind}")));
        TlsFiles { cert: path("pem"), key: path("key"), ca: None }
    }
}
