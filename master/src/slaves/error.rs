//! Why a slave did not do something.

use drftpd_actors::AskError;
use drftpd_protocol::SlaveId;
use drftpd_protocol::ftp::reply::Reply;
use drftpd_protocol::wire::{Fault, FaultCode};

/// Why a slave did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SlaveError {
    /// It has no link now, or lost it before it answered.
    #[error("slave {0} is offline")]
    Offline(SlaveId),
    /// It said no.
    #[error("slave refused")]
    Fault(#[from] Fault),
    /// It did not answer in time.
    #[error("slave {0} did not answer in time")]
    TimedOut(SlaveId),
    /// What it said makes no sense.
    #[error("slave {0} answered nonsense")]
    Nonsense(SlaveId),
    /// The actor did not answer.
    #[error("the slave's manager did not answer")]
    Ask(#[from] AskError),
}

impl SlaveError {
    /// Says it to the client. No other code turns this error into a reply.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Fault(fault) => fault_reply(fault),
            _ => Reply::new(451, "Slave failed, try again"),
        }
    }
}

/// Says a slave's fault to the client, before or after 150.
pub fn fault_reply(fault: &Fault) -> Reply {
    match fault.code {
        FaultCode::TOO_LARGE => Reply::new(552, "File is larger than it may be"),
        FaultCode::NO_SPACE => Reply::new(452, "No space left for this file"),
        FaultCode::NO_CONNECTION | FaultCode::PEER_REFUSED | FaultCode::NO_PORT => {
            Reply::new(425, "Can't open data connection")
        }
        FaultCode::CONNECTION_BROKEN => Reply::new(426, "Data connection broke, transfer aborted"),
        FaultCode::TLS_FAILED => tls_failed(),
        FaultCode::TLS_NOT_RESUMED => tls_not_resumed(),
        FaultCode::NO_CERTIFICATE => Reply::new(425, "TLS is not ready on the slave, try again"),
        FaultCode::STALLED => Reply::new(426, "Transfer stalled, aborted"),
        FaultCode::ABORTED => Reply::new(426, "Transfer aborted"),
        FaultCode::BUSY => Reply::new(450, "Slave is busy, try again"),
        FaultCode::NO_SUCH_FILE | FaultCode::OTHER_IDENTITY | FaultCode::NO_SUCH_ROOT => {
            Reply::new(450, "File is not available right now")
        }
        _ => Reply::new(451, "Slave failed, try again"),
    }
}

/// The handshake of a data connection failed (RFC 4217).
pub fn tls_failed() -> Reply {
    Reply::new(522, "TLS handshake failed on the data connection")
}

/// A data connection had a TLS session of its own (RFC 4217).
pub fn tls_not_resumed() -> Reply {
    let text = "Data connections must resume the TLS session of the control connection";
    Reply::new(522, text)
}
