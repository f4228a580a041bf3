//! The clients that people have, as they come: each uploads, lists, downloads, resumes in both
//! directions, renames and deletes, in passive and active mode, and the bytes are compared.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::data::first_difference;
use drftpd_integration_tests::{Bytes, Cluster, Mode, Tool};

const SIZE: usize = 3_000_000;
const HALF: usize = 1_234_567;

/// A folder with `whole.bin` and its beginning, `half.bin`.
fn files(dir: &Path, seed: u64) -> Result<Vec<u8>> {
    let whole = Bytes::vec(seed, SIZE);
    fs::write(dir.join("whole.bin"), &whole)?;
    fs::write(dir.join("half.bin"), &whole[..HALF])?;
    Ok(whole)
}

fn same(file: &Path, wanted: &[u8]) -> Result<()> {
    let got = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let difference = first_difference(&got, wanted);
    ensure!(
        difference.is_none(),
        "{}: {}",
        file.display(),
        difference.unwrap_or_default()
    );
    Ok(())
}

/// What the cluster has under a name, read by our own client.
fn stored(cluster: &Cluster, path: &str, wanted: &[u8]) -> Result<()> {
    let got = cluster.login()?.get(Mode::Pret, path)?;
    let difference = first_difference(&got, wanted);
    ensure!(
        difference.is_none(),
        "{path}: {}",
        difference.unwrap_or_default()
    );
    Ok(())
}

fn lftp(cluster: &Cluster, dir: &Path, settings: &str, script: &str) -> Result<String> {
    let open = format!(
        "{settings} open -u {USER},\"{PASSWORD}\" ftp://{};",
        cluster.ftp
    );
    // In clear: what lftp does with TLS stands in the tests of that.
    let plain = "set ftp:ssl-allow no;";
    let script = format!("set cmd:fail-exit yes; set net:max-retries 2; {plain} {open} {script}");
    Tool::new("lftp", dir).args(["-c", &script]).run()
}

#[test]
fn lftp_by_its_defaults_finds_pret_and_does_everything() -> Result<()> {
    lftp_does_everything("", "lftp-default")
}

#[test]
fn lftp_in_active_mode_does_everything() -> Result<()> {
    lftp_does_everything("set ftp:passive-mode no;", "lftp-active")
}

#[test]
fn lftp_without_pret_goes_through_the_relay() -> Result<()> {
    lftp_does_everything(
        "set ftp:use-pret no; set ftp:prefer-epsv yes;",
        "lftp-relay",
    )
}

fn lftp_does_everything(settings: &str, name: &str) -> Result<()> {
    let cluster = Cluster::start(2)?;
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 11)?;
    let run = |script: &str| lftp(&cluster, &dir, settings, script);

    run(&format!(
        "mkdir {name}; cd {name}; put whole.bin; put half.bin -o part.bin"
    ))?;
    stored(&cluster, &format!("{name}/whole.bin"), &whole)?;
    let list = run(&format!("ls {name}"))?;
    ensure!(
        list.contains("whole.bin") && list.contains(&SIZE.to_string()),
        "{list}"
    );
    let names = run(&format!("nlist {name}"))?;
    ensure!(names.contains("part.bin"), "{names}");

    run(&format!("put -c whole.bin -o {name}/part.bin"))?;
    stored(&cluster, &format!("{name}/part.bin"), &whole)?;
    run(&format!("get {name}/whole.bin -o back.bin"))?;
    same(&dir.join("back.bin"), &whole)?;
    fs::copy(dir.join("half.bin"), dir.join("cont.bin"))?;
    run(&format!("get -c {name}/whole.bin -o cont.bin"))?;
    same(&dir.join("cont.bin"), &whole)?;
    run(&format!("pget -n 3 {name}/whole.bin -o segments.bin"))?;
    same(&dir.join("segments.bin"), &whole)?;

    run(&format!(
        "mv {name}/part.bin {name}/moved.bin; rm {name}/whole.bin"
    ))?;
    stored(&cluster, &format!("{name}/moved.bin"), &whole)?;
    run(&format!("mirror {name} mirrored"))?;
    same(&dir.join("mirrored/moved.bin"), &whole)?;
    run(&format!("rm -r {name}"))?;
    ensure!(cluster.login()?.names(Mode::Pasv, "/")?.is_empty());
    Ok(())
}

#[test]
fn curl_by_its_defaults_does_everything() -> Result<()> {
    curl_does_everything(&[])
}

#[test]
fn curl_with_pret_does_everything() -> Result<()> {
    curl_does_everything(&["--ftp-pret"])
}

#[test]
fn curl_that_trusts_the_pasv_address_does_everything() -> Result<()> {
    curl_does_everything(&["--disable-epsv", "--no-ftp-skip-pasv-ip"])
}

#[test]
fn curl_that_trusts_the_pasv_address_after_pret_does_everything() -> Result<()> {
    curl_does_everything(&["--ftp-pret", "--disable-epsv", "--no-ftp-skip-pasv-ip"])
}

