//! Every event that the master publishes on its bus: for the transfer log, and for plugins.
//!
//! An event is a copy of facts about what has happened. Whoever publishes it knows none of its listeners, and a
//! listener that is slow loses events without harm to anybody else.

use std::net::IpAddr;
use std::time::Duration;

use actix::Message;
use drftpd_protocol::wire::TlsSeen;
use drftpd_protocol::{SessionId, SlaveId, VfsPath};

use crate::transfer::Direction;

/// A client's transfer of a file has ended, well or not. Published once for each transfer that had begun (150 was
/// said); listings are none.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct TransferLogged {
    /// The session.
    pub session: SessionId,
    /// Whose it was.
    pub user: String,
    /// The client's address.
    pub client: IpAddr,
    /// The file, resolved.
    pub path: VfsPath,
    /// Which way, seen from the client.
    pub direction: Direction,
    /// The slave that carried it.
    pub slave: SlaveId,
    /// Bytes that moved over the data connection.
    pub bytes: u64,
    /// How long it took from 150 on.
    pub took: Duration,
    /// When it ended, Unix seconds.
    pub ended: i64,
    /// Whether it was complete (226); else it broke off or was aborted.
    pub complete: bool,
    /// TLS of its data connection, as its slave told.
    pub tls: Option<TlsSeen>,
}
