//! Listening for one data connection: a port of the passive range, and the right peer on it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drftpd_actors::{BoxIo, Dice, Listener, Net};
use drftpd_protocol::wire::{DataOpened, Family, Fault, FaultCode, PeerRule};
use tokio::sync::mpsc;

use super::config::TransferConfig;
use super::env::Env;
use super::peers::may_connect;
use super::shelf::Port;
use super::strangers::Strangers;

/// After an error of the listener (no more file descriptors), wait so long.
const PAUSE: Duration = Duration::from_millis(50);
/// After so many ports in use, others of the same thread get a turn.
const PORTS_AT_A_TIME: usize = 32;

/// Listens on a port of the range, beginning somewhere in it; a taken port means the next one. A
/// channel whose peer is named may get a port that is listened on already.
///
/// # Errors
/// [`FaultCode::NO_PORT`] when all are taken or the address cannot be listened on.
pub async fn listen(env: &Env, family: Family, peers: &PeerRule) -> Result<Port, Fault> {
    let named = matches!(peers, PeerRule::Only(_));
    if named && let Some(port) = env.shelf.take(family, &env.dice) {
        return Ok(port);
    }
    match bind(env.net.as_ref(), &env.config, family, &env.dice).await {
        Ok(port) => Ok(port),
        Err(fault) => env.shelf.take_any(family, &env.dice).ok_or(fault),
    }
}

async fn bind(
    net: &dyn Net,
    config: &TransferConfig,
    family: Family,
    dice: &Dice,
) -> Result<Port, Fault> {
    let address = config.listen_address(family);
    let start = dice.below(config.passive_ports.count().into());
    let ports = config.passive_ports.from(start as u32);
    let mut last = None;
    for (tried, port) in ports.enumerate() {
        match net.bind(SocketAddr::new(address, port)).await {
            Ok(listener) => {
                let opened = opened(listener.as_ref(), config, family)?;
                return Ok(Port {
                    listener,
                    opened,
                    family,
                    strangers: Strangers::default(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
            Err(error) => return Err(no_port(address, &error)),
        }
        if tried % PORTS_AT_A_TIME == PORTS_AT_A_TIME - 1 {
            tokio::task::yield_now().await;
        }
    }
    let taken = io::ErrorKind::AddrInUse.into();
    Err(no_port(address, &last.unwrap_or(taken)))
}

fn no_port(address: IpAddr, why: &io::Error) -> Fault {
    let text = format!("no port to listen on at {address}: {why}");
    Fault::new(FaultCode::NO_PORT, text)
}

/// What clients are told.
fn opened(
    listener: &dyn Listener,
    config: &TransferConfig,
    family: Family,
) -> Result<DataOpened, Fault> {
    let at = listener
        .local_addr()
        .map_err(|error| no_port(config.listen_address(family), &error))?;
    let of_family = |address: &IpAddr| address.is_ipv6() == (family == Family::V6);
    let bound = Some(at.ip()).filter(|address| !address.is_unspecified());
    Ok(DataOpened {
        address: config.announce_address.filter(of_family).or(bound),
        port: config.announced_port(at.port()),
    })
}

/// Passes the right peers' connections on for as long as somebody wants them; gives the port back for the next
/// channel.
pub async fn accept_more(port: Port, peers: PeerRule, wanted: mpsc::Sender<BoxIo>) -> Port {
    loop {
        let another = tokio::select! {
            biased;
            () = wanted.closed() => return port,
            another = accept(&port, &peers) => another,
        };
        if wanted.send(another).await.is_err() {
            return port;
        }
    }
}

/// Waits for the right peer. Others are closed, and waiting goes on. May be dropped without losing one.
pub async fn accept(port: &Port, peers: &PeerRule) -> BoxIo {
    loop {
        match port.listener.accept().await {
            Ok(incoming) if may_connect(peers, incoming.peer.ip()) => match incoming.adopt() {
                Ok(io) => return io,
                Err(error) => tracing::warn!(%error, "a data connection could not be taken"),
            },
            Ok(stranger) => port.strangers.closed(stranger.peer),
            Err(error) => {
                tracing::warn!(%error, "waiting for a data connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use drftpd_actors::testkit::{MemNet, sim};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn config(ports: &str) -> TransferConfig {
        TransferConfig {
            passive_ports: ports.parse().unwrap(),
            ..TransferConfig::default()
        }
    }

    #[test]
    fn a_taken_port_means_the_next_one_and_then_none() {
        sim(async {
            let net = MemNet::new();
            let dice = Dice::seeded(1);
            let config = config("5000-5002");
            let mut held = Vec::new();
            let mut ports = Vec::new();
            for _ in 0..3 {
                let port = bind(&net, &config, Family::V4, &dice).await.unwrap();
                ports.push(port.opened.port);
                held.push(port);
            }
            ports.sort_unstable();
            assert_eq!(ports, [5000, 5001, 5002]);
            let full = bind(&net, &config, Family::V4, &dice).await;
            assert_eq!(full.err().unwrap().code, FaultCode::NO_PORT);
            held.pop();
            assert!(bind(&net, &config, Family::V4, &dice).await.is_ok());
        });
    }

    #[test]
    fn clients_are_told_the_announced_address_and_port() {
        sim(async {
            let config = TransferConfig {
                announce_address: Some("192.0.2.1".parse().unwrap()),
                announce_ports: Some("7000".parse().unwrap()),
                ..config("5000")
            };
            let (net, dice) = (MemNet::new(), Dice::seeded(1));
            let v4 = bind(&net, &config, Family::V4, &dice).await.unwrap();
            let told = (v4.opened.address, v4.opened.port);
            assert_eq!(told, (config.announce_address, 7000));
            let v6 = bind(&net, &config, Family::V6, &dice).await.unwrap();
            assert_eq!(v6.opened.address, None);
        });
    }

    #[test]
    fn a_stranger_is_closed_and_the_right_peer_still_comes_in() {
        sim(async {
            let net = MemNet::new();
            let right: IpAddr = "192.0.2.1".parse().unwrap();
            let to = "127.0.0.1:5000".parse().unwrap();
            let (config, dice) = (config("5000"), Dice::seeded(1));
            let port = bind(&net, &config, Family::V4, &dice).await.unwrap();
            let mut stranger = net.connect(None, to).await.unwrap();
            let mut client = net.connect(Some(right), to).await.unwrap();
            let mut io = accept(&port, &PeerRule::Only(right)).await;
            assert_eq!(io.peer_addr().unwrap().ip(), right);
            assert_eq!(stranger.read(&mut [0; 1]).await.unwrap(), 0);
            client.write_all(b"x").await.unwrap();
            assert_eq!(io.read_u8().await.unwrap(), b'x');
        });
    }
}
