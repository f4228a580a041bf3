//! Every way to a data connection, with a client that shows every line.

use anyhow::Result;
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::data::first_difference;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode, Tool};

#[test]
fn every_mode_uploads_lists_downloads_resumes_renames_and_deletes() -> Result<()> {
    let cluster = Cluster::start(2)?;
    let mut ftp = cluster.login()?;
    for (seed, mode) in (1..).zip(Mode::ALL) {
        let whole = Bytes::vec(seed, 300_000);
        let dir = format!("{mode:?} dir");
        ftp.ask(&format!("MKD {dir}"), 257)?;
        ftp.ask(&format!("CWD {dir}"), 250)?;
        ftp.put(mode, "a file.bin", &whole)?;
        assert_eq!(ftp.names(mode, "")?, ["a file.bin"], "{mode:?}");
        let back = ftp.get(mode, "a file.bin")?;
        assert_eq!(first_difference(&back, &whole), None, "{mode:?}");

        ftp.ask("REST 299000", 350)?;
        let tail = ftp.get(mode, "a file.bin")?;
        assert_eq!(first_difference(&tail, &whole[299_000..]), None, "{mode:?}");

        ftp.put(mode, "parts.bin", &whole[..100_000])?;
        ftp.ask("REST 100000", 350)?;
        ftp.put(mode, "parts.bin", &whole[100_000..200_000])?;
        ftp.upload(mode, "APPE", "parts.bin", &whole[200_000..])?;
        let back = ftp.get(mode, "parts.bin")?;
        assert_eq!(first_difference(&back, &whole), None, "{mode:?}");

        ftp.ask("RNFR parts.bin", 350)?;
        ftp.ask("RNTO other name.bin", 250)?;
        assert!(ftp.ask("SIZE other name.bin", 213)?.ends_with(" 300000"));
        ftp.ask("DELE other name.bin", 250)?;
        ftp.ask("DELE a file.bin", 250)?;
        assert!(ftp.names(mode, "")?.is_empty(), "{mode:?}");
        ftp.ask("CWD /", 250)?;
        ftp.ask(&format!("RMD {dir}"), 250)?;
    }
    Ok(())
}

#[test]
fn listings_come_in_every_mode_and_form() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD sub", 257)?;
    ftp.put(Mode::Pasv, "x.bin", b"12345")?;
    for mode in Mode::ALL {
        let list = String::from_utf8(ftp.download(mode, "LIST", "")?)?;
        assert!(list.starts_with("total "), "{mode:?}: {list}");
        assert!(
            list.lines()
                .any(|l| l.starts_with("-rw") && l.ends_with(" x.bin")),
            "{list}"
        );
        assert!(
            list.lines()
                .any(|l| l.starts_with("drwx") && l.ends_with(" sub")),
            "{list}"
        );
        let facts = String::from_utf8(ftp.download(mode, "MLSD", "")?)?;
        let line = facts
            .lines()
            .find(|l| l.ends_with(" x.bin"))
            .unwrap_or_default()
            .to_lowercase();
        assert!(
            line.contains("type=file;") && line.contains("size=5;"),
            "{facts}"
        );
    }
    Ok(())
}

#[test]
fn empty_files_are_kept() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    for mode in Mode::ALL {
        let name = format!("empty-{mode:?}");
        ftp.put(mode, &name, b"")?;
        assert!(ftp.ask(&format!("SIZE {name}"), 213)?.ends_with(" 0"));
        assert_eq!(ftp.get(mode, &name)?, b"");
    }
    assert_eq!(ftp.names(Mode::Pret, "")?.len(), Mode::ALL.len());
    Ok(())
}

#[test]
fn times_that_mfct_and_mff_set_are_shown_and_outlive_the_master() -> Result<()> {
    let mut cluster = Cluster::start(1)?;
    cluster.login()?.put(Mode::Pret, "x", b"bytes")?;
    let (_gone, dir) = folder()?;
    Tool::new("curl", &dir)
        .args(["-sS", "--fail", "-l", &format!("{}/", cluster.url())])
        .args(["-Q", "MFCT 20200102030405 x"])
        .args(["-Q", "MFF Modify=20210102030405; x"])
        .run()?;
    for killed in [false, true] {
        if killed {
            cluster.kill_master()?;
            cluster.start_master()?;
        }
        let mut ftp = cluster.login()?;
        ftp.ask("OPTS MLST type;modify;create;", 200)?;
        let (name, facts) = ftp.facts(Mode::Pasv, "")?.remove(0);
        let of = |fact: &str| facts.get(fact).map(String::as_str);
        assert_eq!(name, "x");
        assert_eq!(of("create"), Some("20200102030405"), "{facts:?}");
        assert_eq!(of("modify"), Some("20210102030405"), "{facts:?}");
    }
    Ok(())
}

