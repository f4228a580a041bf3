//! Bad lines over a real socket: the right code, a session that lives or ends as it should, and memory that does not
//! grow.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::process::PATIENCE;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

/// What the master's memory may grow by, whatever clients send.
const GROWTH_KIB: u64 = 8 << 10;

/// Lines of somebody who is logged in, each with its code. None of them ends the session.
const BAD_LINES: &[(&[u8], u16)] = &[
    // Not a verb, or none that is known.
    (b"NOSUCHVERB x\r\n", 502),
    (b"\r\n", 500),
    (b"\n", 500),
    (b" NOOP\r\n", 500),
    (b"1ST\r\n", 500),
    (b"NO-OP\r\n", 500),
    (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n", 500),
    (b"N\xc3\x96OP\r\n", 500),
    // Control characters.
    (b"DELE a\x01b\r\n", 501),
    (b"DELE a\0b\r\n", 501),
    (b"DELE a\rb\r\n", 501),
    (b"DELE a\x7fb\r\n", 501),
    (b"\x1b[31mNOOP\r\n", 501),
    // Arguments that are missing or have not the right form.
    (b"MKD\r\n", 501),
    (b"MKD \r\n", 501),
    (b"RETR\r\n", 501),
    (b"STOR\r\n", 501),
    (b"CWD\r\n", 501),
    (b"SIZE\r\n", 501),
    (b"MDTM\r\n", 501),
    (b"RNFR\r\n", 501),
    (b"HASH\r\n", 501),
    (b"REST\r\n", 501),
    (b"REST twelve\r\n", 501),
    (b"REST -1\r\n", 501),
    (b"REST 1 2\r\n", 501),
    (b"REST 99999999999999999999\r\n", 501),
    (b"ALLO\r\n", 501),
    (b"ALLO x\r\n", 501),
    (b"PORT\r\n", 501),
    (b"PORT 1,2,3\r\n", 501),
    (b"PORT 1,2,3,4,5,256\r\n", 501),
    (b"PORT 1,2,3,4,5,6,7\r\n", 501),
    (b"EPRT\r\n", 501),
    (b"EPRT |1|\r\n", 501),
    (b"EPRT |1|127.0.0.1|70000|\r\n", 501),
    (b"EPRT |2|127.0.0.1|50000|\r\n", 501),
    (b"EPSV x\r\n", 501),
    (b"TYPE\r\n", 501),
    (b"MODE\r\n", 501),
    (b"MFMT x y\r\n", 501),
    (b"OPTS\r\n", 501),
    (b"OPTS NOSUCH x\r\n", 501),
    (b"OPTS UTF8 perhaps\r\n", 501),
    (b"PRET\r\n", 501),
    (b"PRET RETR\r\n", 501),
    (b"SITE\r\n", 501),
    (b"SITE \x80\xff\r\n", 501),
    (b"SITE NOSUCH\r\n", 502),
    (b"HELP NOSUCH\r\n", 502),
    // The right form, and not here.
    (b"TYPE E\r\n", 504),
    (b"MODE B\r\n", 504),
    (b"STRU R\r\n", 504),
    (b"PRET NOSUCH x\r\n", 504),
    (b"PORT 127,0,0,1,0,80\r\n", 504),
    (b"PORT 10,0,0,1,200,1\r\n", 504),
    (b"EPRT |3|x|1|\r\n", 522),
    (b"EPSV 3\r\n", 522),
    // The wrong moment.
    (b"RNTO nowhere\r\n", 503),
    (b"USER somebody\r\n", 503),
    (b"PASS x\r\n", 503),
    (b"LIST\r\n", 425),
    (b"STOR a/../../b\r\n", 425),
    // What is not there, or cannot be made.
    (b"CWD /no/such\r\n", 550),
    (b"RETR nothing\r\n", 550),
    (b"RNFR nothing\r\n", 550),
    (b"MDTM nothing\r\n", 550),
    (b"MLST nothing\r\n", 550),
    (b"STAT nothing\r\n", 550),
    (b"HASH nothing\r\n", 550),
    (b"SIZE /\r\n", 550),
    (b"MKD .\r\n", 550),
    (b"MKD ..\r\n", 550),
    (b"MKD /\r\n", 550),
    (b"RMD ../..\r\n", 550),
    (b"STOR ..\r\n", 550),
    (b"MKD .drftpd\r\n", 553),
    (b"STOR .drftpd/x\r\n", 553),
    // Odd, and right.
    (b"noop\r\n", 200),
    (b"NoOp\n", 200),
    (b"NOOP with an argument\r\n", 200),
    (b"NO\xff\xf1OP\r\n", 200),
    (b"\xff\xf4\xff\xf2NOOP\r\n", 200),
    (b"MKD ../../\xff\xff\xfe\r\n", 257),
    (b"RMD /\xff\xff\xfe\r\n", 250),
    (b"ABOR\r\n", 226),
];

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn is_answered(ftp: &mut Ftp, bytes: &[u8], code: u16) -> Result<()> {
    ftp.send_bytes(bytes)?;
    let (got, lines) = ftp.reply().with_context(|| text(bytes))?;
    ensure!(got == code, "{}: {lines:?} instead of {code}", text(bytes));
    Ok(())
}

#[test]
fn bad_lines_get_their_codes_and_the_session_lives_on() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut ftp = cluster.login()?;
    for (bytes, code) in BAD_LINES {
        is_answered(&mut ftp, bytes, *code)?;
    }
    let long = [b"MKD ".to_vec(), vec![b'a'; 256], b"\r\n".to_vec()].concat();
    is_answered(&mut ftp, &long, 553)?;
    let deep = [b"MKD ".to_vec(), b"a/".repeat(2000), b"\r\n".to_vec()].concat();
    is_answered(&mut ftp, &deep, 553)?;
    let up = [b"CWD ".to_vec(), b"../".repeat(1000), b"\r\n".to_vec()].concat();
    is_answered(&mut ftp, &up, 250)?;
    ensure!(ftp.ask("PWD", 257)?.contains("\"/\""));
    ensure!(ftp.names(Mode::Pasv, "/")?.is_empty(), "something was made");
    Ok(())
}

