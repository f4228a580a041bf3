//! Who may be at the other end of a data connection, pure: the rules against bounces and theft (RFC 2577).
//!
//! The other end is the client of the control connection. Who may FXP on the path of the transfer may have another
//! host there, though never one that is no single machine out there, and never a port of the system's services.

use std::net::{IpAddr, SocketAddr};

use drftpd_protocol::Network;

use super::fxp::Fxp;

/// Below lie services, not FTP clients.
const LOWEST_PORT: u16 = 1024;

/// Why an address is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotToDial {
    /// The port is one of the system's services.
    #[error("port below 1024")]
    ServicePort,
    /// Not the client's own address, and the user may not FXP here.
    #[error("another host than the client's")]
    OtherHost,
    /// A host that the operator has denied.
    #[error("denied by fxp.deny")]
    DeniedHost,
    /// A port of the cluster's own.
    #[error("a port of the cluster's own")]
    OwnPort,
    /// Not an address of one machine that could be somebody else's FTP server.
    #[error("not a host on the network")]
    NoHost,
}

/// Where to dial, an IPv4 address in IPv6 clothes as what it is, if `client` may send us there; `fxp` says which other
/// hosts the user may have.
///
/// # Errors
/// The reason, for the log.
pub fn may_dial(to: SocketAddr, client: IpAddr, fxp: Fxp<'_>) -> Result<SocketAddr, NotToDial> {
    let (host, client) = (to.ip().to_canonical(), client.to_canonical());
    let to = SocketAddr::new(host, to.port());
    if to.port() < LOWEST_PORT {
        return Err(NotToDial::ServicePort);
    }
    if host == client {
        return Ok(to);
    }
    let within = |networks: &[Network]| networks.iter().any(|it| it.contains(host));
    let named = match fxp {
        Fxp::No => return Err(NotToDial::OtherHost),
        Fxp::Any { deny } | Fxp::Among { deny, .. } if within(deny) => {
            return Err(NotToDial::DeniedHost);
        }
        Fxp::Any { .. } => false,
        Fxp::Among { peers, .. } if within(peers) => true,
        Fxp::Among { .. } => return Err(NotToDial::OtherHost),
    };
    match reach(host) {
        Reach::Nobody => Err(NotToDial::NoHost),
        // Where the operator has named them, neighbours are meant.
        _ if named => Ok(to),
        Reach::World => Ok(to),
        // A client that is itself so near may have neighbours.
        near if near >= reach(client) => Ok(to),
        _ => Err(NotToDial::NoHost),
    }
}

/// How far an address reaches, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// No single machine.
    Nobody,
    /// This machine.
    Machine,
    /// One cable.
    Link,
    /// A private network.
    Site,
    /// Everywhere.
    World,
}

