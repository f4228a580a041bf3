//! The client's side, for transfers between servers where ours begins the handshake (CPSV, SSCN).

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, Error};

use super::verifier::{Believed, Verifier};
use super::{VERSIONS, provider};

/// Settings of a client that resumes nothing, names no server and no protocol.
///
/// # Errors
/// Never with the built-in provider.
pub fn ftp_client(peer: Believed) -> Result<ClientConfig, Error> {
    let provider = provider();
    let verifier = Verifier::new(peer, Vec::new());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&VERSIONS)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(config)
}
