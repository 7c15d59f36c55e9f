//! Keys and certificates, from the files that `moorline bench` takes, by the same flags.

use std::fs;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::Error;

/// What was named.
#[derive(Clone, Default, Debug)]
pub(super) struct Files {
    cert: Option<String>,
    key: Option<String>,
    ca: Option<String>,
}

impl Files {
    pub(super) fn of(args: &[&str]) -> Result<Self, Error> {
        let mut files = Self::default();
        for pair in args.chunks(2) {
            let [flag, file] = *pair else { return Err(super::USAGE.into()) };
            let place = match flag {
                "--tls-cert" => &mut files.cert,
                "--tls-key" => &mut files.key,
                "--tls-ca" => &mut files.ca,
                _ => return Err(super::USAGE.into()),
            };
            *place = Some(file.to_owned());
        }
        Ok(files)
    }

    /// Whether there is something for a listener to prove itself with.
    pub(super) fn proves(&self) -> bool {
        self.cert.is_some()
    }

    /// Certificate and key as they are in their files.
    pub(super) fn identity(&self) -> Result<(String, String), Error> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Err("--tls-cert and --tls-key are missing".into());
        };
        Ok((fs::read_to_string(cert)?, fs::read_to_string(key)?))
    }

    /// The certificates of who signed.
    pub(super) fn authority(&self) -> Result<String, Error> {
        Ok(fs::read_to_string(self.ca.as_ref().ok_or("--tls-ca is missing")?)?)
    }

    pub(super) fn server(&self, protocol: Option<&[u8]>) -> Result<Arc<ServerConfig>, Error> {
        let (cert, key) = self.identity()?;
        let certs = CertificateDer::pem_slice_iter(cert.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certs, key)?;
        config.alpn_protocols.extend(protocol.map(<[u8]>::to_vec));
        Ok(Arc::new(config))
    }

    pub(super) fn client(&self, protocol: Option<&[u8]>) -> Result<Arc<ClientConfig>, Error> {
        let mut roots = RootCertStore::empty();
        for cert in CertificateDer::pem_slice_iter(self.authority()?.as_bytes()) {
            roots.add(cert?)?;
        }
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols.extend(protocol.map(<[u8]>::to_vec));
        Ok(Arc::new(config))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
