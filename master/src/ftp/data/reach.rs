//! Whether clients and slaves reach each other: what `[clients]` says of a client's network, and what a session has
//! learnt of its own client.
//!
//! Where they do not, the master stands in between: it listens or dials itself, and forwards.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::SlaveId;
use drftpd_slave::transfer::{Network, PortRange};
use serde::Deserialize;

use super::error::DataError;
use super::ours::Sent;
use crate::ftp::error::FtpError;

/// Who listens for a client whose transfer was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PassiveBy {
    /// The slave; and the master when the session has seen that the client does not get there.
    #[default]
    Slave,
    /// The master, which forwards.
    Relay,
}

/// Who dials a client that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActiveBy {
    /// The slave, and nobody else.
    Slave,
    /// The master, which forwards: for clients whose firewall lets only the control connection's host in.
    Relay,
    /// The slave; and the master where the slave does not get there.
    #[default]
    Auto,
}

/// `[clients]`: how clients of which network and slaves reach each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientsConfig {
    /// Who listens for clients that no network below names.
    pub passive: PassiveBy,
    /// Who dials clients that no network below names.
    pub active: ActiveBy,
    /// Networks of clients; the first that holds the client counts.
    pub networks: Vec<ClientNetwork>,
}

/// Clients of some networks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientNetwork {
    /// Which.
    pub clients: Vec<Network>,
    /// Who listens for them; as for all others where it is left out.
    pub passive: Option<PassiveBy>,
    /// Who dials them; as for all others where it is left out.
    pub active: Option<ActiveBy>,
    /// The master's address as 227 names it to them.
    pub announce_address: Option<IpAddr>,
    /// Slaves that they see at other addresses than everybody.
    #[serde(default)]
    pub slaves: Vec<SeenSlave>,
}

/// A slave as clients of one network see it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenSlave {
    /// Its name.
    pub slave: SlaveId,
    /// The address that they are told.
    pub address: Option<IpAddr>,
    /// Ports that the slave announces.
    pub ports: Option<PortRange>,
    /// Ports that they are told, one for each of `ports`.
    pub announce_ports: Option<PortRange>,
}

/// What holds for one client.
#[derive(Debug, Clone, Copy)]
pub struct Reaches<'a> {
    /// Who listens.
    pub passive: PassiveBy,
    /// Who dials.
    pub active: ActiveBy,
    network: Option<&'a ClientNetwork>,
}

impl ClientsConfig {
    /// What holds for a client.
    pub fn of(&self, client: IpAddr) -> Reaches<'_> {
        let holds = |of: &&ClientNetwork| of.clients.iter().any(|net| net.contains(client));
        let network = self.networks.iter().find(holds);
        Reaches {
            passive: network.and_then(|of| of.passive).unwrap_or(self.passive),
            active: network.and_then(|of| of.active).unwrap_or(self.active),
            network,
        }
    }
}

impl Reaches<'_> {
    /// The master's address as the client is told it, where its network has one of its own.
    pub fn master(&self) -> Option<IpAddr> {
        self.network?.announce_address
    }

    /// A slave's port as the client is told it.
    pub fn slave(&self, slave: &SlaveId, at: SocketAddr) -> SocketAddr {
        let slaves = self.network.map_or(&[][..], |network| &network.slaves);
        let Some(seen) = slaves.iter().find(|seen| seen.slave == *slave) else {
            return at;
        };
        let port = match (seen.ports, seen.announce_ports) {
            (Some(ports), Some(outside)) => ports.seen_as(at.port(), outside),
            _ => at.port(),
        };
        SocketAddr::new(seen.address.unwrap_or(at.ip()), port)
    }
}

impl Check for ClientsConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (at, network) in self.networks.iter().enumerate() {
            let mut wrong = |is_wrong: bool, key: &str, why: &str| {
                if is_wrong {
                    let key = format!("clients.networks[{at}].{key}");
                    errors.push(ConfigError::new(key, why));
                }
            };
            wrong(network.clients.is_empty(), "clients", "must name a network");
            let nowhere = |address: Option<IpAddr>| address.is_some_and(|it| it.is_unspecified());
            let why = "must be an address that clients can connect to";
            wrong(nowhere(network.announce_address), "announce_address", why);
            for seen in &network.slaves {
                wrong(nowhere(seen.address), "slaves", why);
                let fit = match (seen.ports, seen.announce_ports) {
                    (None, None) => true,
                    (Some(ports), Some(outside)) => ports.count() == outside.count(),
                    _ => false,
                };
                let why = "must have as many announce_ports as ports";
                wrong(!fit, "slaves", why);
            }
        }
    }
}

