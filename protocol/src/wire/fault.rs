//! How a failure is said on the wire: a number that both ends know and a text for the log.

use serde::{Deserialize, Serialize};

/// Why a slave did not do what it was asked, or why a transfer broke off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text} ({code:?})")]
pub struct Fault {
    /// What to do about it.
    pub code: FaultCode,
    /// For the log; never shown to FTP clients.
    pub text: String,
    /// How many bytes are there, where more were to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub there: Option<u64>,
}

impl Fault {
    /// A fault with its text.
    pub fn new(code: FaultCode, text: impl Into<String>) -> Self {
        Fault {
            code,
            text: text.into(),
            there: None,
        }
    }

    /// The same, where so many bytes are there.
    #[must_use]
    pub fn with_bytes(self, there: u64) -> Self {
        Fault {
            there: Some(there),
            ..self
        }
    }
}

/// A fault's number. One that this build does not know is kept as it is and means "failed".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultCode(pub u16);

impl FaultCode {
    /// Something failed that has no number of its own.
    pub const FAILED: FaultCode = FaultCode(1);
    /// The kind of message is unknown here.
    pub const UNKNOWN_KIND: FaultCode = FaultCode(2);
    /// The message's body cannot be understood, or says something that cannot be.
    pub const BAD_REQUEST: FaultCode = FaultCode(3);
    /// The order came from a master that was replaced.
    pub const STALE_EPOCH: FaultCode = FaultCode(4);
    /// Too much under way; try another slave or later.
    pub const BUSY: FaultCode = FaultCode(5);
    /// The slave has no such root, or it is absent now.
    pub const NO_SUCH_ROOT: FaultCode = FaultCode(10);
    /// No file with that identity, in staging or at its path.
    pub const NO_SUCH_FILE: FaultCode = FaultCode(11);
    /// What lies there is something else.
    pub const OTHER_IDENTITY: FaultCode = FaultCode(12);
    /// The disk is full, or would be.
    pub const NO_SPACE: FaultCode = FaultCode(13);
    /// The disk could not be read or written.
    pub const DISK: FaultCode = FaultCode(14);
    /// A directory on the way is a file or a link, or leads out of the root.
    pub const BAD_PLACE: FaultCode = FaultCode(15);
    /// The file would become larger than it may.
    pub const TOO_LARGE: FaultCode = FaultCode(16);
    /// No such transfer here.
    pub const NO_SUCH_TRANSFER: FaultCode = FaultCode(20);
    /// No free port in the passive range.
    pub const NO_PORT: FaultCode = FaultCode(21);
    /// Nobody connected in time, or the other end could not be reached.
    pub const NO_CONNECTION: FaultCode = FaultCode(22);
    /// The data connection broke.
    pub const CONNECTION_BROKEN: FaultCode = FaultCode(23);
    /// No byte moved for too long.
    pub const STALLED: FaultCode = FaultCode(24);
    /// The master ended it.
    pub const ABORTED: FaultCode = FaultCode(25);
    /// Dialling there is not allowed from this slave.
    pub const PEER_REFUSED: FaultCode = FaultCode(26);
    /// The TLS handshake of the data connection failed.
    pub const TLS_FAILED: FaultCode = FaultCode(27);
    /// The data connection must resume its control session's TLS session, and did not.
    pub const TLS_NOT_RESUMED: FaultCode = FaultCode(28);
    /// TLS was ordered of a slave that has no FTP certificate.
    pub const NO_CERTIFICATE: FaultCode = FaultCode(29);
}