fn reach(host: IpAddr) -> Reach {
    match host {
        IpAddr::V4(v4) => match v4.octets() {
            [0, ..] | [224..=255, ..] => Reach::Nobody,
            [127, ..] => Reach::Machine,
            [169, 254, ..] => Reach::Link,
            [100, 64..=127, ..] => Reach::Site,
            _ if v4.is_private() => Reach::Site,
            _ => Reach::World,
        },
        IpAddr::V6(v6) => {
            if v6.is_unspecified() || v6.is_multicast() {
                Reach::Nobody
            } else if v6.is_loopback() {
                Reach::Machine
            } else if v6.is_unicast_link_local() {
                Reach::Link
            } else if v6.is_unique_local() {
                Reach::Site
            } else {
                Reach::World
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(to: &str, client: &str, fxp: bool) -> Result<SocketAddr, NotToDial> {
        let fxp = if fxp { Fxp::Any { deny: &[] } } else { Fxp::No };
        may_dial(to.parse().unwrap(), client.parse().unwrap(), fxp)
    }

    #[test]
    fn the_client_itself_is_dialled_wherever_it_is() {
        for (to, client) in [
            ("192.0.2.1:1024", "192.0.2.1"),
            ("127.0.0.1:5000", "127.0.0.1"),
            ("10.0.0.1:5000", "::ffff:10.0.0.1"),
            ("[::ffff:10.0.0.1]:5000", "10.0.0.1"),
            ("[2001:db8::1]:5000", "2001:db8::1"),
            ("[fe80::1]:5000", "fe80::1"),
        ] {
            let dialled = dial(to, client, false).unwrap();
            assert_eq!(
                dialled.ip(),
                client.parse::<IpAddr>().unwrap().to_canonical()
            );
        }
    }

    #[test]
    fn ports_of_services_are_never_dialled() {
        for port in [0, 1, 21, 22, 80, 1023] {
            for fxp in [false, true] {
                let to = format!("192.0.2.1:{port}");
                assert_eq!(dial(&to, "192.0.2.1", fxp), Err(NotToDial::ServicePort));
            }
        }
    }

    #[test]
    fn another_host_needs_the_right_to_fxp() {
        for (to, client) in [
            ("192.0.2.2:5000", "192.0.2.1"),
            ("[2001:db8::2]:5000", "2001:db8::1"),
            ("[2001:db8::2]:5000", "192.0.2.1"),
        ] {
            assert_eq!(dial(to, client, false), Err(NotToDial::OtherHost));
            assert!(dial(to, client, true).is_ok());
        }
    }

    #[test]
    fn with_the_right_to_fxp_what_is_no_host_out_there_is_not_dialled() {
        for to in [
            "0.0.0.0:5000",
            "0.1.2.3:5000",
            "127.0.0.1:5000",
            "169.254.169.254:5000",
            "224.0.0.1:5000",
            "255.255.255.255:5000",
            "10.0.0.1:5000",
            "172.16.0.1:5000",
            "192.168.1.1:5000",
            "100.64.0.1:5000",
            "[::]:5000",
            "[::1]:5000",
            "[::ffff:127.0.0.1]:5000",
            "[fe80::1]:5000",
            "[fd00::1]:5000",
            "[ff02::1]:5000",
        ] {
            assert_eq!(dial(to, "192.0.2.1", true), Err(NotToDial::NoHost), "{to}");
        }
    }

    #[test]
    fn a_client_in_a_private_network_may_fxp_with_its_neighbours() {
        assert!(dial("10.0.0.2:5000", "192.168.0.1", true).is_ok());
        assert!(dial("127.0.0.2:5000", "127.0.0.1", true).is_ok());
        assert!(dial("192.0.2.2:5000", "127.0.0.1", true).is_ok());
        assert!(dial("10.0.0.2:5000", "127.0.0.1", true).is_ok());
        assert!(dial("127.0.0.1:5000", "10.0.0.1", true).is_err());
        assert!(dial("0.0.0.0:5000", "127.0.0.1", true).is_err());
    }

    #[test]
    fn only_hosts_of_the_named_networks_are_dialled_and_never_denied_ones() {
        let networks = |texts: &[&str]| -> Vec<Network> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let peers = networks(&["203.0.113.0/24", "10.0.0.0/8"]);
        let deny = networks(&["203.0.113.7", "10.9.0.0/16"]);
        let fxp = Fxp::Among {
            peers: &peers,
            deny: &deny,
        };
        let to = |to: &str| {
            let to = format!("{to}:5000").parse().unwrap();
            may_dial(to, "192.0.2.1".parse().unwrap(), fxp).map(drop)
        };
        assert_eq!(to("203.0.113.9"), Ok(()));
        // A neighbour of ours, but named.
        assert_eq!(to("10.1.2.3"), Ok(()));
        assert_eq!(to("203.0.113.7"), Err(NotToDial::DeniedHost));
        assert_eq!(to("10.9.9.9"), Err(NotToDial::DeniedHost));
        assert_eq!(to("198.51.100.1"), Err(NotToDial::OtherHost));
        assert_eq!(to("192.0.2.1"), Ok(()));
    }
}
