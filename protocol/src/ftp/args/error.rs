//! What can be wrong with an argument, and how it is said.

use crate::ftp::reply::Reply;

/// Why an argument was not understood. The texts are ours; nothing of the client's is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgError {
    /// The verb needs an argument that is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The argument does not have the form it must have.
    #[error("{what} must be {want}")]
    Malformed {
        /// Which argument.
        what: &'static str,
        /// What it should be.
        want: &'static str,
    },
    /// Well formed perhaps, but not offered here.
    #[error("{what}: only {offered} is supported")]
    NotOffered {
        /// Which argument.
        what: &'static str,
        /// What there is instead.
        offered: &'static str,
    },
    /// A network protocol of RFC 2428 other than IPv4 and IPv6.
    #[error("unknown network protocol")]
    NetworkProtocol,
    /// A protection level of RFC 4217 other than clear and private.
    #[error("protection level not supported")]
    ProtectionLevel,
}

impl ArgError {
    /// Says it to the client.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Missing(what) => Reply::new(501, format!("Missing argument: {what}")),
            Self::Malformed { what, want } => {
                Reply::new(501, format!("Syntax error: {what} must be {want}"))
            }
            Self::NotOffered { what, offered } => Reply::new(
                504,
                format!("Not implemented for that parameter, {what} can be {offered}"),
            ),
            Self::NetworkProtocol => Reply::new(522, "Network protocol not supported, use (1,2)"),
            Self::ProtectionLevel => Reply::new(536, "Protection level not supported, use C or P"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_names_the_argument() {
        let error = ArgError::Malformed {
            what: "the port",
            want: "a number from 1 to 65535",
        };
        assert_eq!(error.reply().code(), 501);
        assert!(
            error
                .reply()
                .to_bytes()
                .ends_with(b"the port must be a number from 1 to 65535\r\n")
        );
    }
}
