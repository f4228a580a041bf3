//! TLS of FTP clients: the certificate that they see, what is required or refused, and the keys that tie data
//! connections to their control connection.
//!
//! [`keeper`] reads the certificate, follows its files and publishes each good one; control connections and the links of
//! slaves take the newest. [`rules`] says what holds for whom, [`policy`] judges, [`keys`] derives one ticket key for each
//! control session. Handshakes are made where the connections are: on control connections and listings in `ftp`, for
//! files on the slaves.

pub mod config;
pub mod identity;
pub mod keeper;
pub mod keys;
pub mod own;
pub mod policy;
pub mod rules;
#[cfg(test)]
pub(crate) mod testkit;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::Dice;
use drftpd_actors::tls::{Peer, SessionTickets};
use drftpd_protocol::SessionId;
use drftpd_protocol::wire::{Resumption, TicketKey};
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;

pub use config::TlsConfig;
pub use identity::Identity;
pub use keeper::{CannotSecure, Keeper};
pub use policy::{Carries, Policy, Rules};
pub use rules::Rule;

use crate::accounts::{Account, Whose};
use crate::config::MasterConfig;
use keys::TicketKeys;

/// Tickets of TLS 1.3 on a control connection: a client uses each once, and some lose one by using it.
const CONTROL_TICKETS: usize = 8;
/// Tickets of TLS 1.3 on a data connection that sends: one in place of the one that was used, and one more.
const DATA_TICKETS: usize = 2;

/// The newest good certificate.
pub type Certificates = watch::Receiver<Arc<Identity>>;

/// The configuration that counts.
pub type Current = watch::Receiver<Arc<MasterConfig>>;

/// TLS as sessions use it; cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    config: Current,
    keys: TicketKeys,
    certificates: Certificates,
}

/// Why a control connection gets no settings; never in practice.
#[derive(Debug, thiserror::Error)]
#[error("no ticket key for this session")]
pub struct NoTickets;

impl Tls {
    /// Over a certificate that somebody keeps.
    pub fn new(config: Current, certificates: Certificates, dice: &Dice) -> Self {
        Self(Arc::new(Inner {
            config,
            keys: TicketKeys::new(dice),
            certificates,
        }))
    }

    /// What holds for somebody whose client is there.
    pub fn rules(&self, client: IpAddr, who: &Account) -> Rules {
        self.0.config.borrow().tls.rules(client, who)
    }

    /// What may hold for whoever it is whose client is there. Never empty.
    pub fn possible(&self, client: IpAddr) -> Vec<Rules> {
        self.0.config.borrow().tls.possible(client)
    }

    /// What holds for whoever has a name, where nobody can tell by it whether anybody has: a name of nobody is judged
    /// by one of the rules that could be somebody's.
    pub fn rules_of(&self, client: IpAddr, whose: &Whose) -> Rules {
        match whose {
            Whose::Account(account) => self.rules(client, account),
            Whose::Nobody(lot) => policy::drawn(&self.possible(client), *lot),
        }
    }

    /// How long a handshake may take.
    pub fn handshake_timeout(&self) -> Duration {
        self.0.config.borrow().tls.handshake_timeout
    }

    /// Settings for a data connection of the master's own whose other end is one of ours, too, and has to prove it.
    pub fn between(&self) -> Arc<ServerConfig> {
        self.0.certificates.borrow().data.between()
    }

    /// Settings for a data connection of the master's own on which it begins the handshake.
    ///
    /// # Errors
    /// Never in practice.
    pub fn client(&self, peer: Peer) -> Result<ClientConfig, rustls::Error> {
        self.0.certificates.borrow().data.client(peer)
    }

    /// What a session shows on all its connections.
    ///
    /// # Errors
    /// [`NoTickets`].
    pub fn control(&self, session: SessionId) -> Result<Shown, NoTickets> {
        let tickets = self.0.keys.of(session).map_err(|_| NoTickets)?;
        let identity = Arc::clone(&self.0.certificates.borrow());
        let asks = self.0.config.borrow().tls.client_certificates;
        Ok(Shown {
            identity,
            tickets,
            asks,
        })
    }
}

/// What one session shows on its connections: the same certificate on all of them, whatever is changed meanwhile.
#[derive(Debug, Clone)]
pub struct Shown {
    identity: Arc<Identity>,
    /// Ties data connections to their control connection.
    pub tickets: TicketKey,
    /// The client is asked for a certificate of its own where it logs in.
    asks: bool,
}

impl Shown {
    /// Settings for the control connection.
    pub fn control(&self) -> Arc<ServerConfig> {
        let tickets = SessionTickets::under(&self.tickets.0);
        let control = &self.identity.control;
        match self.asks {
            true => control.asking(Some(tickets), CONTROL_TICKETS),
            false => control.config(Some(tickets), CONTROL_TICKETS),
        }
    }

    /// Settings for a data connection on which the master sends.
    pub fn data(&self, resumption: Resumption) -> Arc<ServerConfig> {
        let tickets = match resumption {
            Resumption::Required | Resumption::Offered => {
                Some(SessionTickets::under(&self.tickets.0))
            }
            Resumption::Off => None,
        };
        self.identity.data.config(tickets, DATA_TICKETS)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({:?})", self.0.certificates.borrow())
    }
}
