//! Proving a master by the fingerprint in a token: the chain that it shows must contain the
//! authority with that fingerprint, and its own certificate must be signed by it.

use std::io;
use std::sync::Arc;

use rcgen::KeyPair;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme, version,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};

use super::JoinError;
use crate::link::DialError;

/// Why a master is not the one that made the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Another authority, or none.
    #[error("the fingerprint differs: the master shows no authority that the token names")]
    OtherAuthority,
    /// The authority is there, but it did not sign this.
    #[error("the token's authority did not sign the master's certificate: {0}")]
    NotSigned(String),
    /// TLS could not be set up at all.
    #[error("TLS cannot be used: {0}")]
    Tls(String),
}

/// SHA-256 of a certificate (DER).
pub(super) fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// For a handshake with whoever can show that authority; shows no certificate.
pub(super) fn client_config(authority: [u8; 32]) -> Result<Arc<ClientConfig>, PinError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Pinned {
        authority,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| PinError::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Why a handshake failed: the verifier's own words where it was the verifier.
pub(super) fn explain(error: io::Error) -> JoinError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    if let Some(Error::InvalidCertificate(CertificateError::Other(OtherError(why)))) = inner
        && let Some(why) = why.downcast_ref::<PinError>()
    {
        return why.clone().into();
    }
    DialError::NotProved(error).into()
}

/// Whether a certificate is for this key, so that the link will work.
pub(super) fn fits(certificate: &CertificateDer<'static>, key: &KeyPair) -> bool {
    let Ok(key) = PrivateKeyDer::try_from(key.serialize_der()) else {
        return false;
    };
    let chain = vec![certificate.clone()];
    let provider = Arc::new(aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .is_ok_and(|builder| {
            let builder = builder.with_root_certificates(RootCertStore::empty());
            builder.with_client_auth_cert(chain, key).is_ok()
        })
}

#[derive(Debug)]
struct Pinned {
    authority: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = others
            .iter()
            .find(|shown| fingerprint(shown) == self.authority);
        let authority = authority.ok_or_else(|| refused(PinError::OtherAuthority))?;
        let not_signed = |why: String| refused(PinError::NotSigned(why));
        let mut roots = RootCertStore::empty();
        let added = roots.add(authority.clone().into_owned());
        added.map_err(|error| not_signed(error.to_string()))?;
        let provider = Arc::clone(&self.provider);
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let webpki = webpki
            .build()
            .map_err(|error| not_signed(error.to_string()))?;
        let verified = webpki.verify_server_cert(leaf, others, name, ocsp, now);
        verified.map_err(|error| not_signed(error.to_string()))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn refused(why: PinError) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
}
