//! TLS that FTP clients see: tickets of one control session, and the settings of servers and clients.
//!
//! Control connections and data connections end on different machines. A ticket resumes on another one because
//! both build their settings here: same versions, same cipher suites in the same order, same ticket key.

mod client;
mod cluster;
mod server;
mod session;
mod tickets;
mod verifier;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion};

pub use client::ftp_client;
pub use server::{CONTROL_PROTOCOLS, DATA_PROTOCOLS, FtpServer, HTTP_PROTOCOLS, Peer};
pub use session::{TlsParts, TlsSession};
pub use tickets::SessionTickets;
pub use verifier::Believed;

/// Nothing older.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// Those with forward secrecy and authenticated encryption, which is all that rustls has; servers take the first that
/// the client has, whatever it likes best.
///
/// AES-128 comes first: its handshakes hash with SHA-256, and a resumed one, which is mostly hashing, costs a sender
/// 0.78 of a full one, against 0.90 with AES-256 and SHA-384.
const SUITES: [SupportedCipherSuite; 9] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// A version as people write it: `TLS 1.3`.
pub fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// A cipher suite as IANA has it: `TLS_AES_256_GCM_SHA384`.
pub fn cipher_name(suite: CipherSuite) -> String {
    format!("{suite:?}").replacen("TLS13_", "TLS_", 1)
}

/// Whether a handshake failed because of a TLS peer with a reason, its alert or a certificate that is not believed or not
/// there; not because of somebody who speaks no TLS, or not at all.
pub fn is_verdict(why: &io::Error) -> bool {
    use rustls::Error::{AlertReceived, InvalidCertificate, NoCertificatesPresented};
    let reason = why.get_ref().and_then(|reason| reason.downcast_ref());
    matches!(
        reason,
        Some(AlertReceived(_) | InvalidCertificate(_) | NoCertificatesPresented)
    )
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: SUITES.to_vec(),
        ..aws_lc_rs::default_provider()
    })
}
