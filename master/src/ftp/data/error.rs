//! Why a data connection did not come about, or not to its end, and what the client hears of it.

use std::io;

use drftpd_protocol::ftp::Reply;

use super::peers::NotToDial;
use super::traffic::TooSlow;
use crate::accounts::limits::Unit;
use crate::slaves::error::{tls_failed, tls_not_resumed};

/// Why a data connection did not come about, or broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// PASV, EPSV, PORT or EPRT must come first.
    #[error("no data connection was agreed on")]
    NotAgreed,
    /// What PRET announced and what came do not fit.
    #[error("another transfer was announced: {0}")]
    OtherAnnounced(&'static str),
    /// PORT or EPRT leads to where it must not.
    #[error("not to be dialled: {0}")]
    NotToDial(#[from] NotToDial),
    /// PROT says otherwise than what holds here.
    #[error("not with this PROT: {}", .0.code())]
    Prot(Reply),
    /// The handshake failed.
    #[error("tls handshake failed on the data connection")]
    Tls(#[source] io::Error),
    /// The handshake was a full one where the session of the control connection must be resumed.
    #[error("the tls session was not resumed")]
    NotResumed,
    /// Every port of the range is taken, or the address cannot be listened at.
    #[error("no port to listen at")]
    NoPort(#[source] io::Error),
    /// Nobody came in time.
    #[error("nobody connected in time")]
    NobodyConnected,
    /// The other end cannot be reached.
    #[error("the other end was not reached")]
    Unreachable(#[source] io::Error),
    /// Too many dials failed: this one was not tried.
    #[error("too many dials failed")]
    TooManyFailed,
    /// Too many transfers are forwarded.
    #[error("all relays are in use")]
    RelaysInUse,
    /// The connection broke.
    #[error("the data connection broke")]
    Broken(#[source] io::Error),
    /// The slave is gone, and with it the transfer.
    #[error("the slave is gone")]
    SlaveLost,
    /// No other slave has prepared the second copy that a rule wants.
    #[error("no second slave has the file")]
    NoSecondCopy,
    /// Somebody has deleted the file.
    #[error("the file was deleted meanwhile")]
    Deleted,
    /// No byte moved for too long.
    #[error("no byte moved for too long")]
    Stalled,
    /// Its speed was less than a rule of `[traffic]` wants.
    #[error("less than {} bytes a second", .0.least)]
    TooSlow(TooSlow),
    /// A relay broke before the client had said its end, and the slave could not be told by a reset: what it takes
    /// for the end of the file is none.
    #[error("the slave did not hear that the data connection broke")]
    Unheard(#[source] Box<DataError>),
}

impl DataError {
    /// Says it to the client. All that has to do with reaching somebody sounds the same, so that nobody can use it
    /// to look around.
    pub fn reply(&self) -> Reply {
        match self {
            Self::NotAgreed => Reply::new(425, "Use PASV, EPSV, PORT or EPRT first"),
            Self::OtherAnnounced(why) => Reply::bad_sequence(*why),
            Self::NotToDial(_) => Reply::new(
                504,
                "Data connections go to your own address, at port 1024 or above",
            ),
            Self::Prot(reply) => reply.clone(),
            Self::Tls(_) => tls_failed(),
            Self::NotResumed => tls_not_resumed(),
            Self::NoPort(_)
            | Self::NobodyConnected
            | Self::Unreachable(_)
            | Self::TooManyFailed => Reply::new(425, "Can't open data connection"),
            Self::RelaysInUse => Reply::new(450, "Too many forwarded transfers, try again later"),
            Self::Broken(_) => Reply::new(426, "Data connection broke, transfer aborted"),
            Self::SlaveLost => Reply::new(426, "Slave was lost, transfer aborted"),
            Self::NoSecondCopy => Reply::new(
                451,
                "File could not be stored twice as it must be, try again later",
            ),
            Self::Deleted => Reply::new(426, "File was deleted, transfer aborted"),
            Self::Stalled => Reply::new(426, "Transfer stalled, aborted"),
            Self::TooSlow(slow) => Reply::new(
                426,
                format!(
                    "Transfer was too slow, aborted: it must have {} for {}",
                    Unit::Rate.show(slow.least),
                    humantime::format_duration(slow.slow_for)
                ),
            ),
            Self::Unheard(why) => why.reply(),
        }
    }
}
