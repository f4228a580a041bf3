//! What a session asks of the coordinator, and what it gets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use drftpd_protocol::{RootId, SessionId, SlaveId, TransferId, VfsPath};

/// Which way the bytes go, seen from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Client to slave.
    Upload,
    /// Slave to client.
    Download,
}

/// What a slot is wanted for.
#[derive(Debug, Clone)]
pub struct Want {
    /// The session; its slots are freed when it ends.
    pub session: SessionId,
    /// The resolved path.
    pub path: VfsPath,
    /// Which way.
    pub direction: Direction,
    /// Roots that come into question: the holders of a download, the root of a resume; `None`:
    /// any.
    pub roots: Option<Vec<RootId>>,
    /// Bytes to reserve; 0 when unknown.
    pub bytes: u64,
    /// The client's address.
    pub client: IpAddr,
    /// Files of the path's directory on each root, where a filter of the chain wants to know
    /// ([`super::TransfersClient::wants_siblings`]).
    pub siblings: BTreeMap<RootId, u32>,
}

/// A reservation of a slave, and of space on it, for one transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The transfer's number.
    pub transfer: TransferId,
    /// The slave.
    pub slave: SlaveId,
    /// The root on it.
    pub root: RootId,
}
