//! The narrow door to the sessions that run: who is there, and out with one of them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use drftpd_actors::{AskError, ask_recipient, tell_recipient};
use drftpd_protocol::SessionId;

use super::live::SessionInfo;
use super::messages::{
    ClientNamed, KickSession, ListSessions, LoginChanged, MoveOver, TakeLogin, TakeMove,
};
use super::moves::MayMove;
use crate::accounts::Account;
use crate::transfer::Direction;

/// The acceptor answers from memory.
const LIMIT: Duration = Duration::from_secs(2);

/// Handle to the sessions; cheap to clone, one per holder (a session and all its verbs are one).
#[derive(Clone)]
pub struct SessionsClient(Arc<Doors>);

/// Whoever keeps the sessions, by what they are asked and told.
pub struct Doors {
    /// All of them.
    pub list: Recipient<ListSessions>,
    /// Out with one.
    pub kick: Recipient<KickSession>,
    /// Somebody is logged in, or not any more.
    pub login: Recipient<LoginChanged>,
    /// A bouncer has told whom it brings.
    pub named: Recipient<ClientNamed>,
    /// Somebody wants to log in.
    pub take: Recipient<TakeLogin>,
    /// A transfer wants to begin.
    pub moves: Recipient<TakeMove>,
    /// A transfer is over.
    pub over: Recipient<MoveOver>,
}

impl SessionsClient {
    /// A handle over whoever keeps the sessions.
    pub fn new(doors: Doors) -> Self {
        Self(Arc::new(doors))
    }

    /// All sessions, in the order of their numbers.
    ///
    /// # Errors
    /// When the acceptor does not answer.
    pub async fn list(&self) -> Result<Vec<SessionInfo>, AskError> {
        ask_recipient(&self.0.list, ListSessions, LIMIT).await
    }

    /// Ends a session with 421 and this text, and the transfer that it runs; tells whether there is one.
    ///
    /// # Errors
    /// When the acceptor does not answer.
    pub async fn kick(&self, session: SessionId, why: &str) -> Result<bool, AskError> {
        let why = why.to_owned();
        ask_recipient(&self.0.kick, KickSession { session, why }, LIMIT).await
    }

    /// Counts a session at the address of the client that its bouncer brings; gives what the client hears if there are
    /// too many of it.
    pub(super) async fn client_named(
        &self,
        session: SessionId,
        client: IpAddr,
    ) -> Result<Result<(), &'static str>, AskError> {
        ask_recipient(&self.0.named, ClientNamed { session, client }, LIMIT).await
    }

    /// Counts a login; gives what the client hears if there are too many.
    pub(super) async fn take_login(
        &self,
        session: SessionId,
        account: &Arc<Account>,
    ) -> Result<Result<(), String>, AskError> {
        let account = Arc::clone(account);
        ask_recipient(&self.0.take, TakeLogin { session, account }, LIMIT).await
    }

    /// Counts a transfer; gives what the client hears if there are too many.
    pub(super) async fn take_move(
        &self,
        session: SessionId,
        account: &Arc<Account>,
        way: Direction,
        expected: u64,
    ) -> Result<Result<MayMove, String>, AskError> {
        let take = TakeMove {
            session,
            account: Arc::clone(account),
            way,
            expected,
        };
        ask_recipient(&self.0.moves, take, LIMIT).await
    }

    /// A session's transfer is over.
    pub(super) fn move_over(&self, session: SessionId) {
        tell_recipient(&self.0.over, MoveOver { session });
    }

    /// Ends all sessions of these users with 421 and this text; answers how many.
    ///
    /// # Errors
    /// When the acceptor does not answer.
    pub async fn kick_users(&self, users: &[String], why: &str) -> Result<usize, AskError> {
        let mut kicked = 0;
        for row in self.list().await? {
            let theirs = row.user.as_ref().is_some_and(|user| users.contains(user));
            if theirs && self.kick(row.session, why).await? {
                kicked += 1;
            }
        }
        Ok(kicked)
    }

    /// Somebody has logged in, or is not logged in any more.
    pub(super) fn login_changed(&self, session: SessionId, logged_in: bool) {
        tell_recipient(&self.0.login, LoginChanged { session, logged_in });
    }
}
