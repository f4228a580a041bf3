//! TLS on data connections (RFC 4217, section 9): the certificate, the handshake, and what it told.

mod certificate;

pub use certificate::Certificate;
