//! Slaves: whether a port that one of them would announce is reached from here.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drftpd_protocol::wire::{AbortTransfer, DataPath, Family, OpenData, PeerRule};
use drftpd_protocol::{SlaveId, TransferId};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Finding, Notes};
use crate::slaves::SlavesClient;

/// How long each step may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Has a slave listen as for a transfer, and goes there as a client would.
pub async fn probe(
    slaves: &SlavesClient,
    slave: &SlaveId,
    link: IpAddr,
    transfer: TransferId,
) -> Finding {
    let mut found = Vec::new();
    let area = "slaves";
    let mut notes = Notes {
        area,
        found: &mut found,
    };
    let family = match link.to_canonical() {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    };
    let open = OpenData {
        transfer,
        path: DataPath::Listen {
            family,
            peers: PeerRule::Any,
        },
        connect_timeout_ms: u64::try_from(LIMIT.as_millis()).unwrap_or(u64::MAX),
    };
    match slaves.call(slave, open, LIMIT).await {
        Ok(opened) => {
            let address = opened.address.unwrap_or(link).to_canonical();
            let at = SocketAddr::new(address, opened.port);
            match timeout(LIMIT, TcpStream::connect(at)).await {
                Ok(Ok(_there)) => notes.good(format!("{slave} is reached at {at}")),
                Ok(Err(why)) => notes.wrong(
                    format!("{slave} is not reached at {at}: {why}"),
                    "look at its firewall, and at [transfer] announce_address and announce_ports",
                ),
                Err(_) => notes.wrong(
                    format!("{slave} is not reached at {at}: nobody answers"),
                    "let its passive_ports through its firewall or router",
                ),
            }
        }
        Err(why) => notes.wrong(
            format!("{slave} opens no port: {why}"),
            "look at its log and at its passive_ports",
        ),
    }
    // It closes the port by itself where it does not hear this.
    drop(slaves.call(slave, AbortTransfer { transfer }, LIMIT).await);
    found.pop().unwrap_or(Finding {
        area,
        severity: super::Severity::Note,
        what: format!("{slave} was not looked at"),
        remedy: String::new(),
    })
}
