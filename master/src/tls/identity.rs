//! A certificate with its key, read from files and proved to be of use: what control connections show, and what is
//! handed to the slaves.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::{rsa, signature};
use drftpd_actors::tls::{CONTROL_PROTOCOLS, DATA_PROTOCOLS, FtpServer, HTTP_PROTOCOLS};
use drftpd_protocol::wire::{Der, FtpCertificate};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What others may do with a key's file: nothing.
const OTHERS: u32 = 0o007;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Read(PathBuf, io::Error),
    /// Everybody can read the key.
    #[error("{0} can be read by everybody (mode {1:o}): make it 0600 or 0640")]
    Open(PathBuf, u32),
    /// There is no certificate, or no key, in a file.
    #[error("{0}: {1}")]
    Pem(PathBuf, pem::Error),
    /// The file has none.
    #[error("{0} has no certificate in it")]
    NoCertificate(PathBuf),
    /// The certificate itself cannot be understood.
    #[error("{0} has a certificate that cannot be understood")]
    BadCertificate(PathBuf),
    /// The key is of no kind that can be used.
    #[error("{0} has a key of a kind that cannot be used")]
    BadKey(PathBuf),
    /// TLS does not take both together.
    #[error("{0} and {1} are of no use for TLS")]
    Tls(PathBuf, PathBuf, #[source] rustls::Error),
    /// Its time is over.
    #[error("{0} was valid until {1}")]
    Expired(PathBuf, String),
}

/// A certificate with its key.
pub struct Identity {
    /// For control connections.
    pub control: FtpServer,
    /// For data connections of the master's own.
    pub data: FtpServer,
    /// For the HTTP API.
    pub http: FtpServer,
    /// For slaves.
    pub wire: Arc<FtpCertificate>,
    /// SHA-256 of the end-entity certificate.
    pub fingerprint: [u8; 32],
    /// Valid until, Unix seconds.
    pub until: i64,
    /// Valid until, for people.
    pub until_text: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({}…)", self.short())
    }
}

/// The two files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Certificates, the end-entity one first.
    pub certificate: PathBuf,
    /// The key of the first.
    pub key: PathBuf,
}

/// What stands in both files; compared to see a change.
#[derive(PartialEq, Eq)]
pub struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    /// Of one file that has both.
    pub fn of_one_file(pem: &[u8]) -> Self {
        Self {
            certificate: pem.to_vec(),
            key: pem.to_vec(),
        }
    }
}

impl Files {
    /// Reads both. Blocks for two small files.
    ///
    /// # Errors
    /// When one cannot be read, or everybody can read the key.
    pub fn read(&self) -> Result<Contents, IdentityError> {
        let read =
            |path: &Path| fs::read(path).map_err(|why| IdentityError::Read(path.into(), why));
        let certificate = read(&self.certificate)?;
        let key = read(&self.key)?;
        let meta = fs::metadata(&self.key);
        let meta = meta.map_err(|why| IdentityError::Read(self.key.clone(), why))?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(IdentityError::Open(self.key.clone(), mode));
        }
        Ok(Contents { certificate, key })
    }

    /// Whether the certificate is there. Blocks for a moment.
    pub fn exist(&self) -> bool {
        self.certificate.exists()
    }

    /// Makes of it what can be shown.
    ///
    /// # Errors
    /// When it is of no use.
    pub fn understand(&self, contents: &Contents) -> Result<Identity, IdentityError> {
        let (certificate, key) = (&self.certificate, &self.key);
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| IdentityError::Pem(certificate.clone(), why))?;
        let first = chain.first();
        let first = first.ok_or_else(|| IdentityError::NoCertificate(certificate.clone()))?;
        let parsed = X509Certificate::from_der(first);
        let (_, parsed) = parsed.map_err(|_| IdentityError::BadCertificate(certificate.clone()))?;
        let until = parsed.validity().not_after;
        let (until, until_text) = (until.timestamp(), until.to_string());
        let fingerprint = Sha256::digest(first).into();
        let its_key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|why| IdentityError::Pem(key.clone(), why))?;
        let pkcs8 = as_pkcs8(&its_key).ok_or_else(|| IdentityError::BadKey(key.clone()))?;
        let wire = FtpCertificate {
            chain: chain.iter().map(|one| Der(one.to_vec())).collect(),
            key: Der(pkcs8.secret_pkcs8_der().to_vec()),
        };
        let server = |protocols| {
            let its_key = PrivateKeyDer::Pkcs8(pkcs8.clone_key());
            let server = FtpServer::new(chain.clone(), its_key, protocols);
            server.map_err(|why| IdentityError::Tls(certificate.clone(), key.clone(), why))
        };
        Ok(Identity {
            control: server(CONTROL_PROTOCOLS)?,
            data: server(DATA_PROTOCOLS)?,
            http: server(HTTP_PROTOCOLS)?,
            wire: Arc::new(wire),
            fingerprint,
            until,
            until_text,
        })
    }
}

impl Identity {
    /// The beginning of the fingerprint, for the log.
    pub fn short(&self) -> String {
        let bytes = self.fingerprint.iter().take(8);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A key in the one form that is handed to slaves.
fn as_pkcs8(key: &PrivateKeyDer<'_>) -> Option<PrivatePkcs8KeyDer<'static>> {
    let bytes = match key {
        PrivateKeyDer::Pkcs8(key) => key.secret_pkcs8_der().to_vec(),
        PrivateKeyDer::Pkcs1(key) => {
            let key = rsa::KeyPair::from_der(key.secret_pkcs1_der()).ok()?;
            let form: Pkcs8V1Der<'_> = key.as_der().ok()?;
            form.as_ref().to_vec()
        }
        PrivateKeyDer::Sec1(key) => {
            let curves = [
                &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
                &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
                &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
            ];
            let of = |curve| {
                signature::EcdsaKeyPair::from_private_key_der(curve, key.secret_sec1_der()).ok()
            };
            let key = curves.into_iter().find_map(of)?;
            key.to_pkcs8v1().ok()?.as_ref().to_vec()
        }
        _ => return None,
    };
    Some(PrivatePkcs8KeyDer::from(bytes))
}
