//! Whom the directory must be proved by: the authorities of the Web, built in so that a container without any files has
//! them, or those of a file for authorities of one's own (step-ca, Pebble).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use drftpd_actors::Blocking;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::config::AcmeConfig;
use super::error::AcmeError;

/// TLS with the directory.
pub(super) async fn client(
    config: &AcmeConfig,
    blocking: &Blocking,
) -> Result<Arc<ClientConfig>, AcmeError> {
    let roots = match config.authority.clone() {
        None => RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => blocking.run(move || read(&file)).await??,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let client = builder.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(client))
}

fn read(file: &Path) -> Result<RootCertStore, AcmeError> {
    let bad = |why: String| {
        let file = PathBuf::from(file);
        AcmeError::Named(format!("{} (tls.acme.authority): {why}", file.display()))
    };
    let pem = std::fs::read(file).map_err(|why| bad(why.to_string()))?;
    let mut roots = RootCertStore::empty();
    for one in CertificateDer::pem_slice_iter(&pem) {
        let one = one.map_err(|why| bad(why.to_string()))?;
        roots.add(one).map_err(|why| bad(why.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(bad("has no certificate in it".to_owned())),
        false => Ok(roots),
    }
}