/// What a session has learnt of its client. Cloning gives another handle to the same.
#[derive(Debug, Clone, Default)]
pub struct Reach(Rc<Learnt>);

#[derive(Debug, Default)]
struct Learnt {
    no_slave_reached: Cell<bool>,
    by_no_slave_reached: Cell<bool>,
    told: Cell<bool>,
    sent: RefCell<Option<Sent>>,
}

impl Reach {
    /// Whether the client gets to slaves, as far as is known. It does not where it was told a slave's port and asks
    /// for another one before its transfer.
    pub fn gets_to_slaves(&self) -> bool {
        !self.0.no_slave_reached.get() && !self.0.told.get()
    }

    /// Whether slaves get to the client, as far as is known.
    pub fn slaves_get_there(&self) -> bool {
        !self.0.by_no_slave_reached.get()
    }

    /// The client has been told a slave's port.
    pub fn told(&self) {
        self.0.told.set(true);
    }

    /// The client goes on to another transfer.
    pub fn goes_on(&self) {
        self.0.told.set(false);
    }

    /// Somebody is sent to where the client said last; tells whether that is a port of ours.
    pub fn sends(&self, there: Option<Sent>) -> bool {
        let is_ours = there.is_some();
        self.0.sent.replace(there);
        is_ours
    }

    /// No slave got to the client.
    pub fn slaves_failed(&self) {
        self.0.by_no_slave_reached.set(true);
    }

    /// Learns from the end of a transfer for which a slave had listened.
    pub fn learn<T>(&self, end: &Result<T, FtpError>) {
        if end.as_ref().is_err_and(is_unreached) {
            self.0.no_slave_reached.set(true);
        }
    }
}

/// Whether a transfer failed because both ends did not come together.
pub fn is_unreached(why: &FtpError) -> bool {
    use drftpd_protocol::wire::FaultCode;
    match why {
        FtpError::Broken(fault) => fault.code == FaultCode::NO_CONNECTION,
        FtpError::Data(why) => {
            matches!(why, DataError::NobodyConnected | DataError::Unreachable(_))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        active = "slave"
        networks = [
            { clients = ["10.0.0.0/8"], active = "relay", announce_address = "10.0.0.1", slaves = [
                { slave = "a", address = "10.0.0.5", ports = "50000-50099", announce_ports = "60000-60099" },
                { slave = "b", address = "10.0.0.6" },
            ] },
            { clients = ["10.1.0.0/16", "fd00::/8"], passive = "relay" },
        ]
    "#;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_network_that_holds_the_client_counts() {
        let config: ClientsConfig = drftpd_actors::parse(TEXT, None).unwrap();
        let of = |client: &str| {
            let reaches = config.of(ip(client));
            (reaches.passive, reaches.active, reaches.master())
        };
        let (near, other) = (Some(ip("10.0.0.1")), PassiveBy::Slave);
        assert_eq!(of("10.1.2.3"), (other, ActiveBy::Relay, near));
        assert_eq!(of("::ffff:10.1.2.3"), (other, ActiveBy::Relay, near));
        assert_eq!(of("fd00::1"), (PassiveBy::Relay, ActiveBy::Slave, None));
        assert_eq!(of("192.0.2.1"), (other, ActiveBy::Slave, None));
    }

    #[test]
    fn slaves_are_told_where_the_network_sees_them() {
        let config: ClientsConfig = drftpd_actors::parse(TEXT, None).unwrap();
        let told = |client: &str, slave: &str| {
            let at = "198.51.100.1:50007".parse().unwrap();
            let slave = slave.parse().unwrap();
            config.of(ip(client)).slave(&slave, at).to_string()
        };
        assert_eq!(told("10.0.0.9", "a"), "10.0.0.5:60007");
        assert_eq!(told("10.0.0.9", "b"), "10.0.0.6:50007");
        assert_eq!(told("10.0.0.9", "c"), "198.51.100.1:50007");
        assert_eq!(told("192.0.2.1", "a"), "198.51.100.1:50007");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let text = r#"networks = [ { clients = [], announce_address = "0.0.0.0",
            slaves = [ { slave = "a", ports = "1-2", announce_ports = "1-3" } ] } ]"#;
        let errors = drftpd_actors::parse::<ClientsConfig>(text, None).unwrap_err();
        let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
        let of = |key| format!("clients.networks[0].{key}");
        assert_eq!(keys, [of("clients"), of("announce_address"), of("slaves")]);
        assert!(drftpd_actors::parse::<ClientsConfig>("active = \"never\"", None).is_err());
    }
}
