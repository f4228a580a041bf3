//! Clusters as `init --profile` makes them, and what tells them apart, seen by curl and lftp.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode, Tool};

fn cluster(profile: &'static str) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        profile,
        slaves: 1,
        ..ClusterSpec::default()
    })
}

fn curl(cluster: &Cluster, dir: &Path, path: &str, words: &[&str]) -> Tool {
    let user = format!("{USER}:{PASSWORD}");
    let url = format!("ftp://{}{path}", cluster.ftp);
    let all = ["-sS", "-u", &user]
        .into_iter()
        .chain(words.iter().copied());
    Tool::new("curl", dir).args(all).args([&url])
}

fn lftp(cluster: &Cluster, dir: &Path, settings: &str, script: &str) -> Tool {
    let open = format!("open -u {USER},\"{PASSWORD}\" ftp://{}", cluster.ftp);
    let script =
        format!("set cmd:fail-exit yes; set net:max-retries 2; {settings}; {open}; {script}");
    Tool::new("lftp", dir).args(["-c", &script])
}

#[test]
fn ingest_shows_whole_files_alone_and_takes_plain_ftp() -> Result<()> {
    let cluster = cluster("ingest")?;
    let (_gone, dir) = folder()?;
    cluster.ctl(&["user", "add", "camera", "hush4711"])?;
    let mut camera = Ftp::login(cluster.ftp, "camera", "hush4711")?;
    camera.ask("MKD in", 257)?;
    let data = camera.data(Mode::Pasv, "STOR", "in/x.part")?;
    camera.send("STOR in/x.part")?;
    camera.expect(150)?;
    let mut io = data.stream()?;
    io.write_all(b"half and ")?;

    let mut clerk = cluster.login()?;
    ensure!(clerk.names(Mode::Pasv, "in")?.is_empty());
    clerk.ask("SIZE in/x.part", 550)?;
    clerk.ask("PRET STOR in/x.part", 450)?;
    let listed = curl(&cluster, &dir, "/in/", &["-l"]).run()?;
    ensure!(listed.is_empty(), "{listed}");

    io.write_all(b"half")?;
    drop(io);
    camera.expect(226)?;
    camera.ask("RNFR in/x.part", 350)?;
    camera.ask("RNTO in/x.jpg", 250)?;
    clerk.ask("SIZE in/x.jpg", 213)?;
    lftp(
        &cluster,
        &dir,
        "set ftp:ssl-allow no",
        "get in/x.jpg; put /dev/null -o in/done",
    )
    .run()?;
    ensure!(fs::read(dir.join("x.jpg"))? == b"half and half");
    ensure!(
        curl(&cluster, &dir, "/in/", &["-l"])
            .run()?
            .contains("done")
    );
    Ok(())
}

#[test]
fn site_wants_tls_and_refuses_dupes_and_empty_files() -> Result<()> {
    let mut cluster = cluster("site")?;
    let (_gone, dir) = folder()?;
    fs::write(dir.join("x.bin"), b"release")?;
    fs::write(dir.join("empty"), b"")?;
    let secure = ["-k", "--ssl-reqd", "--ftp-create-dirs"];
    let put = |cluster: &Cluster, file: &str, to: &str| {
        let words = [&secure[..], &["-T", file]].concat();
        curl(cluster, &dir, to, &words).output()
    };

    let mut plain = Ftp::connect(cluster.ftp)?;
    let said = plain.ask(&format!("USER {USER}"), 530)?;
    ensure!(said.contains("TLS"), "{said}");
    let first = put(&cluster, "x.bin", "/a/x.bin")?;
    ensure!(first.status.success(), "{first:?}");
    for to in ["/a/x.bin", "/b/x.bin"] {
        let dupe = put(&cluster, "x.bin", to)?;
        ensure!(!dupe.status.success(), "{to}: {dupe:?}");
    }
    ensure!(!put(&cluster, "empty", "/a/empty")?.status.success());
    let settings = "set ssl:verify-certificate no; set ftp:ssl-protect-data yes";
    let listed = lftp(&cluster, &dir, settings, "cls -1 a; get a/x.bin -o back").run()?;
    ensure!(
        listed.contains("x.bin") && !listed.contains("empty"),
        "{listed}"
    );
    ensure!(fs::read(dir.join("back"))? == b"release");

    cluster.kill_slave(0)?;
    cluster.wait_until("what the slave had is shown as offline", |cluster| {
        let listed = curl(cluster, &dir, "/a/", &secure).run()?;
        Ok(listed.contains("x.bin-OFFLINE"))
    })
}
