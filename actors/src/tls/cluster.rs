//! Two machines that show the same certificate prove it to each other, whichever of them begins the handshake.
//!
//! The one that answers asks for a certificate and takes its own only. The one that begins shows its own to whoever asks
//! for the subject of just that one, and to nobody else: what other servers make of it is not known.

use std::fmt;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::CertificateDer;

use super::verifier::{Believed, Verifier};

/// The certificate that is shown and wanted.
#[derive(Clone)]
pub(super) struct Same {
    certified: Arc<CertifiedKey>,
    certificate: CertificateDer<'static>,
    subject: Vec<DistinguishedName>,
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
        })
    }

    /// Takes the same certificate only, and asks for its subject.
    pub(super) fn verifier(&self) -> Verifier {
        let peer = Believed::Exactly(self.certificate.clone());
        Verifier::new(peer, self.subject.clone())
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
