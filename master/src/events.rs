//! Every event that the master publishes on its bus: for the transfer log, and for plugins.
//!
//! An event is a copy of facts about what has happened. Whoever publishes it knows none of its listeners, and a
//! listener that is slow loses events without harm to anybody else.

use std::net::IpAddr;
use std::time::Duration;

use actix::Message;
use drftpd_protocol::wire::{RootState, TlsSeen};
use drftpd_protocol::{RootId, SessionId, SlaveId, VfsPath};

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
    /// Whether the account is one for everybody.
    pub anonymous: bool,
    /// TLS of its data connection, as its slave told.
    pub tls: Option<TlsSeen>,
}

/// A client has deleted a file, by DELE.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct DeleteLogged {
    /// Who.
    pub user: String,
    /// The client's address.
    pub client: IpAddr,
    /// The file.
    pub path: VfsPath,
    /// Its bytes.
    pub bytes: u64,
    /// When, Unix seconds.
    pub at: i64,
    /// Whether the account is one for everybody.
    pub anonymous: bool,
}

/// Somebody has logged in, or is logged in no longer.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct LoginChanged {
    /// The session.
    pub session: SessionId,
    /// Who.
    pub user: String,
    /// Their primary group.
    pub group: String,
    /// The client's address.
    pub client: IpAddr,
    /// Who a bouncer says they are.
    pub ident: Option<String>,
    /// Whether the control connection has TLS.
    pub secure: bool,
    /// Logged in, or out.
    pub is_in: bool,
}

/// Somebody said a wrong password, or a name that nobody has. Which one is not told: it may have been a password.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct LoginFailed {
    /// The session.
    pub session: SessionId,
    /// The client's address.
    pub client: IpAddr,
}

/// A walk found files on a slave's disk that nobody had brought there through this master; they are in the tree now.
/// Published once for each page of a walk.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct FilesAdopted {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// How many.
    pub files: u64,
}

/// Other programs have changed what lies on a shared root, and the tree has followed. What they made is [`FilesAdopted`].
/// Published once for each walk.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct SharedRootChanged {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// Files that have other contents: each has a new generation.
    pub edited: u64,
    /// Files and directories that have another place.
    pub renamed: u64,
    /// Files and directories that are gone.
    pub removed: u64,
}

/// A walk found a file whose place something else has in the tree: it was kept beside it.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct ConflictKept {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// Where it is now.
    pub path: VfsPath,
}

/// A walk that saw everything did not find copies that a root should have. Their entries stay.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct CopiesMissing {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// How many.
    pub copies: u64,
    /// Of so many of them there is no other copy.
    pub lost: u64,
}

/// A root misses so many of its copies that nothing it says counts until an operator confirms it (`root confirm`).
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct RootHeld {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// How many it misses.
    pub missing: u64,
    /// How many it should have.
    pub copies: u64,
}

/// A root can be used otherwise than before: its disk failed, it is not there, or it is as it should be again.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct RootTurned {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// Where the slave has it.
    pub path: String,
    /// How it can be used now.
    pub state: RootState,
}

/// A walk found files with identities that this store never gave out: it was restored from a backup, and the site is in
/// recovery until an operator decides (`recovery end`).
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct StoreIsOlder {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// How many.
    pub files: u64,
}

/// A copy was read again and is not what it should be. It is not served any more.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct CopyDamaged {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// The file.
    pub path: VfsPath,
    /// What is wrong with it.
    pub why: String,
    /// Whether there is a good copy, from which it is repaired; else an operator decides.
    pub good_elsewhere: bool,
}

/// Good bytes are in the place of a damaged copy.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct CopyRepaired {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// The file.
    pub path: VfsPath,
}