#[test]
fn names_are_bytes_with_spaces_utf8_and_latin1() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    for name in [
        "two  spaces",
        "-dash",
        "grüße – 日本.txt",
        "a;b'c\"d",
        "[brackets]*?",
    ] {
        ftp.put(Mode::Pret, name, name.as_bytes())?;
        assert_eq!(ftp.get(Mode::Pasv, name)?, name.as_bytes(), "{name}");
        ftp.ask(&format!("DELE {name}"), 250)?;
    }
    // Latin-1 is not UTF-8: the bytes must come back as they were sent.
    let latin = b"caf\xe9.txt";
    let sent = |verb: &str| [verb.as_bytes(), b" ", latin, b"\r\n"].concat();
    let data = ftp.data(Mode::Pasv, "", "")?;
    ftp.send_bytes(&sent("STOR"))?;
    ftp.expect(150)?;
    drop(data.stream()?);
    ftp.expect(226)?;
    let names = ftp.download(Mode::Pasv, "NLST", "")?;
    assert!(names.windows(latin.len()).any(|w| w == latin), "{names:?}");
    ftp.send_bytes(&sent("DELE"))?;
    ftp.expect(250)?;
    Ok(())
}

#[test]
fn the_whole_works_over_ipv6() -> Result<()> {
    let spec = ClusterSpec {
        slaves: 1,
        host: "::1".into(),
        ..ClusterSpec::default()
    };
    let cluster = Cluster::with(spec)?;
    let mut ftp = cluster.login()?;
    for (seed, mode) in [(1, Mode::Epsv), (2, Mode::Eprt)] {
        let bytes = Bytes::vec(seed, 100_000);
        ftp.put(mode, "six.bin", &bytes)?;
        assert_eq!(
            first_difference(&ftp.get(mode, "six.bin")?, &bytes),
            None,
            "{mode:?}"
        );
    }
    // PRET, then EPSV: the slave answers itself where it is reached at the same address.
    ftp.ask("PRET RETR six.bin", 200)?;
    let data = ftp.data(Mode::Epsv, "", "")?;
    ftp.ask("RETR six.bin", 150)?;
    let mut back = Vec::new();
    std::io::Read::read_to_end(&mut data.stream()?, &mut back)?;
    ftp.expect(226)?;
    assert_eq!(first_difference(&back, &Bytes::vec(2, 100_000)), None);
    Ok(())
}

#[test]
fn a_data_connection_of_somebody_else_gets_nothing() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    for (line, code) in [
        // Another host, and a port of the system: both refused.
        ("PORT 127,0,0,2,200,1", 500),
        ("PORT 127,0,0,1,0,22", 500),
        ("EPRT |1|192.0.2.1|50000|", 500),
    ] {
        ftp.send(line)?;
        let (got, lines) = ftp.reply()?;
        assert!((code..code + 100).contains(&got), "{line}: {lines:?}");
    }
    Ok(())
}

#[test]
fn replies_to_lines_that_come_at_once_are_in_their_order() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    for mode in [Mode::Pret, Mode::Pasv] {
        let name = format!("{mode:?}");
        let data = ftp.data(mode, "STOR", &name)?;
        ftp.send_bytes(format!("STOR {name}\r\nNOOP\r\n").as_bytes())?;
        ftp.expect(150)?;
        ftp.expect(200)?;
        let mut stream = data.stream()?;
        std::io::Write::write_all(&mut stream, b"bytes")?;
        drop(stream);
        ftp.expect(226)?;
        // One that is refused, too.
        ftp.send_bytes(b"RETR missing\r\nNOOP\r\n")?;
        ftp.expect(550)?;
        ftp.expect(200)?;
    }
    Ok(())
}
