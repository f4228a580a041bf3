//! TLS that FTP clients see: tickets of one control session, and the settings of servers and clients.
//!
//! Control connections and data connections end on different machines. A ticket resumes on another one because
//! both build their settings here: same versions, same cipher suites in the same order, same ticket key.

mod client;
mod server;
mod session;
mod tickets;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ProtocolVersion, SupportedProtocolVersion};

pub use client::{Believed, ftp_client};
pub use server::{CONTROL_PROTOCOLS, DATA_PROTOCOLS, FtpServer};
pub use session::{TlsParts, TlsSession};
pub use tickets::SessionTickets;

/// Nothing older.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

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

/// Cipher suites with forward secrecy and authenticated encryption only, which is all that rustls has.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
