//! What the accounts may be asked.

use std::fmt;
use std::net::IpAddr;

use actix::Message;

use super::client::LoginError;
use super::types::{Account, Whose};

/// Asks whether somebody may come in. Answered after the same work for everybody.
#[derive(Message, Clone)]
#[rtype(result = "Result<Account, LoginError>")]
pub struct LogIn {
    /// The name, as it came.
    pub user: String,
    /// The password, as it came.
    pub password: Vec<u8>,
    /// The client's address.
    pub from: IpAddr,
    /// What a bouncer calls the client there.
    pub ident: Option<String>,
    /// SHA-256 of the certificate that the client has shown and proved to be its own.
    pub certificate: Option<[u8; 32]>,
}

/// Asks whose a name is, before there is a password.
#[derive(Debug, Message, Clone)]
#[rtype(result = "Result<Whose, LoginError>")]
pub struct LookUp {
    /// The name, as it came.
    pub user: String,
}

impl fmt::Debug for LogIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogIn")
            .field("user", &self.user)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}
