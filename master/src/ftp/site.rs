//! The door from `SITE` to the table of commands that is kept elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use drftpd_protocol::ftp::Reply;
use drftpd_protocol::{SessionId, VfsPath};
use futures_util::future::LocalBoxFuture;

use crate::accounts::Account;

/// One command, as `SITE HELP` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteEntry {
    /// Its name, upper-case.
    pub name: String,
    /// Its arguments.
    pub syntax: String,
    /// What it does, in a few words.
    pub help: String,
}

/// One call of a command.
#[derive(Debug, Clone)]
pub struct SiteCall {
    /// Who calls.
    pub account: Arc<Account>,
    /// In which session.
    pub session: SessionId,
    /// From where.
    pub peer: IpAddr,
    /// Where the user stands.
    pub cwd: VfsPath,
    /// Everything behind the name and one space, as it came.
    pub arg: Bytes,
}

/// The table of SITE commands.
pub trait SiteTable: Send + Sync + 'static {
    /// The commands that `who` may use.
    fn commands(&self, who: &Account) -> Vec<SiteEntry>;

    /// Runs the command of that name (upper-case), permission check and audit included; `None` if there is none.
    fn run(&self, name: &str, call: SiteCall) -> Option<LocalBoxFuture<'static, Reply>>;
}

/// A table without commands.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSiteCommands;

impl SiteTable for NoSiteCommands {
    fn commands(&self, _: &Account) -> Vec<SiteEntry> {
        Vec::new()
    }

    fn run(&self, _: &str, _: SiteCall) -> Option<LocalBoxFuture<'static, Reply>> {
        None
    }
}
