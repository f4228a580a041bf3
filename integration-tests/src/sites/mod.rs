//! Sites that files go between: our clusters, servers of others, scripted servers.

mod foreign;
mod fxp;
mod scripted;

use std::net::SocketAddr;

use anyhow::Result;

use crate::cluster::{Cluster, PASSWORD, USER};
use crate::ftp::{Ftp, Mode};

pub use foreign::{Foreign, may_be_anybody};
pub use fxp::{Handshake, Passive, Way, every_way, fxp, ways};
pub use scripted::{Kind, Scripted};

/// A site, and what it knows.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    /// For failures.
    pub name: &'static str,
    /// Where it is.
    pub at: SocketAddr,
    /// It wants PRET before PASV.
    pub pret: bool,
    /// It listens when it is told to.
    pub passive: bool,
    /// It knows CPSV.
    pub cpsv: bool,
    /// It knows SSCN.
    pub sscn: bool,
}

impl Site {
    /// A cluster of ours, to be used with or without PRET.
    pub fn ours(name: &'static str, cluster: &Cluster, pret: bool) -> Self {
        Site {
            name,
            at: cluster.ftp,
            pret,
            passive: true,
            cpsv: true,
            sscn: true,
        }
    }

    /// A login, under TLS and PROT P where that is asked for.
    pub fn login(&self, tls: bool) -> Result<Ftp> {
        let mut ftp = Ftp::connect(self.at)?;
        if tls {
            ftp = ftp.secure()?;
        }
        ftp.ask(&format!("USER {USER}"), 331)?;
        ftp.ask(&format!("PASS {PASSWORD}"), 230)?;
        ftp.ask("TYPE I", 200)?;
        if tls {
            ftp.ask("PBSZ 0", 200)?;
            ftp.ask("PROT P", 200)?;
        }
        Ok(ftp)
    }

    /// `ftp://user:password@host:port/name` for client programs.
    pub fn url(&self, name: &str) -> String {
        format!(
            "ftp://{USER}:{}@{}/{name}",
            PASSWORD.replace(' ', "%20"),
            self.at
        )
    }

    /// Stores a file by a client's own transfer, in clear, by PORT: that is known everywhere.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.login(false)?.put(Mode::Port, name, bytes)
    }

    /// Reads a file likewise.
    pub fn get(&self, name: &str) -> Result<Vec<u8>> {
        self.login(false)?.get(Mode::Port, name)
    }
}
