//! Addresses: whether they are this machine's, whether they lead where clients are told.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Finding, Known, Machine, Notes};
use crate::config::MasterConfig;

pub(super) fn look(
    config: &MasterConfig,
    machine: &dyn Machine,
    known: &Known,
    found: &mut Vec<Finding>,
) {
    let area = "addresses";
    let mut notes = Notes { area, found };
    match &known.serving {
        Some(serving) => serving
            .iter()
            .for_each(|at| greets(*at, machine, &mut notes)),
        None => {
            for (key, at) in listens(config) {
                can_listen(key, at, machine, &mut notes);
            }
        }
    }
    // Only while an order runs: free for it otherwise, whether the master runs or not.
    if let Some(acme) = &config.tls.acme {
        can_listen(
            "tls.acme.http_listen",
            acme.http_listen,
            machine,
            &mut notes,
        );
    }
    if let Some(address) = config.passive.address {
        let at = SocketAddr::new(address, 0);
        can_listen("passive.address", at, machine, &mut notes);
    }
    announced(config, &mut notes);
    slaves(config, known, &mut notes);
}

/// Where the master listens, with the key that says so.
pub(super) fn listens(config: &MasterConfig) -> Vec<(&'static str, SocketAddr)> {
    let of = |key, list: &[SocketAddr]| list.iter().map(|at| (key, *at)).collect::<Vec<_>>();
    let mut all = of("ftp.listen", &config.ftp.listen);
    all.extend(of("tls.listen_implicit", &config.tls.listen_implicit));
    all.push(("slaves.listen", config.slaves.listen));
    all.push(("admin.listen", config.admin.listen));
    all.extend(of("api.listen", &config.api.listen));
    all
}

/// An address to connect to for one that is listened at.
fn reached(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

fn greets(at: SocketAddr, machine: &dyn Machine, notes: &mut Notes<'_>) {
    match machine.greeting(reached(at)) {
        Ok(line) if line.starts_with("220") => notes.good(format!("{at} greets: {line}")),
        Ok(line) if line.is_empty() => notes.good(format!("{at} takes connections (TLS)")),
        Ok(line) => notes.wrong(
            format!("{at} does not greet: {line}"),
            "see what it says: 421 means that a limit of [ftp] is reached",
        ),
        Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            notes.good(format!("{at} takes connections and waits (TLS)"));
        }
        Err(why) => notes.wrong(
            format!("{at} is not reached from this machine: {why}"),
            "look at the firewall of this machine",
        ),
    }
}

fn can_listen(key: &str, at: SocketAddr, machine: &dyn Machine, notes: &mut Notes<'_>) {
    let Err(why) = machine.can_listen(at) else {
        return notes.good(format!("{key}: {at} can be listened at"));
    };
    let remedy = match why.kind() {
        ErrorKind::AddrInUse => "another program listens there: end it, or choose another port",
        ErrorKind::AddrNotAvailable => "this machine has no such address: see `ip address`",
        ErrorKind::PermissionDenied => "ports below 1024 need CAP_NET_BIND_SERVICE",
        _ => "choose another address",
    };
    notes.wrong(format!("{key}: {at}: {why}"), remedy);
}

/// How far an address reaches: this machine, a private network, everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Far {
    Machine,
    Private,
    World,
}

fn far(ip: IpAddr) -> Far {
    match ip.to_canonical() {
        ip if ip.is_loopback() => Far::Machine,
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Far::Private,
        IpAddr::V4(ip) if ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64 => Far::Private,
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Far::Private,
        _ => Far::World,
    }
}

/// The farthest clients that the control port is for.
fn clients(config: &MasterConfig) -> Far {
    let all = config.ftp.listen.iter().chain(&config.tls.listen_implicit);
    let farthest = all.map(|at| far(at.ip())).max();
    farthest.unwrap_or(Far::Machine)
}

fn announced(config: &MasterConfig, notes: &mut Notes<'_>) {
    let clients = clients(config);
    let Some(address) = config.passive.announce_address else {
        if clients == Far::Private {
            notes.note(
                "227 names a private address for data connections that arrive at the master",
                "behind NAT, set passive.announce_address to the address that clients see",
            );
        }
        return;
    };
    if far(address) < clients.min(Far::World) && far(address) == Far::Machine {
        notes.wrong(
            format!("passive.announce_address is {address}: clients elsewhere go to themselves"),
            "set it to the address at which clients reach this machine",
        );
    } else {
        notes.good(format!("227 names {address} for the master"));
    }
    if address.is_ipv6() {
        notes.wrong(
            "passive.announce_address is IPv6, and 227 can name IPv4 only",
            "set an IPv4 address; EPSV needs none",
        );
    }
}

fn slaves(config: &MasterConfig, known: &Known, notes: &mut Notes<'_>) {
    let at = config.slaves.listen;
    if far(at.ip()) == Far::Machine && !known.slaves.is_empty() {
        notes.note(
            format!("slaves.listen is {at}: only slaves of this machine can come"),
            "set it to an address that the slaves reach",
        );
    }
    let seen = config.clients.networks.iter().flat_map(|net| &net.slaves);
    for seen in seen.filter(|seen| !known.slaves.contains(&seen.slave)) {
        notes.wrong(
            format!(
                "clients.networks names {}, and no such slave is known",
                seen.slave
            ),
            "see `slave list`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_apart() {
        for (ip, want) in [
            ("127.0.0.1", Far::Machine),
            ("::ffff:127.0.0.1", Far::Machine),
            ("::1", Far::Machine),
            ("10.0.0.1", Far::Private),
            ("100.64.0.1", Far::Private),
            ("fd00::1", Far::Private),
            ("203.0.113.1", Far::World),
            ("0.0.0.0", Far::World),
        ] {
            assert_eq!(far(ip.parse().unwrap()), want, "{ip}");
        }
        assert_eq!(
            reached("[::]:21".parse().unwrap()),
            "[::1]:21".parse().unwrap()
        );
    }
}
