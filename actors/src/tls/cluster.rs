//! Two machines that show the same certificate prove it to each other, whichever of them begins the handshake.
//!
//! The one that answers asks for a certificate and takes its own only. The one that begins shows its own to whoever asks
//! for the subject of just that one, and to nobody else: what other servers make of it is not known.

use std::fmt;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::provider;

/// The certificate that is shown and wanted.
#[derive(Clone)]
pub(super) struct Same {
    certified: Arc<CertifiedKey>,
    certificate: CertificateDer<'static>,
    subject: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Same {
    /// Of a certificate and its key.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn new(certified: Arc<CertifiedKey>) -> Result<Self, Error> {
        let certificate = certified.end_entity_cert()?.clone().into_owned();
        let mut named = RootCertStore::empty();
        named.add(certificate.clone())?;
        Ok(Self {
            certified,
            certificate,
            subject: named.subjects(),
            algorithms: provider().signature_verification_algorithms,
        })
    }

    /// The end-entity certificate.
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

impl fmt::Debug for Same {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Same(..)")
    }
}

impl ClientCertVerifier for Same {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subject
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.certificate == *end_entity {
            return Ok(ClientCertVerified::assertion());
        }
        let why = CertificateError::ApplicationVerificationFailure;
        Err(Error::InvalidCertificate(why))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ResolvesServerCert for Same {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certified))
    }
}

impl ResolvesClientCert for Same {
    fn resolve(&self, wanted: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mine = |subject: &DistinguishedName| wanted.contains(&subject.as_ref());
        let asked = self.subject.iter().any(mine);
        asked.then(|| Arc::clone(&self.certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