#[test]
fn curl_in_active_mode_does_everything() -> Result<()> {
    curl_does_everything(&["--ftp-port", "127.0.0.1"])
}

fn curl_does_everything(options: &[&str]) -> Result<()> {
    let cluster = Cluster::start(2)?;
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 12)?;
    let url = cluster.url();
    let curl = |args: &[&str]| {
        Tool::new("curl", &dir)
            .args(["-sS", "--fail"])
            .args(options)
            .args(args)
            .run()
    };
    let at = |path: &str| format!("{url}/{path}");

    curl(&["-T", "whole.bin", "--ftp-create-dirs", &at("c/whole.bin")])?;
    stored(&cluster, "c/whole.bin", &whole)?;
    let list = curl(&[&at("c/")])?;
    ensure!(list.contains("whole.bin"), "{list}");
    curl(&[&at("c/whole.bin"), "-o", "back.bin"])?;
    same(&dir.join("back.bin"), &whole)?;
    fs::copy(dir.join("half.bin"), dir.join("cont.bin"))?;
    curl(&["-C", "-", &at("c/whole.bin"), "-o", "cont.bin"])?;
    same(&dir.join("cont.bin"), &whole)?;

    curl(&["-T", "half.bin", &at("c/part.bin")])?;
    curl(&["-C", "-", "-T", "whole.bin", &at("c/part.bin")])?;
    stored(&cluster, "c/part.bin", &whole)?;
    curl(&[
        "-Q",
        "RNFR c/part.bin",
        "-Q",
        "RNTO c/moved.bin",
        &format!("{url}/"),
        "-l",
    ])?;
    stored(&cluster, "c/moved.bin", &whole)?;
    let left = curl(&["-Q", "DELE c/moved.bin", "-l", &at("c/")])?;
    ensure!(left.trim() == "whole.bin", "{left}");
    Ok(())
}

#[test]
fn python_ftplib_does_everything_passive_and_active() -> Result<()> {
    let cluster = Cluster::start(2)?;
    let (_gone, dir) = folder()?;
    files(&dir, 13)?;
    for passive in ["True", "False"] {
        let script = format!(
            r#"
from ftplib import FTP, error_perm
import io
host, port = "{host}", {port}
whole = open("whole.bin", "rb").read()
half = whole[:{HALF}]
f = FTP(timeout=60)
f.connect(host, port)
f.login("{USER}", "{PASSWORD}")
f.set_pasv({passive})
f.mkd("py dir"); f.cwd("py dir")
assert f.pwd() == "/py dir", f.pwd()
assert f.storbinary("STOR whole.bin", io.BytesIO(whole)).startswith("226")
assert f.nlst() == ["whole.bin"], f.nlst()
assert f.size("whole.bin") == len(whole)
facts = dict(f.mlsd())["whole.bin"]
assert int(facts["size"]) == len(whole), facts
lines = []; f.retrlines("LIST", lines.append)
assert any(line.endswith(" whole.bin") for line in lines), lines
got = io.BytesIO(); f.retrbinary("RETR whole.bin", got.write)
assert got.getvalue() == whole
got = io.BytesIO(half); got.seek(0, 2); f.retrbinary("RETR whole.bin", got.write, rest=len(half))
assert got.getvalue() == whole
f.storbinary("STOR part.bin", io.BytesIO(half))
f.storbinary("STOR part.bin", io.BytesIO(whole[len(half):]), rest=len(half))
got = io.BytesIO(); f.retrbinary("RETR part.bin", got.write)
assert got.getvalue() == whole
f.storbinary("STOR text.bin", io.BytesIO(b"a\nb\r\nc"))
f.storbinary("APPE text.bin", io.BytesIO(b"\nd"))
got = io.BytesIO(); f.retrbinary("RETR text.bin", got.write)
assert got.getvalue() == b"a\nb\r\nc\nd", got.getvalue()
f.rename("part.bin", "moved.bin")
for name in ("moved.bin", "whole.bin", "text.bin"): f.delete(name)
try:
    f.delete("moved.bin"); raise SystemExit("deleted twice")
except error_perm as e:
    assert str(e).startswith("550"), e
f.cwd("/"); f.rmd("py dir")
f.quit()
"#,
            host = cluster.ftp.ip(),
            port = cluster.ftp.port(),
        );
        Tool::new("python3", &dir).args(["-c", &script]).run()?;
    }
    Ok(())
}

