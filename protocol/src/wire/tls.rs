//! TLS between FTP clients and slaves: the certificate that clients see, and what a data connection does with it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes in DER, as certificates and keys have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Der(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// The certificate that FTP clients see. Comes after every welcome and whenever it changes; a slave keeps it in
/// memory only. Handshakes that begin later use it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FtpCertificate {
    /// The end-entity certificate first, then those that lead to its authority.
    pub chain: Vec<Der>,
    /// Its key, PKCS#8.
    pub key: Der,
}

impl fmt::Debug for FtpCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FtpCertificate({} in the chain)", self.chain.len())
    }
}

/// TLS of one data connection (RFC 4217, section 9). Its handshake begins when the transfer does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataTls {
    /// The slave answers the handshake with the FTP certificate.
    Server {
        /// Opens the tickets of this control session, and of no other.
        tickets: TicketKey,
        /// Whether an earlier session is resumed.
        resumption: Resumption,
    },
    /// The slave begins the handshake (CPSV, SSCN ON).
    Client {
        /// Whom it believes.
        peer: TlsPeer,
    },
    /// The slave answers the handshake of another slave of the same cluster, which must show the end-entity certificate
    /// of [`FtpCertificate`] as well. Nothing is resumed.
    ServerOfCluster,
}

/// Whether a data connection resumes the TLS session of its control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resumption {
    /// It must; a full handshake ends the transfer.
    Required,
    /// It may.
    Offered,
    /// It may not: no ticket is taken or given.
    Off,
}

/// Whom the slave believes where it begins the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsPeer {
    /// Anybody who has the key of the certificate that is shown, whosever it is.
    Any,
    /// A slave of the same cluster: the end-entity certificate must be that of [`FtpCertificate`].
    Cluster,
}

/// Seals and opens the session tickets of one control session.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketKey(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

/// What a data connection's handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSeen {
    /// `TLS 1.3` or `TLS 1.2`.
    pub version: String,
    /// The cipher suite's name, as IANA has it.
    pub cipher: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_from_the_log() {
        let certificate = FtpCertificate {
            chain: vec![Der(vec![1])],
            key: Der(vec![0xAB; 3]),
        };
        let tickets = TicketKey([0xAB; 32]);
        let order = DataTls::Server {
            tickets,
            resumption: Resumption::Offered,
        };
        let text = format!("{certificate:?} {order:?}");
        assert!(text.contains("1 in the chain"), "{text}");
        assert!(
            !text.contains("171") && !text.to_lowercase().contains("ab,"),
            "{text}"
        );
    }
}
