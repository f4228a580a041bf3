//! What real clients taught: each point of it that needs no TLS, with real processes and a client that shows every line.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::data::first_difference;
use drftpd_integration_tests::process::PATIENCE;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};
use rustix::net::{AddressFamily, SocketType, bind, socket};

/// A cluster whose slaves have another address than the master.
fn apart(master: &[&str]) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves: 1,
        master: master.iter().map(|key| (*key).to_owned()).collect(),
        slave: vec!["transfer.bind=\"127.0.0.3\"".to_owned()],
        ..ClusterSpec::default()
    })
}

fn epsv(ftp: &mut Ftp, server: SocketAddr) -> Result<TcpStream> {
    let line = ftp.ask("EPSV", 229)?;
    let port = line.split('|').nth(3).context("no port")?.parse()?;
    connect((server.ip(), port).into())
}

fn connect(to: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn read(mut data: TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn pret_stays_until_its_verb_or_another_pret_or_rein() -> Result<()> {
    let cluster = apart(&[])?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "x", b"bytes")?;
    ftp.ask("PRET RETR x", 200)?;
    for between in ["TYPE I", "NOOP", "PWD", "CWD /", "SIZE x", "STAT -l"] {
        let (code, lines) = ftp.send(between).and_then(|()| ftp.reply())?;
        ensure!(code < 300, "{lines:?}");
    }
    // The slave still: PRET holds.
    let at = ftp.pasv_address()?;
    assert_eq!(at.ip().to_string(), "127.0.0.3");
    let data = connect(at)?;
    ftp.ask("RETR x", 150)?;
    assert_eq!(read(data)?, b"bytes");
    ftp.expect(226)?;
    // Its verb has used it up.
    assert_eq!(ftp.pasv_address()?.ip(), cluster.ftp.ip());
    ftp.ask("PRET RETR x", 200)?;
    ftp.ask("PRET LIST", 200)?;
    assert_eq!(ftp.pasv_address()?.ip(), cluster.ftp.ip());
    ftp.ask("PRET RETR x", 200)?;
    ftp.ask("REIN", 220)?;
    ftp.ask(&format!("USER {USER}"), 331)?;
    ftp.ask(&format!("PASS {PASSWORD}"), 230)?;
    assert_eq!(ftp.pasv_address()?.ip(), cluster.ftp.ip());
    Ok(())
}

#[test]
fn pret_then_epsv_then_pasv_as_curl_says_them_works_whichever_is_followed() -> Result<()> {
    for (key, refused) in [("relay", false), ("refuse", true)] {
        let cluster = apart(&[&format!("passive.epsv_after_pret=\"{key}\"")])?;
        let mut ftp = cluster.login()?;
        ftp.put(Mode::Pret, "x", b"bytes")?;
        ftp.ask("PRET RETR x", 200)?;
        if refused {
            ftp.ask("EPSV", 502)?;
        } else {
            // 229 names a port at the control connection's address, so the master stands in.
            drop(epsv(&mut ftp, cluster.ftp)?);
        }
        let at = ftp.pasv_address()?;
        assert_eq!(at.ip().to_string(), "127.0.0.3");
        let data = connect(at)?;
        ftp.ask("TYPE I", 200)?;
        ftp.ask("SIZE x", 213)?;
        ftp.ask("RETR x", 150)?;
        assert_eq!(read(data)?, b"bytes");
        ftp.expect(226)?;
    }
    Ok(())
}

#[test]
fn epsv_after_pret_leads_to_the_slave_where_the_client_reaches_it_at_the_controls_address()
-> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "x", b"bytes")?;
    ftp.ask("PRET RETR x", 200)?;
    let data = epsv(&mut ftp, cluster.ftp)?;
    ftp.ask("RETR x", 150)?;
    assert_eq!(read(data)?, b"bytes");
    ftp.expect(226)?;
    let stat = cluster.ctl(&["stat"])?;
    assert_eq!(stat["running"]["relayed_to_clients"], 0, "{stat}");
    Ok(())
}

#[test]
fn prets_argument_and_the_verbs_are_compared_as_files_and_not_as_texts() -> Result<()> {
    let cluster = apart(&[])?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD pub", 257)?;
    ftp.ask("CWD pub", 250)?;
    ftp.ask("PRET STOR big", 200)?;
    let mut data = connect(ftp.pasv_address()?)?;
    ftp.ask("STOR /pub/../pub/big", 150)?;
    data.write_all(b"bytes")?;
    drop(data);
    ftp.expect(226)?;
    ftp.put(Mode::Pret, "other", b"other")?;
    ftp.ask("PRET RETR big", 200)?;
    let _data = connect(ftp.pasv_address()?)?;
    ftp.ask("RETR other", 503)?;
    ftp.ask("PRET MLSD ", 200)?;
    let data = connect(ftp.pasv_address()?)?;
    ftp.ask("MLSD", 150)?;
    assert!(String::from_utf8(read(data)?)?.contains(" big\r\n"));
    ftp.expect(226)?;
    Ok(())
}

