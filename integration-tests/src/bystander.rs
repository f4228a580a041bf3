//! Who is there while others suffer: work that must succeed afterwards, an upload that must go on.

use std::cell::Cell;
use std::io::Write;

use anyhow::{Context, Result, ensure};

use crate::cluster::Cluster;
use crate::data::Bytes;
use crate::ftp::{Ftp, Mode};

/// Everything that a cluster can do, in short.
pub fn work(cluster: &Cluster, name: &str) -> Result<()> {
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, name, name.as_bytes())?;
    ensure!(ftp.get(Mode::Pasv, name)? == name.as_bytes(), "{name}");
    ftp.ask(&format!("DELE {name}"), 250).map(drop)
}

/// Names that nobody had before.
#[derive(Default)]
pub struct Names(Cell<u32>);

impl Names {
    /// One more.
    pub fn next(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("file-{}", self.0.get())
    }
}

/// Somebody who has nothing to do with it, in the middle of an upload.
pub struct Bystander {
    /// The control connection.
    pub ftp: Ftp,
    /// The data connection.
    pub stream: std::net::TcpStream,
    name: String,
    /// All bytes that the file shall have.
    pub whole: Vec<u8>,
}

impl Bystander {
    /// The first half of the bytes is sent.
    ///
    /// # Errors
    /// When the cluster does not take them.
    pub fn begin(cluster: &Cluster, name: String) -> Result<Self> {
        let whole = Bytes::vec(7, 400_000);
        let mut ftp = cluster.login()?;
        let data = ftp.data(Mode::Pret, "STOR", &name)?;
        ftp.ask(&format!("STOR {name}"), 150)?;
        let mut stream = data.stream()?;
        stream.write_all(&whole[..200_000])?;
        Ok(Bystander {
            ftp,
            stream,
            name,
            whole,
        })
    }

    /// The upload ends as if nothing had happened.
    pub fn finish(mut self) -> Result<()> {
        self.stream.write_all(&self.whole[200_000..])?;
        drop(self.stream);
        self.ftp.expect(226)?;
        ensure!(self.ftp.get(Mode::Pret, &self.name)? == self.whole);
        Ok(())
    }

    /// The upload broke off, and what was sent is not lost.
    pub fn resume(mut self, cluster: &Cluster) -> Result<()> {
        self.ftp.expect(426)?;
        drop(self.stream);
        let goes_on = || -> Result<()> {
            let mut ftp = cluster.login()?;
            let line = ftp.ask(&format!("SIZE {}", self.name), 213)?;
            let kept: usize = line.rsplit(' ').next().context("a size")?.parse()?;
            ftp.ask(&format!("REST {kept}"), 350)?;
            ftp.put(Mode::Pret, &self.name, &self.whole[kept..])?;
            ensure!(kept > 0 && ftp.get(Mode::Pret, &self.name)? == self.whole);
            Ok(())
        };
        cluster.wait_until("the upload is resumed", |_| Ok(goes_on().is_ok()))
    }
}
