//! How slave and master prove themselves to each other: TLS 1.3, certificates of the cluster's own
//! authority on both sides, and nobody else's.

use std::path::Path;
use std::sync::Arc;

use drftpd_actors::ConfigError;
use drftpd_protocol::SlaveId;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::LinkConfig;

/// The name in the master's certificate, wherever the master runs.
pub const MASTER_NAME: &str = "master.drftpd.internal";

/// What a slave shows and whom it believes.
#[derive(Debug, Clone)]
pub struct LinkTls {
    /// For the handshake.
    pub config: Arc<ClientConfig>,
    /// The name in this slave's certificate, if it has a plain one.
    pub name: Option<SlaveId>,
}

/// The name that the master must prove.
pub fn master_name() -> ServerName<'static> {
    const NAME: &str = MASTER_NAME;
    ServerName::try_from(NAME)
        .unwrap_or_else(|_| ServerName::IpAddress(rustls_pki_types::IpAddr::V4([0; 4].into())))
}

/// Reads certificate, key and authority.
///
/// # Errors
/// The key of the configuration that names the wrong file, and what is wrong with it.
pub fn load(config: &LinkConfig) -> Result<LinkTls, ConfigError> {
    let certificate = certificate("link.certificate", &config.certificate)?;
    let authority = self::certificate("link.authority", &config.authority)?;
    let key = key(&config.key)?;
    let name = subject_name(&certificate);
    let wrong = |key: &str, error: rustls::Error| ConfigError::new(key, error.to_string());
    let mut roots = RootCertStore::empty();
    roots
        .add(authority)
        .map_err(|error| wrong("link.authority", error))?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| wrong("link", error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .map_err(|error| wrong("link.key", error))?;
    Ok(LinkTls {
        config: Arc::new(config),
        name,
    })
}

fn certificate(key: &str, path: &Path) -> Result<CertificateDer<'static>, ConfigError> {
    CertificateDer::from_pem_file(path).map_err(|error| in_file(key, path, &error))
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    const KEY: &str = "link.key";
    owner_only(path).map_err(|why| ConfigError::new(KEY, format!("{}: {why}", path.display())))?;
    PrivateKeyDer::from_pem_file(path).map_err(|error| in_file(KEY, path, &error))
}

fn in_file(key: &str, path: &Path, why: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::new(key, format!("{}: {why}", path.display()))
}

/// A key that others may read is nobody's proof.
fn owner_only(path: &Path) -> Result<(), String> {
    let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let others = meta.mode() & 0o077;
        if others != 0 {
            return Err("may be read by its owner only (chmod 600)".to_owned());
        }
    }
    match meta.is_file() {
        true => Ok(()),
        false => Err("is no file".to_owned()),
    }
}

/// The common name of a certificate, where it is a slave's name.
pub fn subject_name(certificate: &CertificateDer<'_>) -> Option<SlaveId> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?;
    name.as_str().ok()?.parse().ok()
}
