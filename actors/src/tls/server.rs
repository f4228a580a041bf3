//! One certificate, and settings for each connection that share everything but the tickets; and those of connections
//! whose both ends show that certificate.

use std::fmt;
use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage, ProducesTickets};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::cluster::Same;
use super::verifier::Verifier;
use super::{Believed, SessionTickets, VERSIONS, ftp_client, provider};

/// ALPN names (RFC 7301) of control connections. A client that names none is served; one that names only others is
/// refused with `no_application_protocol`, so that no web browser is led here.
pub const CONTROL_PROTOCOLS: &[&[u8]] = &[b"ftp"];
/// ALPN names of data connections: what IANA has, and what FileZilla says there.
pub const DATA_PROTOCOLS: &[&[u8]] = &[b"ftp", b"ftp-data"];

/// ALPN names of the HTTP API: an FTP client is not led there.
pub const HTTP_PROTOCOLS: &[&[u8]] = &[b"http/1.1"];

/// The certificate that FTP clients see, ready for handshakes. Settings made of it are cheap.
#[derive(Clone)]
pub struct FtpServer {
    plain: ServerConfig,
    asking: ServerConfig,
    between: Arc<ServerConfig>,
    same: Arc<Same>,
}

/// Who must be at the other end where our side begins the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Whoever it is.
    Anybody,
    /// Who has the same certificate.
    Same,
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
        let certified = Arc::new(CertifiedKey::from_der(chain, key, &provider())?);
        let same = Arc::new(Same::new(certified)?);
        let settings = |peer| Self::settings(&same, peer, protocols);
        Ok(FtpServer {
            plain: settings(Arc::new(NoClientAuth))?,
            asking: settings(Arc::new(Verifier::new(Believed::Anybody, Vec::new())))?,
            between: Arc::new(settings(Arc::new(same.verifier()))?),
            same,
        })
    }

    fn settings(
        same: &Arc<Same>,
        peer: Arc<dyn ClientCertVerifier>,
        protocols: &[&[u8]],
    ) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&VERSIONS)?
            .with_client_cert_verifier(peer)
            .with_cert_resolver(Arc::clone(same) as _);
        config.ignore_client_order = true;
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
        with_tickets(self.plain.clone(), tickets, tickets13)
    }

    /// Like [`Self::config`], and the client is asked for a certificate of its own: whichever it shows it must prove to
    /// have the key of; without one it is served all the same. Who trusts it is for those who know its fingerprint.
    pub fn asking(
        &self,
        tickets: Option<Arc<dyn ProducesTickets>>,
        tickets13: usize,
    ) -> Arc<ServerConfig> {
        with_tickets(self.asking.clone(), tickets, tickets13)
    }

    /// Settings for a connection whose other end has this certificate, too, and must prove it. Nothing is resumed.
    pub fn between(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.between)
    }

    /// Settings for a connection on which our side begins the handshake. It proves that it has this certificate to
    /// [`Self::between`], and to nobody else.
    ///
    /// # Errors
    /// Never with the built-in provider.
    pub fn client(&self, peer: Peer) -> Result<ClientConfig, rustls::Error> {
        let believed = match peer {
            Peer::Anybody => Believed::Anybody,
            Peer::Same => Believed::Exactly(self.certificate().clone()),
        };
        let mut config = ftp_client(believed)?;
        config.client_auth_cert_resolver = Arc::clone(&self.same) as _;
        Ok(config)
    }

    /// The end-entity certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.same.certificate()
    }
}

fn with_tickets(
    mut config: ServerConfig,
    tickets: Option<Arc<dyn ProducesTickets>>,
    tickets13: usize,
) -> Arc<ServerConfig> {
    if let Some(tickets) = tickets {
        config.ticketer = tickets;
        config.send_tls13_tickets = tickets13;
    }
    Arc::new(config)
}

impl fmt::Debug for FtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FtpServer(..)")
    }
}
