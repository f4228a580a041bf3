//! TLS on data connections (RFC 4217, section 9): the certificate, the handshake, and what it told.

mod certificate;
mod handshake;
mod plan;

pub use certificate::Certificate;
pub use handshake::{Entered, Entrance};
pub use plan::Plan;
