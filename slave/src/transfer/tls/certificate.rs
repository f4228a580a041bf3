//! The certificate that FTP clients see, as the master gave it last. In memory only.

use std::sync::{Arc, PoisonError, RwLock};

use drftpd_actors::tls::{DATA_PROTOCOLS, FtpServer};
use drftpd_protocol::wire::{Fault, FaultCode, FtpCertificate};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The newest certificate; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Certificate(Arc<RwLock<Option<FtpServer>>>);

impl Certificate {
    /// Takes another one, for handshakes that begin from now on.
    ///
    /// # Errors
    /// `BAD_REQUEST` for one that cannot be used; the one that was there stays.
    pub fn set(&self, given: FtpCertificate) -> Result<(), Fault> {
        let chain = given.chain.into_iter();
        let chain = chain.map(|der| CertificateDer::from(der.0)).collect();
        let bad = |why: &dyn std::fmt::Display| {
            let text = format!("ftp certificate: {why}");
            Fault::new(FaultCode::BAD_REQUEST, text)
        };
        let key = PrivateKeyDer::try_from(given.key.0).map_err(|why| bad(&why))?;
        let server = FtpServer::new(chain, key, DATA_PROTOCOLS).map_err(|why| bad(&why))?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    /// The newest one.
    ///
    /// # Errors
    /// `NO_CERTIFICATE` as long as the master gave none.
    pub fn now(&self) -> Result<FtpServer, Fault> {
        let server = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        server.ok_or_else(|| Fault::new(FaultCode::NO_CERTIFICATE, "no ftp certificate yet"))
    }
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::wire::Der;
    use rcgen::generate_simple_self_signed;

    use super::*;

    fn made() -> FtpCertificate {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        FtpCertificate {
            chain: vec![Der(made.cert.der().to_vec())],
            key: Der(made.signing_key.serialize_der()),
        }
    }

    fn shown(certificate: &Certificate) -> Vec<u8> {
        let server = certificate.now().unwrap();
        server.certificate().to_vec()
    }

    #[test]
    fn the_newest_certificate_is_used_and_a_bad_one_changes_nothing() {
        let certificate = Certificate::default();
        let none = certificate.now().unwrap_err();
        assert_eq!(none.code, FaultCode::NO_CERTIFICATE);
        let (first, second) = (made(), made());
        certificate.set(first.clone()).unwrap();
        assert_eq!(shown(&certificate), first.chain[0].0);
        certificate.set(second.clone()).unwrap();
        assert_eq!(shown(&certificate), second.chain[0].0);
        let wrong_key = FtpCertificate {
            key: first.key.clone(),
            ..second.clone()
        };
        let no_chain = FtpCertificate {
            chain: Vec::new(),
            ..first.clone()
        };
        let no_key = FtpCertificate {
            key: Der(vec![1, 2, 3]),
            ..first
        };
        for bad in [wrong_key, no_chain, no_key] {
            let fault = certificate.set(bad).unwrap_err();
            assert_eq!(fault.code, FaultCode::BAD_REQUEST);
            assert_eq!(shown(&certificate), second.chain[0].0);
        }
    }
}
