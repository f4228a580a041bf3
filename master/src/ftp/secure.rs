//! What a session has of TLS once its control connection is secure, and what a handshake agreed on.

use drftpd_actors::Secured;
use drftpd_actors::tls::{cipher_name, version_name};
use drftpd_protocol::wire::TlsSeen;
use sha2::{Digest, Sha256};

use crate::tls::Shown;

/// TLS of one control connection.
#[derive(Debug)]
pub struct Secure {
    /// What the session shows on its connections, and the key that ties them together.
    pub shown: Shown,
    /// What the handshake agreed on.
    pub seen: TlsSeen,
    /// SHA-256 of the certificate that the client has shown and proved to be its own.
    pub client: Option<[u8; 32]>,
    /// TLS was there from the first byte on: data connections are protected unless PROT says otherwise.
    pub implicit: bool,
}

/// SHA-256 of the client's own certificate.
pub fn fingerprint(secured: &Secured) -> Option<[u8; 32]> {
    let own = secured.peer_certificates.first()?;
    Some(Sha256::digest(own).into())
}

/// What a handshake agreed on, in words.
pub fn seen(secured: &Secured) -> TlsSeen {
    TlsSeen {
        version: secured.protocol.map_or_else(String::new, version_name),
        cipher: secured.cipher.map_or_else(String::new, cipher_name),
        resumed: secured.resumed,
    }
}
