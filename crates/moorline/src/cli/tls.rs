//! Keys and certificates for commands that run both sides themselves.

use std::path::PathBuf;

use crate::TlsFiles;

/// For grpcs, quic and wss.
#[derive(clap::Args, Clone, Default, Debug)]
pub(super) struct TlsArgs {
    /// The coordinator's certificate.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// The certificates of who signed it [default: whom the system trusts].
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

impl TlsArgs {
    /// What a coordinator proves itself with; it asks no worker for a certificate.
    pub(super) fn of_coordinator(&self) -> TlsFiles {
        let (cert, key) = (self.tls_cert.clone(), self.tls_key.clone());
        TlsFiles { cert, key, ca: None }
    }

    /// Whom a worker believes.
    pub(super) fn of_worker(&self) -> TlsFiles {
        TlsFiles { ca: self.tls_ca.clone(), ..TlsFiles::default() }
    }
}
