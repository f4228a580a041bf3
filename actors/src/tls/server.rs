//! The server's side: one certificate, and settings for each connection that share everything but the tickets.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{SessionTickets, VERSIONS, provider};

/// ALPN names (RFC 7301) of control connections. A client that names none is served; one that names only others is
/// refused with `no_application_protocol`, so that no web browser is led here.
pub const CONTROL_PROTOCOLS: &[&[u8]] = &[b"ftp"];
/// ALPN names of data connections: what IANA has, and what FileZilla says there.
pub const DATA_PROTOCOLS: &[&[u8]] = &[b"ftp", b"ftp-data"];

/// The certificate that FTP clients see, ready for handshakes. Settings made of it are cheap.
#[derive(Clone)]
pub struct FtpServer {
    plain: ServerConfig,
    certificate: CertificateDer<'static>,
}

impl FtpServer {
    /// Of a chain, the end-entity certificate first, and its key.
    ///
    /// # Errors
    /// When there is no certificate, the key cannot be used, or it is another certificate's.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        protocols: &[&[u8]],
    ) -> Result<Self, rustls::Error> {
        let provider = provider();
        let certified = CertifiedKey::from_der(chain, key, &provider)?;
        let certificate = certified.end_entity_cert()?.clone().into_owned();
        let resolver = Arc::new(SingleCertAndKey::from(certified));
        let plain = Self::settings(provider, resolver, protocols)?;
        Ok(FtpServer { plain, certificate })
    }

    fn settings(
        provider: Arc<CryptoProvider>,
        resolver: Arc<dyn ResolvesServerCert>,
        protocols: &[&[u8]],
    ) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&VERSIONS)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        // Tickets are the only memory of sessions: another machine has no other.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = SessionTickets::none();
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// Settings for one session's connections. `tickets13` is how many TLS 1.3 tickets follow the handshake: several
    /// on control connections, because some clients use each once; none on data connections that receive, because
    /// clients that never read there lose the end of their upload.
    pub fn config(
        &self,
        tickets: Option<Arc<dyn ProducesTickets>>,
        tickets13: usize,
    ) -> Arc<ServerConfig> {
        let mut config = self.plain.clone();
        if let Some(tickets) = tickets {
            config.ticketer = tickets;
            config.send_tls13_tickets = tickets13;
        }
        Arc::new(config)
    }

    /// The end-entity certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

impl fmt::Debug for FtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FtpServer(..)")
    }
}