#[test]
fn the_slave_listens_before_227_and_holds_a_connection_that_comes_before_the_verb() -> Result<()> {
    let cluster = apart(&[])?;
    let mut ftp = cluster.login()?;
    let bytes = Bytes::vec(1, 100_000);
    ftp.ask("PRET STOR x", 200)?;
    let mut data = connect(ftp.pasv_address()?)?;
    // All of it before the verb, and this side closed.
    data.write_all(&bytes)?;
    data.shutdown(std::net::Shutdown::Write)?;
    ftp.ask("NOOP", 200)?;
    ftp.ask("STOR x", 150)?;
    ftp.expect(226)?;
    let back = ftp.get(Mode::Pret, "x")?;
    assert_eq!(first_difference(&back, &bytes), None);
    Ok(())
}

#[test]
fn listings_are_never_empty_and_every_line_of_an_entry_has_40_bytes_and_more() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    assert_eq!(ftp.download(Mode::Pasv, "LIST", "")?, b"total 0\r\n");
    ftp.ask("MKD d", 257)?;
    ftp.put(Mode::Pret, "x", b"")?;
    let list = String::from_utf8(ftp.download(Mode::Pasv, "LIST", "")?)?;
    ftp.send("STAT -l")?;
    let stat = ftp.expect(213)?;
    let of_list = list.split_inclusive('\n').skip(1).map(str::len);
    let of_stat = stat
        .iter()
        .filter(|line| line.contains("rw"))
        .map(|line| line.len() + 2);
    let lengths: Vec<_> = of_list.chain(of_stat).collect();
    assert_eq!(lengths.len(), 4, "{list} {stat:?}");
    assert!(lengths.iter().all(|length| *length >= 40), "{lengths:?}");
    Ok(())
}

#[test]
fn bytes_are_never_translated_from_login_on_nor_by_type_a() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    let bytes = b"a\r\nb\nc\rd\r\r\n\n\r\x1a\x00\xff\xf4\xf2".repeat(1000);
    for (name, kind) in [
        ("fresh", None),
        ("ascii", Some("TYPE A")),
        ("image", Some("TYPE I")),
    ] {
        if let Some(kind) = kind {
            ftp.ask(kind, 200)?;
        }
        for mode in [Mode::Pret, Mode::Pasv, Mode::Port] {
            ftp.put(mode, name, &bytes)?;
            assert_eq!(
                first_difference(&ftp.get(mode, name)?, &bytes),
                None,
                "{name} {mode:?}"
            );
            ftp.ask(&format!("DELE {name}"), 250)?;
        }
    }
    Ok(())
}

#[test]
fn before_login_feat_auth_syst_opts_clnt_noop_help_and_quit_are_answered() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut ftp = Ftp::connect(cluster.ftp)?;
    ftp.send("FEAT")?;
    let feat = ftp.expect(211)?;
    for want in [
        " PRET",
        " UTF8",
        " MLST ",
        " REST STREAM",
        " MFMT",
        " SITE XDUPE",
    ] {
        assert!(
            feat.iter().any(|line| line.starts_with(want)),
            "{want}: {feat:?}"
        );
    }
    ftp.ask("SYST", 215)?;
    ftp.ask("OPTS UTF8 ON", 200)?;
    ftp.ask("CLNT test/1", 200)?;
    ftp.ask("NOOP", 200)?;
    ftp.send("HELP")?;
    ftp.expect(214)?;
    ftp.ask("PWD", 530)?;
    ftp.ask("QUIT", 221)?;
    assert!(ftp.is_closed());
    Ok(())
}

#[test]
fn the_data_peer_is_the_control_peer_and_low_ports_and_other_hosts_are_refused_alike() -> Result<()>
{
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    let mut told = Vec::new();
    for refused in [
        "PORT 127,0,0,1,0,25",
        "PORT 192,0,2,1,19,136",
        "EPRT |1|10.0.0.1|5000|",
    ] {
        told.push(ftp.ask(refused, 504)?);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    ftp.ask("PORT ,19,136", 501)?;
    ftp.put(Mode::Port, "x", b"bytes")?;
    assert_eq!(ftp.get(Mode::Eprt, "x")?, b"bytes");
    Ok(())
}

#[test]
fn a_failed_dial_is_425_with_the_same_words_whatever_is_there() -> Result<()> {
    let cluster = apart(&[])?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "x", b"bytes")?;
    // A port that is taken, so that no other test gets it, and at which nobody listens.
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let held = TcpStream::from(socket);
    let free = held.local_addr()?.port();
    let mut told = Vec::new();
    for verb in ["RETR x", "STOR y", "NLST"] {
        ftp.ask(&format!("EPRT |1|127.0.0.1|{free}|"), 200)?;
        ftp.ask(verb, 150)?;
        told.extend(ftp.expect(425)?);
    }
    told.dedup();
    assert_eq!(told, ["425 Can't open data connection"]);
    // A failed upload leaves no file.
    ftp.ask("SIZE y", 550)?;
    Ok(())
}

