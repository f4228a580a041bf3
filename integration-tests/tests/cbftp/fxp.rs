//! Transfers between two of our sites, and what somebody without the right to them hears.

use std::io::Read;
use std::net::SocketAddr;

use anyhow::Result;
use drftpd_integration_tests::cbftp::{Became, Passive, fxp};
use drftpd_integration_tests::data::first_difference;
use drftpd_integration_tests::{Bytes, Cluster};

use super::{login, site};

#[test]
fn fxp_between_two_of_our_clusters_goes_both_ways_whichever_side_listens() -> Result<()> {
    let (here, there) = (
        site("127.0.0.1", "127.0.0.3", 2)?,
        site("127.0.0.2", "127.0.0.4", 2)?,
    );
    let (mut a, mut b) = (login(here.ftp)?, login(there.ftp)?);
    a.enter("/x")?;
    b.enter("/x")?;
    for (seed, passive) in (1..).zip([Passive::Source, Passive::Target]) {
        let (forth, back) = (format!("forth-{seed}"), format!("back-{seed}"));
        let bytes = Bytes::vec(seed, 700_000);
        a.upload(&forth, &bytes)?;
        assert_eq!(fxp(&mut a, &mut b, &forth, passive)?, Became::Done);
        assert_eq!(first_difference(&b.download(&forth)?, &bytes), None);
        // It is there now.
        assert_eq!(fxp(&mut a, &mut b, &forth, passive)?, Became::Dupe);
        b.upload(&back, &bytes)?;
        assert_eq!(fxp(&mut b, &mut a, &back, passive)?, Became::Done);
        assert_eq!(first_difference(&a.download(&back)?, &bytes), None);
    }
    // Straight between the slaves.
    for cluster in [&here, &there] {
        let stat = cluster.ctl(&["stat"])?;
        assert_eq!(stat["running"]["relayed_to_slaves"], 0, "{stat}");
        assert_eq!(stat["running"]["relayed_to_clients"], 0, "{stat}");
    }
    Ok(())
}

#[test]
fn without_the_right_to_fxp_neither_side_plays_its_part() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut client = login(cluster.ftp)?;
    client.upload("x", b"bytes")?;
    for refused in ["PORT 127,0,0,9,19,136", "PORT 192,0,2,1,19,136"] {
        client.want(refused, &[504])?;
    }
    client.want("PRET RETR x", &[200])?;
    let at = client.pasv()?;
    let stranger = socket_from("127.0.0.9", at)?;
    client.want("RETR x", &[150])?;
    let mut stolen = Vec::new();
    let mut stranger = stranger;
    drop(stranger.read_to_end(&mut stolen));
    assert_eq!(stolen, b"");
    let mut own = std::net::TcpStream::connect(at)?;
    let mut got = Vec::new();
    own.read_to_end(&mut got)?;
    drop(own);
    assert_eq!(client.reply()?.code, 226);
    assert_eq!(got, b"bytes");
    Ok(())
}

/// A connection that comes from another address of this machine.
fn socket_from(ip: &str, to: SocketAddr) -> Result<std::net::TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::new(ip.parse()?, 0))?;
    connect(&socket, &to)?;
    let stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(drftpd_integration_tests::process::PATIENCE))?;
    Ok(stream)
}
