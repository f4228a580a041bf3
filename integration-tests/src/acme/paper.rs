//! Certificates: the authority's own, and those that it gives.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::aws_lc_rs::digest::{SHA256, digest};
use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateSigningRequestDer, PrivateKeyDer};

/// The authority's own.
pub(super) struct Paper {
    root: Issuer<'static, KeyPair>,
    root_pem: String,
    https: rcgen::Certificate,
    https_key: KeyPair,
}

impl Paper {
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "scripted authority");
        let root_pem = params.self_signed(&key)?.pem();
        let https_key = KeyPair::generate()?;
        let https = CertificateParams::new(vec!["localhost".to_owned()])?;
        let https = https.self_signed(&https_key)?;
        Ok(Self {
            root: Issuer::new(params, key),
            root_pem,
            https,
            https_key,
        })
    }

    /// What the directory is proved by.
    pub fn https_pem(&self) -> String {
        self.https.pem()
    }

    /// What its certificates are proved by.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    pub fn https(&self) -> Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::Pkcs8(self.https_key.serialize_der().into());
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()?
            .with_no_client_auth();
        Ok(Arc::new(
            builder.with_single_cert(vec![self.https.der().clone()], key)?,
        ))
    }

    /// A certificate for a request that names exactly these, and its authority's, PEM; and its fingerprint.
    pub fn sign(
        &self,
        request: Vec<u8>,
        names: &[String],
        (before, after): (Duration, Duration),
    ) -> Result<(String, String)> {
        let request = CertificateSigningRequestDer::from(request);
        let mut request = CertificateSigningRequestParams::from_der(&request)?;
        let mut wanted: Vec<String> = Vec::new();
        for name in &request.params.subject_alt_names {
            wanted.push(match name {
                SanType::DnsName(name) => name.to_string(),
                SanType::IpAddress(ip) => ip.to_string(),
                other => anyhow::bail!("the request is for {other:?}"),
            });
        }
        wanted.sort();
        let mut ordered = names.to_vec();
        ordered.sort();
        ensure!(
            wanted == ordered,
            "{wanted:?} in the request, {ordered:?} in the order"
        );
        let now = SystemTime::now();
        request.params.not_before = now.checked_sub(before).context("time")?.into();
        request.params.not_after = now.checked_add(after).context("time")?.into();
        request.params.use_authority_key_identifier_extension = true;
        let signed = request.signed_by(&self.root)?;
        let fingerprint = digest(&SHA256, signed.der());
        let hex = fingerprint.as_ref().iter();
        let hex = hex.map(|byte| format!("{byte:02x}")).collect();
        Ok((signed.pem() + &self.root_pem, hex))
    }
}
