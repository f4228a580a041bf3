//! The cluster's own authority: made at the first start, it signs the master's link certificate
//! and that of every slave, and nobody else is trusted on a link.
//!
//! A slave's certificate says the name of the token that it joined with; what a signing request
//! says of a name is not looked at.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{Clock, Dice};
use drftpd_protocol::SlaveId;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SerialNumber,
};
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};

use super::secret_file::{self, SecretFileError};

/// The name in the certificate that the master shows on the slave port.
pub const MASTER_NAME: &str = "master.drftpd.internal";
/// A certificate is valid this long before it was made: clocks of machines differ.
const BACKDATED: Duration = Duration::from_secs(3600);
/// Thirty years: the authority is replaced by hand, never by surprise.
const AUTHORITY_LIFE: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
/// Ten years: a slave is removed by taking it off the list, not by its certificate's age.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

const KEY_FILE: &str = "key.pem";
const CERTIFICATE_FILE: &str = "certificate.pem";

/// Why the authority did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// One of its files.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Its certificate is there, its key is not: slaves would have to join anew.
    #[error(
        "the authority's key {0} is missing; restore it, or remove the certificate beside it and let every slave join again"
    )]
    KeyMissing(String),
    /// Its certificate cannot be read.
    #[error("the authority's certificate {0} cannot be read")]
    BadCertificate(String),
    /// Certificate and key are not of one authority.
    #[error("the authority's certificate {0} does not belong to its key")]
    NotItsKey(String),
    /// A signing request that is none, or whose signature is wrong.
    #[error("the signing request cannot be used")]
    BadRequest(#[source] rcgen::Error),
    /// A certificate was not made.
    #[error("a certificate could not be made")]
    Make(#[source] rcgen::Error),
    /// TLS does not take what was made.
    #[error("TLS for the slave port could not be set up")]
    Tls(#[from] rustls::Error),
    /// TLS does not take the authority.
    #[error("the authority cannot be used for TLS")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// SHA-256 of a certificate's DER.
pub type Fingerprint = [u8; 32];

/// SHA-256 of a certificate.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Sha256::digest(certificate).into()
}

/// The cluster's authority.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    clock: Clock,
    dice: Dice,
}

impl Authority {
    /// Takes the authority from its folder, or makes it there. Blocks; for the start of a process.
    ///
    /// # Errors
    /// When its files cannot be read, written or understood.
    pub fn open(folder: &Path, clock: Clock, dice: Dice) -> Result<Self, AuthorityError> {
        let key_path = folder.join(KEY_FILE);
        let certificate_path = folder.join(CERTIFICATE_FILE);
        let stored = secret_file::read_plain(&certificate_path)?;
        let key = match (secret_file::read(&key_path)?, &stored) {
            (Some(pem), _) => KeyPair::from_pem(&pem).map_err(AuthorityError::Make)?,
            (None, Some(_)) => {
                return Err(AuthorityError::KeyMissing(key_path.display().to_string()));
            }
            (None, None) => {
                let key = new_key()?;
                secret_file::write(&key_path, key.serialize_pem().as_bytes())?;
                key
            }
        };
        let Some(pem) = stored else {
            let (authority, pem) = Self::with_key(key, clock, dice)?;
            secret_file::write(&certificate_path, pem.as_bytes())?;
            return Ok(authority);
        };
        let named = || certificate_path.display().to_string();
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| AuthorityError::BadCertificate(named()))?;
        let authority = Self::of(certificate, key, clock, dice)
            .map_err(|_| AuthorityError::BadCertificate(named()))?;
        if !authority.has_its_key() {
            return Err(AuthorityError::NotItsKey(named()));
        }
        Ok(authority)
    }

    /// An authority that lives as long as this value; for tests and simulations.
    ///
    /// # Errors
    /// When the system gives no key.
    pub fn in_memory(clock: Clock, dice: Dice) -> Result<Self, AuthorityError> {
        Ok(Self::with_key(new_key()?, clock, dice)?.0)
    }

    fn with_key(key: KeyPair, clock: Clock, dice: Dice) -> Result<(Self, String), AuthorityError> {
        let mut params = blank("drftpd cluster authority", &clock, &dice, AUTHORITY_LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key).map_err(AuthorityError::Make)?;
        let authority = Self::of(made.der().clone(), key, clock, dice)?;
        Ok((authority, made.pem()))
    }

    fn of(
        certificate: CertificateDer<'static>,
        key: KeyPair,
        clock: Clock,
        dice: Dice,
    ) -> Result<Self, AuthorityError> {
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(AuthorityError::Make)?;
        Ok(Self {
            certificate,
            issuer,
            clock,
            dice,
        })
    }

    /// Whether the certificate is over the public half of our key.
    fn has_its_key(&self) -> bool {
        let public = self.issuer.key().public_key_raw();
        self.certificate
            .windows(public.len())
            .any(|at| at == public)
    }

    /// The authority's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What a join token says of it.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.certificate)
    }

    /// Signs a slave's key (PKCS #10, DER) for `name`.
    ///
    /// # Errors
    /// When the request is none, or not signed by its own key.
    pub fn issue(
        &self,
        name: &SlaveId,
        request: &[u8],
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let request = CertificateSigningRequestDer::from(request);
        let request = CertificateSigningRequestParams::from_der(&request)
            .map_err(AuthorityError::BadRequest)?;
        let mut params = self.leaf(name.as_str(), &format!("{name}.slave.drftpd.internal"))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params, &request.public_key)
    }

    /// TLS for the slave port: 1.3 only, with a fresh key; a client's certificate is wanted but
    /// may be missing (a machine that joins has none), and must be of this authority.
    ///
    /// # Errors
    /// When TLS does not take the certificates.
    pub fn link_config(&self) -> Result<Arc<ServerConfig>, AuthorityError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .allow_unauthenticated()
                .build()?;
        let key = new_key()?;
        let mut params = self.leaf("drftpd master", MASTER_NAME)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let own = self.sign(&params, &key)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![own, self.certificate.clone()], key.into())?;
        // Links are few and long: nothing is gained by resuming, and every one is proved anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    fn leaf(&self, common_name: &str, dns: &str) -> Result<CertificateParams, AuthorityError> {
        let names = CertificateParams::new(vec![dns.to_owned()]).map_err(AuthorityError::Make)?;
        let mut params = blank(common_name, &self.clock, &self.dice, CERTIFICATE_LIFE);
        params.subject_alt_names = names.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    fn sign(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let made = params
            .signed_by(key, &self.issuer)
            .map_err(AuthorityError::Make)?;
        Ok(made.der().clone())
    }
}

fn new_key() -> Result<KeyPair, AuthorityError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::Make)
}

fn blank(common_name: &str, clock: &Clock, dice: &Dice, life: Duration) -> CertificateParams {
    let now = clock.now();
    let mut serial = dice.token();
    serial[0] &= 0x7F; // a serial number is positive
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from_slice(&serial[..16]));
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + life).into();
    params
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
