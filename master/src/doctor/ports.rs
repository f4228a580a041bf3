//! Ports: whether the passive range is free, large enough, and nobody else's.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Finding, Known, Machine, Notes, addresses};
use crate::config::MasterConfig;

/// Sockets and files of one session that relays: control, both ends, a pipe each way.
const A_SESSION: u64 = 8;

pub(super) fn look(
    config: &MasterConfig,
    machine: &dyn Machine,
    known: &Known,
    found: &mut Vec<Finding>,
) {
    let mut notes = Notes {
        area: "ports",
        found,
    };
    let range = config.passive.ports;
    let ports: Vec<u16> = range.from(0).collect();
    let any = ports == [0];
    for (key, at) in addresses::listens(config) {
        if at.port() != 0 && ports.contains(&at.port()) {
            notes.wrong(
                format!("{key}: port {} lies in passive.ports ({range})", at.port()),
                "keep them apart",
            );
        }
    }
    if any {
        notes.note(
            "passive.ports is 0: data connections arrive at any port",
            "behind a firewall, set a range and let it through",
        );
    } else {
        free(config, machine, &ports, &mut notes);
        outgoing(machine, &ports, &mut notes);
        let relays = config.passive.relay_max;
        if ports.len() < relays {
            notes.note(
                format!(
                    "passive.ports has {} ports for {relays} relays",
                    ports.len()
                ),
                "make the range larger, or passive.relay_max smaller",
            );
        }
    }
    open_files(config, machine, known, &mut notes);
}

fn free(config: &MasterConfig, machine: &dyn Machine, ports: &[u16], notes: &mut Notes<'_>) {
    let address = config.passive.address;
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let taken = |port: &&u16| {
        let at = SocketAddr::new(address, **port);
        let listens = machine.can_listen(at);
        listens.is_err_and(|why| why.kind() != ErrorKind::AddrNotAvailable)
    };
    let taken = ports.iter().filter(taken).count();
    let all = ports.len();
    match taken {
        taken if taken == all => notes.wrong(
            format!("none of the {all} passive ports is free"),
            "see what listens there with `ss -tln`, or choose another range",
        ),
        taken if taken * 2 > all => notes.note(
            format!("{taken} of {all} passive ports are taken"),
            "see what listens there with `ss -tln`",
        ),
        taken => notes.good(format!("{} of {all} passive ports are free", all - taken)),
    }
}

fn outgoing(machine: &dyn Machine, ports: &[u16], notes: &mut Notes<'_>) {
    let Some((first, last)) = machine.outgoing_ports() else {
        return;
    };
    let shared = ports.iter().filter(|port| (first..=last).contains(*port));
    let shared = shared.count();
    if shared > 0 {
        notes.note(
            format!(
                "{shared} passive ports are also given to outgoing connections ({first}-{last})"
            ),
            "name them in net.ipv4.ip_local_reserved_ports",
        );
    }
}

fn open_files(config: &MasterConfig, machine: &dyn Machine, known: &Known, notes: &mut Notes<'_>) {
    // Only a running master is asked for its own limit.
    let (Some(_), Some(limit)) = (&known.serving, machine.open_files()) else {
        return;
    };
    let connections = u64::try_from(config.ftp.max_connections).unwrap_or(u64::MAX);
    let relays = u64::try_from(config.passive.relay_max).unwrap_or(u64::MAX);
    let want = connections.saturating_add(relays.saturating_mul(A_SESSION));
    match limit < want {
        true => notes.note(
            format!("{limit} open files for {connections} connections and {relays} relays"),
            format!("raise LimitNOFILE to {want}, or lower ftp.max_connections"),
        ),
        false => notes.good(format!("{limit} files may be open")),
    }
}