#[test]
fn a_client_that_ignores_the_address_of_227_arrives_at_the_master_without_pret() -> Result<()> {
    let cluster = apart(&[])?;
    let mut ftp = cluster.login()?;
    let bytes = Bytes::vec(9, 500_000);
    for verb in ["STOR", "RETR"] {
        // As Python's ftplib does: the port of 227, the address of the control connection.
        let at = SocketAddr::new(cluster.ftp.ip(), ftp.pasv_address()?.port());
        let mut data = connect(at)?;
        ftp.ask(&format!("{verb} x"), 150)?;
        if verb == "STOR" {
            data.write_all(&bytes)?;
            drop(data);
        } else {
            assert_eq!(first_difference(&read(data)?, &bytes), None);
        }
        ftp.expect(226)?;
    }
    let stat = cluster.ctl(&["stat"])?;
    assert_eq!(stat["running"]["relayed_to_slaves"], 500_000, "{stat}");
    assert_eq!(stat["running"]["relayed_to_clients"], 500_000, "{stat}");
    Ok(())
}

#[test]
fn clients_that_a_load_balancer_brings_are_themselves() -> Result<()> {
    let cluster = apart(&["ftp.proxies=[\"127.0.0.1\"]"])?;
    let mut control = connect(cluster.ftp)?;
    control.write_all(b"PROXY TCP4 127.0.0.77 127.0.0.1 40000 21\r\n")?;
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n") {
        let mut byte = [0];
        control.read_exact(&mut byte)?;
        seen.extend_from_slice(&byte);
    }
    assert!(seen.starts_with(b"220 "), "{seen:?}");
    let who = cluster.ctl(&["who"])?;
    assert!(who.to_string().contains("127.0.0.77"), "{who}");
    // Without the header nothing is said to it.
    let mut mute = connect(cluster.ftp)?;
    mute.write_all(b"USER admin\r\nNOOP\r\n")?;
    let mut said = Vec::new();
    // Closed over bytes that nobody read, which may be a reset.
    drop(mute.read_to_end(&mut said));
    assert_eq!(said, b"");
    Ok(())
}

#[test]
fn the_doctor_finds_a_sound_cluster_sound_and_a_slave_that_is_not_reached() -> Result<()> {
    let cluster = apart(&[])?;
    let told = cluster.ctl(&["doctor"])?;
    assert_eq!(told["wrong"], 0, "{told:#}");
    assert!(
        told.to_string().contains("slave-1 is reached at 127.0.0.3"),
        "{told:#}"
    );
    // Nobody has this address.
    let away = Cluster::with(ClusterSpec {
        slaves: 1,
        slave: vec![
            "transfer.announce_address=\"127.0.0.1\"".to_owned(),
            "transfer.bind=\"127.0.0.3\"".to_owned(),
        ],
        ..ClusterSpec::default()
    })?;
    let told = away.ctl(&["doctor"])?;
    assert_eq!(told["wrong"], 1, "{told:#}");
    assert!(
        told.to_string()
            .contains("slave-1 is not reached at 127.0.0.1"),
        "{told:#}"
    );
    Ok(())
}

#[test]
fn over_ipv6_epsv_2_names_protocol_and_address_of_the_slave_and_of_the_master() -> Result<()> {
    let cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        host: "::1".to_owned(),
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    // As cbftp does: the 2 is a must, and the address is taken as it is.
    let at = |ftp: &mut Ftp| -> Result<SocketAddr> {
        let line = ftp.ask("EPSV 2", 229)?;
        let fields: Vec<_> = line.split('|').collect();
        ensure!(fields.get(1) == Some(&"2"), "{line}");
        let (address, port) = (fields.get(2).context("no address")?, fields.get(3));
        Ok((
            address.parse::<std::net::IpAddr>()?,
            port.context("no port")?.parse()?,
        )
            .into())
    };
    ftp.ask("PRET STOR x", 200)?;
    let mut data = connect(at(&mut ftp)?)?;
    ftp.ask("STOR x", 150)?;
    data.write_all(b"bytes")?;
    drop(data);
    ftp.expect(226)?;
    let data = connect(at(&mut ftp)?)?;
    ftp.ask("RETR x", 150)?;
    assert_eq!(read(data)?, b"bytes");
    ftp.expect(226)?;
    ftp.ask("PASV", 425)?;
    ftp.ask("EPSV 1", 522)?;
    ftp.ask("EPSV ALL", 200)?;
    ftp.ask("EPRT |2|::1|5000|", 503)?;
    Ok(())
}
