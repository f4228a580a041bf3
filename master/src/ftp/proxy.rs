//! The PROXY protocol, versions 1 and 2 (as HAProxy defines it): what a load balancer in front of the control port says
//! of the client that it brings.
//!
//! It is listened to only where the connection comes from a network of `ftp.proxies`; there it must come first, before
//! anything else and before the greeting. Anybody else who sends such a line has sent a command that nobody knows.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use drftpd_actors::{BoxIo, Incoming};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a proxy may take to say whom it brings.
pub(super) const LIMIT: Duration = Duration::from_secs(5);
/// The longest header of version 1, its line end included.
const LONGEST_V1: usize = 107;
/// The longest addresses of version 2, with all that may follow them.
const LONGEST_V2: usize = 2048;
/// How version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Somebody who stands between the client and us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// The proxy or bouncer.
    pub by: SocketAddr,
    /// The address that the client connected to, where it was told.
    pub reached: Option<IpAddr>,
    /// What a bouncer calls the client's user there (ident).
    pub ident: Option<String>,
}

/// Both ends of the client's own connection, as the proxy tells them; `None` where it comes for itself.
type Told = Option<(SocketAddr, SocketAddr)>;

/// Why a proxy's connection is closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unproxied {
    #[error("no header, or none that is understood")]
    Malformed,
    #[error("the header did not come in time")]
    TooLate,
    #[error("the connection broke")]
    Broken(#[from] io::Error),
}

/// Reads the header; gives the connection as if the client had come itself.
pub(super) async fn read(incoming: Incoming) -> Result<(Incoming, Option<Via>), Unproxied> {
    let (by, local) = (incoming.peer, incoming.local);
    let mut io = incoming.adopt()?;
    let told = timeout(LIMIT, header(&mut io)).await;
    let told = told.map_err(|_elapsed| Unproxied::TooLate)??;
    let (peer, via) = match told {
        None => (by, None),
        Some((from, to)) => {
            let reached = Some(to.ip().to_canonical());
            (
                from,
                Some(Via {
                    by,
                    reached,
                    ident: None,
                }),
            )
        }
    };
    Ok((set_free(io, peer, local)?, via))
}

/// Takes a connection off this arbiter, so that its session adopts it on its own.
fn set_free(io: BoxIo, peer: SocketAddr, local: SocketAddr) -> io::Result<Incoming> {
    match io.into_tcp() {
        Ok(socket) => {
            let socket = socket.into_std()?;
            let adopt = move || Ok(Box::new(TcpStream::from_std(socket)?) as BoxIo);
            Ok(Incoming::new(peer, local, adopt))
        }
        Err(io) => Ok(Incoming::new(peer, local, move || Ok(io))),
    }
}

/// Takes the header and not one byte more: what follows is the client's.
async fn header(io: &mut BoxIo) -> Result<Told, Unproxied> {
    let mut begin = [0; 12];
    io.read_exact(&mut begin).await?;
    if begin == SIGNATURE {
        return version_2(io).await;
    }
    if !begin.starts_with(b"PROXY ") {
        return Err(Unproxied::Malformed);
    }
    let mut line = begin.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_V1 {
            return Err(Unproxied::Malformed);
        }
        line.push(io.read_u8().await?);
    }
    let line = line.strip_suffix(b"\r\n").unwrap_or_default();
    version_1(line).ok_or(Unproxied::Malformed)
}

/// `PROXY TCP4 source destination port port`, or `PROXY UNKNOWN` and anything.
fn version_1(line: &[u8]) -> Option<Told> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return None;
    }
    let is_v4 = match words.next()? {
        "UNKNOWN" => return Some(None),
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let mut address = || words.next()?.parse::<IpAddr>().ok();
    let (from, to) = (address()?, address()?);
    let mut port = || words.next()?.parse::<u16>().ok();
    let (from, to) = ((from, port()?).into(), (to, port()?).into());
    let fits = |at: SocketAddr| at.is_ipv4() == is_v4;
    (words.next().is_none() && fits(from) && fits(to)).then_some(Some((from, to)))
}

async fn version_2(io: &mut BoxIo) -> Result<Told, Unproxied> {
    let (command, family) = (io.read_u8().await?, io.read_u8().await?);
    let length = usize::from(io.read_u16().await?);
    if length > LONGEST_V2 {
        return Err(Unproxied::Malformed);
    }
    let mut rest = vec![0; length];
    io.read_exact(&mut rest).await?;
    match command {
        // LOCAL: the proxy looks whether we live.
        0x20 => Ok(None),
        0x21 => addresses(family, &rest).ok_or(Unproxied::Malformed),
        _ => Err(Unproxied::Malformed),
    }
}

