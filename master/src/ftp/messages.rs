//! What is said to the acceptor and to sessions.

use std::net::IpAddr;
use std::sync::Arc;

use actix::Message;
use drftpd_protocol::SessionId;

use super::live::SessionInfo;
use super::moves::MayMove;
use crate::accounts::Account;
use crate::transfer::Direction;

/// Asks the acceptor for all sessions, in the order of their numbers. Answered at once.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "Vec<SessionInfo>")]
pub struct ListSessions;

/// Asks the acceptor to end a session; answers whether there is one.
#[derive(Message, Debug, Clone)]
#[rtype(result = "bool")]
pub struct KickSession {
    /// Which.
    pub session: SessionId,
    /// What its client hears behind the 421.
    pub why: String,
}

/// Tells the acceptor that somebody has logged in, or is not logged in any more.
#[derive(Message, Debug, Clone, Copy, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct LoginChanged {
    /// In which session.
    pub session: SessionId,
    /// Which of both.
    pub logged_in: bool,
}

/// Asks the acceptor to count a login; refused where there are too many of that user, address or group, with what the
/// client hears.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<(), String>")]
pub struct TakeLogin {
    /// In which session.
    pub session: SessionId,
    /// Whose.
    pub account: Arc<Account>,
}

/// Asks the acceptor to count a transfer; refused where there are too many of that user or group, with what the client
/// hears.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<MayMove, String>")]
pub struct TakeMove {
    /// In which session.
    pub session: SessionId,
    /// Whose.
    pub account: Arc<Account>,
    /// Which way.
    pub way: Direction,
    /// Bytes that it will move; 0 where nobody knows.
    pub expected: u64,
}

/// Tells the acceptor that a session's transfer is over.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct MoveOver {
    /// Which.
    pub session: SessionId,
}

/// Asks the acceptor to count a session at the address of the client that its bouncer brings; refused where there are
/// too many of that address, with what the client hears.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "Result<(), &'static str>")]
pub struct ClientNamed {
    /// Which.
    pub session: SessionId,
    /// Where the client is.
    pub client: IpAddr,
}

/// Tells a session to end with 421 at once, whatever runs.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct SessionKicked {
    /// What the client hears.
    pub why: String,
}