#[test]
fn nobody_who_is_not_logged_in_gets_anywhere_and_errors_are_counted() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut ftp = Ftp::connect(cluster.ftp)?;
    for (line, code) in [
        ("CWD /", 530),
        ("RETR x", 530),
        ("SITE WHO", 530),
        ("PRET RETR x", 530),
        ("PASV", 530),
        ("NOSUCHVERB", 502),
        ("PASS x", 503),
        ("", 500),
    ] {
        ftp.ask(line, code)?;
    }
    // Who does nothing but wrong is sent away.
    let mut more = 0;
    while ftp.ask("CWD /", 530).is_ok() {
        more += 1;
        ensure!(more < 100, "one may try for ever");
    }
    ensure!(ftp.is_closed());
    ensure!(cluster.login().is_ok());
    Ok(())
}

#[test]
fn a_web_browser_is_sent_away() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut ftp = Ftp::connect(cluster.ftp)?;
    ftp.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    ftp.expect(421)?;
    ensure!(ftp.is_closed());
    Ok(())
}

#[test]
fn what_follows_an_over_long_line_is_not_run() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let long = [
        b"MKD ".to_vec(),
        vec![b'a'; 9000],
        b"\r\nMKD smuggled\r\n".to_vec(),
    ];
    let mut ftp = cluster.login()?;
    ftp.send_bytes(&long.concat())?;
    ftp.expect(500)?;
    ensure!(ftp.is_closed());
    // 512 bytes are enough for whoever has not logged in.
    let mut ftp = Ftp::connect(cluster.ftp)?;
    ftp.send_bytes(&[vec![b'a'; 513], b"\r\n".to_vec()].concat())?;
    ftp.expect(500)?;
    ensure!(ftp.is_closed());
    ensure!(cluster.login()?.names(Mode::Pasv, "/")?.is_empty());
    Ok(())
}

