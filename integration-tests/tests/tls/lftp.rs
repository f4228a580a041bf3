//! lftp, explicit and implicit, active and passive.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Cluster, Tool};

use crate::{SIZE, certificate, cluster, files, same_file, stored};

/// Where lftp connects, and its settings.
pub struct Lftp<'a> {
    cluster: &'a Cluster,
    open: String,
}

impl<'a> Lftp<'a> {
    pub fn explicit(cluster: &'a Cluster) -> Self {
        let open = format!("ftp://{}", cluster.ftp);
        Self { open, cluster }
    }

    pub fn implicit(cluster: &'a Cluster) -> Result<Self> {
        let open = format!("ftps://{}", cluster.at("ftps")?);
        Ok(Self { open, cluster })
    }

    pub fn run(&self, dir: &Path, settings: &str, script: &str) -> Result<String> {
        let script = format!(
            "set cmd:fail-exit yes; set net:max-retries 2; set ssl:ca-file {}; set ftp:ssl-force yes; \
             set ftp:ssl-protect-data yes; set ftp:ssl-protect-list yes; {settings} \
             open -u {USER},\"{PASSWORD}\" {}; {script}",
            certificate(self.cluster),
            self.open
        );
        Tool::new("lftp", dir).args(["-c", &script]).run()
    }

    pub fn does_everything(&self, settings: &str) -> Result<()> {
        let (_gone, dir) = folder()?;
        let whole = files(&dir, 21)?;
        let run = |script: &str| self.run(&dir, settings, script);
        run("mkdir l; cd l; put whole.bin; put half.bin -o part.bin")?;
        stored(self.cluster, "l/whole.bin", &whole)?;
        let list = run("ls l")?;
        ensure!(
            list.contains("whole.bin") && list.contains(&SIZE.to_string()),
            "{list}"
        );
        run("put -c whole.bin -o l/part.bin")?;
        stored(self.cluster, "l/part.bin", &whole)?;
        run("get l/whole.bin -o back.bin")?;
        same_file(&dir.join("back.bin"), &whole)?;
        fs::copy(dir.join("half.bin"), dir.join("cont.bin"))?;
        run("get -c l/whole.bin -o cont.bin")?;
        same_file(&dir.join("cont.bin"), &whole)?;
        run("mirror l mirrored")?;
        same_file(&dir.join("mirrored/part.bin"), &whole)?;
        run("rm -r l")?;
        Ok(())
    }
}

#[test]
fn lftp_does_everything_over_explicit_tls() -> Result<()> {
    Lftp::explicit(&cluster(&[])?).does_everything("")
}

#[test]
fn lftp_does_everything_over_implicit_tls() -> Result<()> {
    Lftp::implicit(&cluster(&[])?)?.does_everything("")
}

#[test]
fn lftp_does_everything_over_tls_in_active_mode_and_through_the_relay() -> Result<()> {
    let cluster = cluster(&["tls.data=\"required\""])?;
    let lftp = Lftp::explicit(&cluster);
    lftp_in(&lftp, "set ftp:passive-mode no;")?;
    lftp_in(&lftp, "set ftp:use-pret no; set ftp:prefer-epsv yes;")
}

fn lftp_in(lftp: &Lftp, settings: &str) -> Result<()> {
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 22)?;
    lftp.run(
        &dir,
        settings,
        "put whole.bin; get whole.bin -o back.bin; rm whole.bin",
    )?;
    same_file(&dir.join("back.bin"), &whole)
}
