//! Why a transfer broke off, and how that is said to the master.

use std::io;

use drftpd_actors::BlockingError;
use drftpd_protocol::wire::{Fault, FaultCode};

use super::stop::Stopped;

/// Why a transfer broke off.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The data connection broke, or ended where it must not.
    #[error("data connection broke: {0}")]
    Connection(#[source] io::Error),
    /// The TLS handshake failed.
    #[error("tls handshake: {0}")]
    Handshake(#[source] io::Error),
    /// An earlier TLS session must be resumed, and was not.
    #[error("the tls session of the control connection was not resumed")]
    NotResumed,
    /// A file could not be read or written.
    #[error("disk: {0}")]
    Disk(#[source] io::Error),
    /// Storage refused, and says how.
    #[error(transparent)]
    Storage(Fault),
    /// An upload has more bytes than it may.
    #[error("the file would have more than {0} bytes")]
    TooLarge(u64),
    /// The file ended before the bytes that it had when it was opened.
    #[error("the file became shorter while it was sent")]
    Shorter,
    /// Another program wrote to the file while it was sent.
    #[error("somebody wrote to the file while it was sent")]
    Changed,
    /// The upload that this download followed broke off.
    #[error("the upload that was followed broke off")]
    UploadBroke,
    /// No byte moved for too long.
    #[error("no byte moved for too long")]
    Stalled,
    /// It was told to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A piece of work failed.
    #[error(transparent)]
    Work(#[from] BlockingError),
}

impl TransferError {
    /// Says it to the master. No other code turns this error into a fault.
    pub fn fault(self) -> Fault {
        let text = self.to_string();
        let code = match self {
            TransferError::Storage(fault) => return fault,
            TransferError::Connection(_) | TransferError::UploadBroke => {
                FaultCode::CONNECTION_BROKEN
            }
            TransferError::Handshake(_) => FaultCode::TLS_FAILED,
            TransferError::NotResumed => FaultCode::TLS_NOT_RESUMED,
            TransferError::Disk(error) => disk_code(&error),
            TransferError::Shorter | TransferError::Changed => FaultCode::DISK,
            TransferError::TooLarge(_) => FaultCode::TOO_LARGE,
            TransferError::Stalled => FaultCode::STALLED,
            TransferError::Stopped(stopped) => stopped.0,
            TransferError::Work(_) => FaultCode::FAILED,
        };
        Fault::new(code, text)
    }

    /// What an error of `sendfile` is about: the two ends share one call.
    pub fn of_sending(error: io::Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, NetworkDown,
            NetworkUnreachable, NotConnected, TimedOut,
        };
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | HostUnreachable | NetworkDown
            | NetworkUnreachable | NotConnected | TimedOut => TransferError::Connection(error),
            _ => TransferError::Disk(error),
        }
    }
}

fn disk_code(error: &io::Error) -> FaultCode {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            FaultCode::NO_SPACE
        }
        _ => FaultCode::DISK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_number() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        let read = io::Error::other("read");
        for (error, code) in [
            (TransferError::Disk(full), FaultCode::NO_SPACE),
            (
                TransferError::of_sending(reset),
                FaultCode::CONNECTION_BROKEN,
            ),
            (TransferError::of_sending(read), FaultCode::DISK),
            (TransferError::TooLarge(7), FaultCode::TOO_LARGE),
            (TransferError::UploadBroke, FaultCode::CONNECTION_BROKEN),
            (
                TransferError::Handshake(io::ErrorKind::TimedOut.into()),
                FaultCode::TLS_FAILED,
            ),
            (TransferError::NotResumed, FaultCode::TLS_NOT_RESUMED),
            (TransferError::Shorter, FaultCode::DISK),
            (TransferError::Changed, FaultCode::DISK),
            (TransferError::Stalled, FaultCode::STALLED),
            (Stopped(FaultCode::ABORTED).into(), FaultCode::ABORTED),
            (BlockingError::Ended.into(), FaultCode::FAILED),
        ] {
            assert_eq!(error.fault().code, code);
        }
    }
}