#[test]
fn telnet_options_are_refused_and_belong_to_no_line() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut stream = TcpStream::connect(cluster.ftp)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // DO, WILL, a subnegotiation, and two refusals that need no answer.
    stream.write_all(b"\xff\xfd\x01\xff\xfb\x03\xff\xfa\x18\x00vt100\xff\xf0\xff\xfc\x05\xff\xfe\x06NOOP\r\nQUIT\r\n")?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    let refused = b"\xff\xfc\x01\xff\xfe\x03";
    let has = |what: &[u8]| all.windows(what.len()).any(|piece| piece == what);
    ensure!(
        has(refused) && has(b"200 ") && has(b"221 "),
        "{}",
        text(&all)
    );
    ensure!(!has(b"500 ") && !has(b"501 "), "{}", text(&all));
    Ok(())
}

/// Sends the same bytes until the server does not take them any more; at most 256 MiB.
fn flood(ftp: &mut Ftp, bytes: &[u8]) -> Result<()> {
    let chunk = bytes.repeat((64 << 10) / bytes.len());
    for _ in 0..4096 {
        if ftp.send_bytes(&chunk).is_err() {
            return Ok(());
        }
    }
    anyhow::bail!("256 MiB of {} were taken", text(bytes))
}

#[test]
fn whoever_floods_is_cut_off_and_costs_no_memory() -> Result<()> {
    let cluster = Cluster::with(ClusterSpec {
        slaves: 0,
        master: vec!["ftp.write_timeout=\"1s\"".into()],
        ..ClusterSpec::default()
    })?;
    let master = cluster.master.as_ref().context("runs")?;
    for (what, bytes) in [
        ("a line without end", &b"a"[..]),
        ("a subnegotiation without end", b"\xff\xfa\x18\x00vt100"),
        ("commands whose replies nobody takes", b"HELP\r\n"),
        ("empty lines", b"\r\n"),
    ] {
        for logged_in in [false, true] {
            let mut ftp = match logged_in {
                true => cluster.login()?,
                false => Ftp::connect(cluster.ftp)?,
            };
            // Hashing a password takes more memory than all this may.
            let before = master.resident_kib()?;
            flood(&mut ftp, bytes).with_context(|| format!("{what}, logged in: {logged_in}"))?;
            let grown = master.resident_kib()?.saturating_sub(before);
            ensure!(
                grown < GROWTH_KIB,
                "{what}, logged in: {logged_in}: {grown} KiB"
            );
        }
    }
    ensure!(cluster.login().is_ok());
    Ok(())
}

#[test]
fn random_bytes_never_bring_the_master_down() -> Result<()> {
    let mut cluster = Cluster::start(0)?;
    let seed = drftpd_actors::testkit::seed();
    for round in 0..40 {
        let mut ftp = match round % 2 {
            0 => Ftp::connect(cluster.ftp)?,
            _ => cluster.login()?,
        };
        let mut bytes = Bytes::vec(seed.wrapping_add(round), 20_000);
        // Line ends here and there, so that it is many lines.
        bytes
            .chunks_mut(37)
            .for_each(|line| line[line.len() - 1] = b'\n');
        // The server may close in the middle; that is its right.
        drop(ftp.send_bytes(&bytes));
    }
    let master = cluster.master.as_mut().context("runs")?;
    ensure!(master.is_alive()?, "seed {seed}");
    ensure!(!master.log().contains("panicked"), "seed {seed}");
    ensure!(
        cluster.login()?.ask("PWD", 257)?.contains('/'),
        "seed {seed}"
    );
    Ok(())
}
