//! FTP as clients see it: the acceptor, one session actor per control connection, and the table of verbs.
//!
//! Bytes become lines in `drftpd_protocol::ftp`; policy begins in [`session`] with one look into
//! [`verbs::VERBS`]. A verb is a plain async function that gets a [`services::VerbCx`] by value and returns a
//! [`verbs::Done`]; only the session applies its change to the [`state::State`].

pub mod accept;
mod around;
pub mod charge;
pub mod cleanup;
pub mod client;
pub mod config;
pub mod data;
pub mod dress;
mod error;
pub mod guard;
#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod limits_tests;
pub mod live;
pub mod messages;
mod moves;
pub mod proxy;
#[cfg(test)]
mod proxy_tests;
mod queue;
mod reader;
mod running;
mod seats;
pub mod secure;
pub mod services;
mod session;
#[cfg(test)]
mod session_tests;
mod shared_io;
pub mod site;
pub mod state;
#[cfg(test)]
pub mod testkit;
pub mod verbs;
#[cfg(test)]
mod verbs_tests;
mod writer;

pub use accept::{CannotListen, FtpServer, start};
pub use client::SessionsClient;
pub use config::FtpConfig;
pub use error::FtpError;
pub use live::SessionInfo;
pub use services::Services;
pub use site::{SiteCall, SiteEntry, SiteTable};

/// Drain phase in which transfers may finish; sessions hold it while a data verb runs.
pub const DRAIN_TRANSFERS: &str = "transfers";
/// Drain phase in which the last sessions say goodbye; each holds it as long as it lives.
pub const DRAIN_SESSIONS: &str = "sessions";
