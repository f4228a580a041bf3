//! Why there is no certificate: said once, in the log and by `doctor`, with what an operator can do about it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use drftpd_actors::BlockingError;

use super::files::FolderError;

/// The longest reason that is kept and shown, in characters.
const LONGEST: usize = 1000;

/// Why an order failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcmeError {
    /// The authority says no, or nothing that could be understood, or cannot be reached.
    #[error("{0}")]
    Authority(#[from] instant_acme::Error),
    /// The authority did not believe that a name is ours.
    #[error("{0}")]
    NotProved(String),
    /// Nobody can ask us for the proof.
    #[error("{0} (tls.acme.http_listen) cannot be listened at: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// It took too long.
    #[error("the order took longer than {} (tls.acme.order_timeout)", humantime::format_duration(*.0))]
    Slow(Duration),
    /// What is kept in the folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file of the configuration.
    #[error("{0}")]
    Named(String),
    /// The request for the certificate.
    #[error("the request could not be made: {0}")]
    Request(#[from] rcgen::Error),
    /// No thread for the disk.
    #[error(transparent)]
    Blocking(#[from] BlockingError),
    /// What the authority said was more than `instant-acme` could bear.
    #[error("the authority's answer cannot be understood at all (see the panic before this)")]
    Panicked,
    /// The part that talks with the authority is gone; never in practice.
    #[error("the order was given up")]
    GivenUp,
}

/// An order that failed.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub why: AcmeError,
    /// How long the authority wants to be left alone.
    pub wish: Option<Duration>,
}

impl<E: Into<AcmeError>> From<E> for Failed {
    fn from(why: E) -> Self {
        Self {
            why: why.into(),
            wish: None,
        }
    }
}

impl AcmeError {
    /// For the log, the folder and people, in one line: what the authority says may be long, or meant for a terminal.
    pub(super) fn plain(&self) -> String {
        let text = self.to_string();
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        plain.take(LONGEST).collect()
    }

    /// Whether the authority does not know the account (any more).
    pub(super) fn is_unknown_account(&self) -> bool {
        let Self::Authority(instant_acme::Error::Api(problem)) = self else {
            return false;
        };
        problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:accountDoesNotExist")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_authority_says_is_one_short_line() {
        let said = format!("no\r\nERROR\x1b[2J{}", "x".repeat(5000));
        let plain = AcmeError::NotProved(said).plain();
        assert!(plain.starts_with("no  ERROR [2Jxxx"), "{plain}");
        assert_eq!(plain.chars().count(), LONGEST);
    }
}
