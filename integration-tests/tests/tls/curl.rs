//! curl, explicit and implicit.

use std::fs;

use anyhow::{Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::{Cluster, Tool};

use crate::{certificate, cluster, files, same_file, with_password};

pub fn curl_does_everything(cluster: &Cluster, url: &str, options: &[&str]) -> Result<()> {
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 23)?;
    let authority = certificate(cluster);
    let curl = |args: &[&str]| {
        Tool::new("curl", &dir)
            .args(["-sS", "--fail", "--ssl-reqd", "--cacert", &authority])
            .args(options)
            .args(args)
            .run()
    };
    let at = |path: &str| format!("{url}/{path}");
    curl(&["-T", "whole.bin", "--ftp-create-dirs", &at("c/whole.bin")])?;
    curl(&[&at("c/whole.bin"), "-o", "once.bin"])?;
    same_file(&dir.join("once.bin"), &whole)?;
    let list = curl(&[&at("c/")])?;
    ensure!(list.contains("whole.bin"), "{list}");
    curl(&[&at("c/whole.bin"), "-o", "back.bin"])?;
    same_file(&dir.join("back.bin"), &whole)?;
    fs::copy(dir.join("half.bin"), dir.join("cont.bin"))?;
    curl(&["-C", "-", &at("c/whole.bin"), "-o", "cont.bin"])?;
    same_file(&dir.join("cont.bin"), &whole)?;
    curl(&["-T", "half.bin", &at("c/part.bin")])?;
    curl(&["-C", "-", "-T", "whole.bin", &at("c/part.bin")])?;
    curl(&[&at("c/part.bin"), "-o", "twice.bin"])?;
    same_file(&dir.join("twice.bin"), &whole)?;
    curl(&[
        "-Q",
        "DELE c/part.bin",
        "-Q",
        "DELE c/whole.bin",
        "-Q",
        "RMD c",
        "-l",
        &at(""),
    ])?;
    Ok(())
}

#[test]
pub fn curl_does_everything_over_explicit_tls_of_both_versions() -> Result<()> {
    let cluster = cluster(&[])?;
    let url = with_password("ftp", cluster.at("ftp")?);
    curl_does_everything(&cluster, &url, &[])?;
    curl_does_everything(&cluster, &url, &["--tls-max", "1.2"])?;
    curl_does_everything(&cluster, &url, &["--ftp-pret"])
}

#[test]
pub fn curl_does_everything_over_implicit_tls() -> Result<()> {
    // Not in active mode: curl 7.87 and 7.88 send in clear there whatever PROT was (curl issue 10666).
    let cluster = cluster(&[])?;
    let url = with_password("ftps", cluster.at("ftps")?);
    curl_does_everything(&cluster, &url, &[])
}
