//! Data connections: how they come about. What moves over them is the matter of the slaves, or of the relay.

use std::net::SocketAddr;

use drftpd_actors::Listener;

use super::guard::TransferGuard;

/// How the next data connection comes about: what PASV, EPSV, PORT or EPRT left behind.
///
/// Owned by the session until a transfer verb takes it; whoever drops it closes it.
pub enum Endpoint {
    /// PORT, EPRT: somebody connects out to here.
    Dial(SocketAddr),
    /// PASV after PRET: the slave that serves the announced transfer listens.
    Slave(TransferGuard),
    /// PASV or EPSV without PRET, or for a listing: the master listens.
    Here(Box<dyn Listener>),
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dial(to) => write!(f, "Dial({to})"),
            Self::Slave(guard) => write!(f, "Slave({guard:?})"),
            Self::Here(listener) => write!(f, "Here({:?})", listener.local_addr().ok()),
        }
    }
}
