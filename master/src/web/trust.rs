//! Whom a server must be proved by: the authorities of the Web, built in so that a container without any files has them,
//! or those of a file for authorities of one's own.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// TLS with servers that these authorities (a file of PEM) vouch for, or without a file those that browsers believe.
/// Reads the file: for a pool, or for a start.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn believes(authority: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let roots = match authority {
        None => RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => read(file).map_err(|why| format!("{}: {why}", file.display()))?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|why| format!("TLS: {why}"))?;
    let client = builder.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(client))
}

fn read(file: &Path) -> Result<RootCertStore, String> {
    let pem = std::fs::read(file).map_err(|why| why.to_string())?;
    let mut roots = RootCertStore::empty();
    for one in CertificateDer::pem_slice_iter(&pem) {
        let one = one.map_err(|why| why.to_string())?;
        roots.add(one).map_err(|why| why.to_string())?;
    }
    match roots.is_empty() {
        true => Err("has no certificate in it".to_owned()),
        false => Ok(roots),
    }
}
