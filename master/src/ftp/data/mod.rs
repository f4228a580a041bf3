//! Data connections: how they come about, and those that the master has itself.
//!
//! File bytes go between the client and a slave; the master takes part in three cases, each in a file of its own. It
//! listens for clients that did not announce their transfer ([`passive`]), and then forwards between them and the
//! slave ([`relay`]); it connects out for listings ([`active`]); and it sends listings ([`listing`]). Who may be at
//! the other end is decided in [`peers`].

pub mod active;
pub mod announce;
pub mod channel;
pub mod config;
pub mod credit;
pub mod dials;
pub mod dupes;
pub mod error;
pub mod forward;
pub mod fxp;
pub mod listing;
pub mod ours;
pub mod own;
pub mod part;
pub mod passive;
pub mod peers;
pub mod plans;
pub mod reach;
pub mod record;
pub mod relay;
pub mod reserved;
pub mod run;
mod second;
pub mod secure;
pub mod share;
pub mod slow;
#[cfg(target_os = "linux")]
mod splice;
pub mod taken;
pub mod traffic;

use std::net::SocketAddr;

use drftpd_actors::Blocking;

pub use config::{DataConfig, EpsvAfterPret, PassiveConfig, WithoutPret};
pub use dials::FailedDials;
pub use error::DataError;
pub use fxp::{Fxp, FxpConfig};
pub use ours::{OurPort, OurPorts};
pub use passive::Passive;
pub use reach::{ClientsConfig, Reach};
pub use relay::{RelayCounts, Relays};
pub use reserved::Reserved;
pub use traffic::TrafficConfig;

/// How the next data connection comes about: what PASV, EPSV, PORT or EPRT left behind.
///
/// Owned by the session until a transfer verb takes it; whoever drops it closes it.
#[derive(Debug)]
pub enum Endpoint {
    /// PORT, EPRT: somebody connects out to here.
    Dial(SocketAddr),
    /// PASV after PRET: the slave that serves the announced transfer listens.
    Slave(Reserved),
    /// PASV or EPSV without PRET, or for a listing: the master listens.
    Here(Passive),
}

/// What the data connections of all sessions share.
#[derive(Debug)]
pub struct DataSide {
    /// `[passive]`.
    pub passive: PassiveConfig,
    /// `[data]`.
    pub limits: DataConfig,
    /// `[clients]`.
    pub clients: ClientsConfig,
    /// `[fxp]`.
    pub fxp: FxpConfig,
    /// Ports at which the cluster itself listens; nobody is sent there on the master's own address.
    pub own_ports: Vec<u16>,
    /// Dials that failed.
    pub dials: FailedDials,
    /// The relays that run.
    pub relays: Relays,
    /// Ports of our own that clients were told of.
    pub ours: OurPorts,
    /// Asks the system about connections that clients keep open.
    pub asking: Blocking,
}

/// Questions to the system at a time.
const ASKING: usize = 2;

impl DataSide {
    /// With these settings.
    pub fn new(passive: PassiveConfig, limits: DataConfig) -> Self {
        let relays = Relays::new(passive.relay_max);
        let dials = FailedDials::new(limits.failed_dials);
        Self {
            passive,
            limits,
            clients: ClientsConfig::default(),
            fxp: FxpConfig::default(),
            own_ports: Vec::new(),
            dials,
            relays,
            ours: OurPorts::default(),
            asking: Blocking::new(ASKING),
        }
    }

    /// And with these for clients.
    #[must_use]
    pub fn for_clients(self, clients: ClientsConfig) -> Self {
        Self { clients, ..self }
    }

    /// And with these for other hosts.
    #[must_use]
    pub fn with_fxp(self, fxp: FxpConfig, own_ports: Vec<u16>) -> Self {
        Self {
            fxp,
            own_ports,
            ..self
        }
    }
}

impl Default for DataSide {
    fn default() -> Self {
        Self::new(PassiveConfig::default(), DataConfig::default())
    }
}

#[cfg(test)]
mod tests;
