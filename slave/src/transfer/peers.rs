//! Who may be at the other end of a data connection, pure.
//!
//! The master decides for users; these rules hold for any master, so that a slave can never be made
//! to talk to a service of its own machine or network that no FTP client is.

use std::net::{IpAddr, SocketAddr};

pub use drftpd_protocol::Network;
use drftpd_protocol::wire::PeerRule;

/// Lowest port that a slave dials: below lie services, not FTP clients.
const LOWEST_PORT: u16 = 1024;

/// Whether a peer with this address may use a listening channel.
pub fn may_connect(rule: &PeerRule, peer: IpAddr) -> bool {
    rule.holds(peer)
}

/// Whether this slave may dial `to`; else what speaks against it.
///
/// Never: the unspecified address, multicast, broadcast, link-local addresses (where clouds keep
/// their secrets) and ports below 1024; then the networks of `deny_dial`. Loopback and private
/// addresses are allowed unless they are named there: laboratories, containers and the cluster in
/// one process live on them ([`leads_home`] has the rest).
///
/// # Errors
/// The reason, for the log.
pub fn may_dial(to: SocketAddr, denied: &[Network]) -> Result<(), &'static str> {
    let address = to.ip().to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if to.port() < LOWEST_PORT {
        return Err("port below 1024");
    }
    if address.is_unspecified() || address.is_multicast() || broadcast || link_local {
        return Err("not the address of one machine");
    }
    if denied.iter().any(|network| network.contains(address)) {
        return Err("denied by transfer.deny_dial");
    }
    Ok(())
}

/// Whether a loopback address would be another machine's than the one that the master means, whose link is known: this
/// one's own services must not be reached at the wish of somebody who came to the master's machine (through a tunnel, say).
pub fn leads_home(to: SocketAddr, master: Option<SocketAddr>) -> bool {
    let is_loopback = |at: SocketAddr| at.ip().to_canonical().is_loopback();
    is_loopback(to) && master.is_some_and(|master| !is_loopback(master))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_named_peer_may_connect_in_either_clothes() {
        let rule = PeerRule::Only(ip("192.0.2.1"));
        assert!(may_connect(&rule, ip("192.0.2.1")));
        assert!(may_connect(&rule, ip("::ffff:192.0.2.1")));
        assert!(!may_connect(&rule, ip("192.0.2.2")));
        assert!(may_connect(&PeerRule::Any, ip("192.0.2.2")));
    }

    #[test]
    fn a_slave_never_dials_services_or_many_machines() {
        for bad in [
            "192.0.2.1:1023",
            "192.0.2.1:0",
            "0.0.0.0:5000",
            "[::]:5000",
            "224.0.0.1:5000",
            "[ff02::1]:5000",
            "255.255.255.255:5000",
            "169.254.169.254:8080",
            "[fe80::1]:5000",
            "[::ffff:169.254.1.1]:5000",
        ] {
            assert!(may_dial(bad.parse().unwrap(), &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback_is_this_machine_only_where_the_master_is_here_too() {
        let home = |to: &str, master: &str| leads_home(to.parse().unwrap(), master.parse().ok());
        for to in [
            "127.0.0.1:6379",
            "127.9.9.9:6379",
            "[::1]:6379",
            "[::ffff:127.0.0.1]:6379",
        ] {
            assert!(home(to, "192.0.2.9:2122"), "{to}");
            assert!(!home(to, "127.0.0.1:2122") && !home(to, "[::1]:2122") && !home(to, ""));
        }
        assert!(!home("192.0.2.1:6379", "192.0.2.9:2122"));
    }

    #[test]
    fn loopback_and_private_addresses_are_dialled_unless_denied() {
        let loopback = "127.0.0.1:2000".parse().unwrap();
        let private = "10.1.2.3:2000".parse().unwrap();
        assert!(may_dial(loopback, &[]).is_ok() && may_dial(private, &[]).is_ok());
        let denied = ["127.0.0.0/8", "10.0.0.0/8"].map(|n| n.parse().unwrap());
        assert!(may_dial(loopback, &denied).is_err() && may_dial(private, &denied).is_err());
    }
}
