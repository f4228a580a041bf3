//! What a session has of TLS once its control connection is secure, and what a handshake agreed on.

use drftpd_actors::Secured;
use drftpd_actors::tls::{cipher_name, version_name};
use drftpd_protocol::wire::TlsSeen;

use crate::tls::Shown;

/// TLS of one control connection.
#[derive(Debug)]
pub struct Secure {
    /// What the session shows on its connections, and the key that ties them together.
    pub shown: Shown,
    /// What the handshake agreed on.
    pub seen: TlsSeen,
    /// TLS was there from the first byte on: data connections are protected unless PROT says otherwise.
    pub implicit: bool,
}

/// What a handshake agreed on, in words.
pub fn seen(secured: &Secured) -> TlsSeen {
    TlsSeen {
        version: secured.protocol.map_or_else(String::new, version_name),
        cipher: secured.cipher.map_or_else(String::new, cipher_name),
        resumed: secured.resumed,
    }
}