#[test]
fn ncftp_does_everything_passive_and_active() -> Result<()> {
    let cluster = Cluster::start(2)?;
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 14)?;
    let port = cluster.ftp.port().to_string();
    for mode in ["-F", "-E"] {
        let base = ["-u", USER, "-p", PASSWORD, "-P", &port, "-V", mode];
        let run = |tool: &str, args: &[&str]| Tool::new(tool, &dir).args(base).args(args).run();
        run(
            "ncftpput",
            &["-m", "127.0.0.1", "/nc", "whole.bin", "half.bin"],
        )?;
        stored(&cluster, "/nc/whole.bin", &whole)?;
        let list = Tool::new("ncftpls", &dir)
            .args(["-u", USER, "-p", PASSWORD, "-P", &port, mode])
            .args(["ftp://127.0.0.1/nc/"])
            .run()?;
        ensure!(list.contains("whole.bin"), "{list}");
        let down = dir.join(format!("down{mode}"));
        fs::create_dir(&down)?;
        let to = down.to_string_lossy().into_owned();
        run("ncftpget", &["127.0.0.1", &to, "/nc/whole.bin"])?;
        same(&down.join("whole.bin"), &whole)?;
        // Goes on where a shorter local file ends.
        fs::copy(dir.join("half.bin"), down.join("whole.bin"))?;
        run("ncftpget", &["-z", "127.0.0.1", &to, "/nc/whole.bin"])?;
        same(&down.join("whole.bin"), &whole)?;
        // Appends the rest to the half that is there.
        fs::write(dir.join("rest.bin"), &whole[HALF..])?;
        run("ncftpput", &["-A", "127.0.0.1", "/nc", "half.bin"])?;
        let script =
            "cd /nc\nrename half.bin twice.bin\nrm twice.bin whole.bin\ncd /\nrmdir nc\nquit\n";
        let url = format!("ftp://{USER}@127.0.0.1:{port}/");
        let active = if mode == "-E" {
            "set passive no\n"
        } else {
            "set passive yes\n"
        };
        Tool::new("ncftp", &dir)
            .args(["-u", USER, "-p", PASSWORD, &url])
            .input(format!("{active}{script}"))
            .run()?;
        ensure!(cluster.login()?.names(Mode::Pasv, "/")?.is_empty());
    }
    Ok(())
}

#[test]
fn tnftp_does_everything_passive_and_active() -> Result<()> {
    let cluster = Cluster::start(2)?;
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 15)?;
    for mode in ["-p", "-A"] {
        let script = format!(
            "user {USER} \"{PASSWORD}\"\nbinary\nmkdir tn\ncd tn\nput whole.bin\nput half.bin part.bin\n\
             ls\nget whole.bin back.bin\nreget whole.bin cont.bin\nrestart {HALF}\nput whole.bin part.bin\n\
             rename part.bin moved.bin\nget moved.bin moved.bin\ndelete whole.bin\ndelete moved.bin\n\
             cd /\nrmdir tn\nquit\n"
        );
        for old in ["back.bin", "moved.bin"] {
            if dir.join(old).exists() {
                fs::remove_file(dir.join(old))?;
            }
        }
        fs::copy(dir.join("half.bin"), dir.join("cont.bin"))?;
        let text = Tool::new("tnftp", &dir)
            .args([
                "-n",
                "-v",
                mode,
                "-P",
                &cluster.ftp.port().to_string(),
                "127.0.0.1",
            ])
            .input(script)
            .run()?;
        ensure!(text.contains("whole.bin"), "{text}");
        for file in ["back.bin", "cont.bin", "moved.bin"] {
            same(&dir.join(file), &whole).with_context(|| text.clone())?;
        }
        ensure!(
            cluster.login()?.names(Mode::Pasv, "/")?.is_empty(),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn suppaftp_does_everything_in_all_its_modes() -> Result<()> {
    use suppaftp::types::FileType;
    use suppaftp::{FtpStream, Mode as Suppa};

    let cluster = Cluster::start(2)?;
    let whole = Bytes::vec(16, SIZE);
    for mode in [Suppa::Passive, Suppa::ExtendedPassive, Suppa::Active] {
        let mut ftp = FtpStream::connect(cluster.ftp)?;
        ftp.login(USER, PASSWORD)?;
        // Its own default is text, and it changes line ends itself.
        ftp.transfer_type(FileType::Binary)?;
        ftp.set_mode(mode);
        ftp.mkdir("su")?;
        ftp.cwd("su")?;
        ftp.put_file("whole.bin", &mut &whole[..])?;
        ensure!(ftp.size("whole.bin")? == SIZE);
        ensure!(ftp.nlst(None)? == ["whole.bin"]);
        ensure!(ftp.list(None)?.iter().any(|l| l.ends_with(" whole.bin")));
        let back = ftp.retr_as_buffer("whole.bin")?.into_inner();
        ensure!(first_difference(&back, &whole).is_none(), "{mode:?}");

        ftp.resume_transfer(HALF)?;
        let rest = ftp.retr_as_buffer("whole.bin")?.into_inner();
        ensure!(
            first_difference(&rest, &whole[HALF..]).is_none(),
            "{mode:?}"
        );
        ftp.put_file("part.bin", &mut &whole[..HALF])?;
        ftp.append_file("part.bin", &mut &whole[HALF..])?;
        ftp.rename("part.bin", "moved.bin")?;
        let back = ftp.retr_as_buffer("moved.bin")?.into_inner();
        ensure!(first_difference(&back, &whole).is_none(), "{mode:?}");
        ftp.rm("moved.bin")?;
        ftp.rm("whole.bin")?;
        ftp.cdup()?;
        ftp.rmdir("su")?;
        ftp.quit()?;
    }
    Ok(())
}
