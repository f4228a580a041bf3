//! For tests: a certificate that lives as long as the test, and clients that believe it.

use std::sync::Arc;

use drftpd_actors::{Clock, Dice};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;

use super::identity::Files;
use super::{Certificates, Identity, Tls, TlsConfig, own};
use crate::config::MasterConfig;

/// TLS of a site under test.
pub struct TestTls {
    pub tls: Tls,
    pub certificates: Certificates,
    to: watch::Sender<Arc<Identity>>,
    config: watch::Sender<Arc<MasterConfig>>,
}

fn with(tls: TlsConfig) -> MasterConfig {
    MasterConfig {
        tls,
        ..MasterConfig::default()
    }
}

fn identity() -> Identity {
    let dir = tempfile::tempdir().unwrap();
    let files = Files {
        certificate: dir.path().join("c.pem"),
        key: dir.path().join("k.pem"),
    };
    let names = vec!["localhost".to_owned()];
    assert!(own::make(&files, names, &Clock::system(), &Dice::system()).unwrap());
    files.understand(&files.read().unwrap()).unwrap()
}

impl TestTls {
    pub fn new(config: TlsConfig) -> Self {
        let config = watch::Sender::new(Arc::new(with(config)));
        let reads = config.subscribe();
        let (to, certificates) = watch::channel(Arc::new(identity()));
        Self {
            tls: Tls::new(reads, certificates.clone(), &Dice::system()),
            certificates,
            to,
            config,
        }
    }

    /// Other rules from now on.
    pub fn reload(&self, config: TlsConfig) {
        self.config.send_replace(Arc::new(with(config)));
    }

    /// Another certificate from now on.
    pub fn renew(&self) {
        self.to.send_replace(Arc::new(identity()));
    }

    /// A client that believes the certificate of now, and keeps its sessions.
    pub fn client(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let shown = self.certificates.borrow().wire.chain[0].0.clone();
        roots.add(CertificateDer::from(shown)).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}
