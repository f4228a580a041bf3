//! What can be seen of a session from outside while it runs: one row of `SITE WHO`.
//!
//! The session and its verbs write, whoever asks reads the latest; no message is sent for it.

use std::net::SocketAddr;

use drftpd_protocol::wire::TlsSeen;
use drftpd_protocol::{SessionId, VfsPath};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::transfer::Direction;

/// One session.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// Its number.
    pub session: SessionId,
    /// The client's address.
    pub peer: SocketAddr,
    /// Who is logged in.
    pub user: Option<String>,
    /// What the client calls itself.
    pub client: Option<String>,
    /// Connected since, Unix seconds.
    pub since: i64,
    /// When something last happened: a verb ended, or a byte of a transfer moved.
    pub active: Instant,
    /// Where the user stands.
    pub cwd: VfsPath,
    /// The verb that runs.
    pub verb: Option<&'static str>,
    /// The transfer that runs.
    pub transfer: Option<Moving>,
    /// TLS of the control connection.
    pub tls: Option<TlsSeen>,
    /// TLS of the last data connection that is over; nothing while a transfer runs.
    pub data_tls: Option<TlsSeen>,
}

/// A transfer that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// Which file.
    pub path: VfsPath,
    /// Which way.
    pub direction: Direction,
    /// Bytes so far.
    pub bytes: u64,
    /// Since when.
    pub since: Instant,
}

impl Moving {
    /// Bytes per second, on average.
    pub fn rate(&self) -> u64 {
        let seconds = self.since.elapsed().as_secs_f64();
        (self.bytes as f64 / seconds.max(0.001)) as u64
    }
}

impl SessionInfo {
    /// How long nothing has happened.
    pub fn idle(&self) -> std::time::Duration {
        if self.transfer.is_some() {
            return std::time::Duration::ZERO;
        }
        self.active.elapsed()
    }
}

/// Where a session and its verbs write what others may see. Cloning gives another handle to the same row.
#[derive(Debug, Clone)]
pub struct Live(watch::Sender<SessionInfo>);

impl Live {
    /// The row of a new session, and where it is read.
    pub fn new(
        session: SessionId,
        peer: SocketAddr,
        since: i64,
    ) -> (Self, watch::Receiver<SessionInfo>) {
        let (row, reader) = watch::channel(SessionInfo {
            session,
            peer,
            user: None,
            client: None,
            since,
            active: Instant::now(),
            cwd: VfsPath::root(),
            verb: None,
            transfer: None,
            tls: None,
            data_tls: None,
        });
        (Self(row), reader)
    }

    /// The row as it is now.
    pub fn row(&self) -> SessionInfo {
        self.0.borrow().clone()
    }

    /// A transfer has begun.
    pub fn transfer_began(&self, path: VfsPath, direction: Direction) {
        let moving = Moving {
            path,
            direction,
            bytes: 0,
            since: Instant::now(),
        };
        self.0.send_modify(|row| {
            row.active = moving.since;
            row.transfer = Some(moving);
            row.data_tls = None;
        });
    }

    /// So many bytes have moved by now.
    pub fn transfer_moved(&self, bytes: u64) {
        self.0.send_if_modified(|row| match &mut row.transfer {
            Some(moving) if moving.bytes != bytes => {
                moving.bytes = bytes;
                row.active = Instant::now();
                true
            }
            _ => false,
        });
    }

    /// A data connection is over, and had this.
    pub fn data_was(&self, tls: Option<TlsSeen>) {
        self.0.send_if_modified(|row| {
            let changed = row.data_tls != tls;
            row.data_tls = tls;
            changed
        });
    }

    /// Changes the row.
    pub(super) fn edit(&self, edit: impl FnOnce(&mut SessionInfo)) {
        self.0.send_modify(edit);
    }
}