/// The addresses of version 2; what it does not know how to say comes for the proxy itself.
fn addresses(family: u8, bytes: &[u8]) -> Option<Told> {
    match family {
        0x11 => {
            let ip = |at: usize| Some(Ipv4Addr::from(array::<4>(bytes, at)?));
            Some(Some(ends(ip(0)?.into(), ip(4)?.into(), bytes, 8)?))
        }
        0x21 => {
            let ip = |at: usize| Some(Ipv6Addr::from(array::<16>(bytes, at)?));
            Some(Some(ends(ip(0)?.into(), ip(16)?.into(), bytes, 32)?))
        }
        _ => Some(None),
    }
}

fn ends(from: IpAddr, to: IpAddr, bytes: &[u8], ports: usize) -> Option<(SocketAddr, SocketAddr)> {
    let port = |at: usize| Some(u16::from_be_bytes(array::<2>(bytes, at)?));
    Some(((from, port(ports)?).into(), (to, port(ports + 2)?).into()))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use drftpd_actors::Net;
    use drftpd_actors::testkit::{MemNet, sim};
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn told(bytes: &[u8]) -> Result<(SocketAddr, Option<Via>, Vec<u8>), Unproxied> {
        let net = MemNet::new();
        let at = "192.0.2.9:21".parse().unwrap();
        let listener = net.bind(at).await.unwrap();
        let proxy = Some("10.0.0.1".parse().unwrap());
        let mut io = net.connect(proxy, at).await.unwrap();
        io.write_all(bytes).await.unwrap();
        io.shutdown().await.unwrap();
        let (incoming, via) = read(listener.accept().await.unwrap()).await?;
        let peer = incoming.peer;
        let mut left = Vec::new();
        let mut io = incoming.adopt().unwrap();
        io.read_to_end(&mut left).await.unwrap();
        Ok((peer, via, left))
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[test]
    fn both_versions_name_the_client_and_leave_its_first_line() {
        let v4 = v2(
            0x21,
            0x11,
            &[
                198, 51, 100, 7, 203, 0, 113, 1, 0x13, 0x88, 0, 21, 3, 0, 1, 9,
            ],
        );
        for header in [
            &b"PROXY TCP4 198.51.100.7 203.0.113.1 5000 21\r\n"[..],
            &v4[..],
        ] {
            sim(async {
                let (peer, via, left) = told(&[header, b"USER bob\r\n"].concat()).await.unwrap();
                assert_eq!(peer, "198.51.100.7:5000".parse().unwrap());
                let via = via.unwrap();
                assert_eq!(via.by.ip(), "10.0.0.1".parse::<IpAddr>().unwrap());
                assert_eq!(via.reached, Some("203.0.113.1".parse().unwrap()));
                assert_eq!(left, b"USER bob\r\n");
            });
        }
    }

    #[test]
    fn ipv6_is_understood_in_both_versions() {
        let mut rest = Vec::new();
        rest.extend_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        rest.extend_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        rest.extend_from_slice(&[0x13, 0x88, 0, 21]);
        let v2 = v2(0x21, 0x21, &rest);
        for header in [
            &b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 21\r\n"[..],
            &v2[..],
        ] {
            sim(async {
                let (peer, ..) = told(header).await.unwrap();
                assert_eq!(peer, "[2001:db8::7]:5000".parse().unwrap());
            });
        }
    }

    #[test]
    fn a_proxy_that_comes_for_itself_is_itself() {
        for header in [
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".to_vec(),
            v2(0x20, 0, &[]),
            v2(0x21, 0, &[1, 2, 3]),
        ] {
            sim(async {
                let (peer, via, _) = told(&header).await.unwrap();
                assert_eq!(peer.ip(), "10.0.0.1".parse::<IpAddr>().unwrap());
                assert_eq!(via, None);
            });
        }
    }

    #[test]
    fn whatever_else_comes_ends_the_connection() {
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        for bad in [
            b"USER bob\r\nPASS x\r\n".to_vec(),
            b"PROXY TCP4 198.51.100.7 203.0.113.1 5000\r\n".to_vec(),
            b"PROXY TCP4 198.51.100.7 203.0.113.1 5000 21 9\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 2001:db8::1 5000 21\r\n".to_vec(),
            b"PROXY TCP4 198.51.100.7 203.0.113.1 5000 65536\r\n".to_vec(),
            b"PROXY UDP4 198.51.100.7 203.0.113.1 5000 21\r\n".to_vec(),
            long,
            v2(0x11, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x11, &[0; LONGEST_V2 + 1]),
            b"PROXY TCP4".to_vec(),
        ] {
            sim(async { assert!(told(&bad).await.is_err(), "{bad:?}") });
        }
    }

    #[test]
    fn a_proxy_that_says_nothing_is_not_waited_for() {
        sim(async {
            let net = MemNet::new();
            let at = "192.0.2.9:21".parse().unwrap();
            let listener = net.bind(at).await.unwrap();
            let _io = net.connect(None, at).await.unwrap();
            let begun = tokio::time::Instant::now();
            let read = read(listener.accept().await.unwrap()).await;
            assert!(matches!(read, Err(Unproxied::TooLate)));
            assert_eq!(begun.elapsed(), LIMIT);
        });
    }
}
