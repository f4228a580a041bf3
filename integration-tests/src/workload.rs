//! Clients that change a tree until the master is killed, and know exactly what must be there then.
//!
//! Each client works below a directory of its own. A change that was not answered may have happened or
//! not, but wholly: so there are at most two worlds, and afterwards the tree must be one of them. The
//! one thing between is a new file that is partial, of which a beginning is kept.

mod change;
mod kill;
mod world;

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use drftpd_actors::Dice;

pub use change::Change;
pub use kill::Killer;
pub use world::{Node, Seen, World};

use crate::cluster::{PASSWORD, USER};
use crate::ftp::{Ftp, Mode};

/// One client, and what it knows.
pub struct Client {
    /// Everything that was answered.
    pub world: World,
    /// A change that was not answered, and the world in which it happened.
    unanswered: Option<(Change, World)>,
    dice: Dice,
    number: u64,
}

impl Client {
    /// A client that makes the directory `top` and works in it.
    pub fn new(top: &str, seed: u64, ftp: &mut Ftp) -> Result<Self> {
        ftp.ask(&format!("MKD {top}"), 257)?;
        Ok(Client {
            world: World::new(top),
            unanswered: None,
            dice: Dice::seeded(seed),
            number: 0,
        })
    }

    /// Makes changes until one is not answered; answers how many were.
    pub fn work(&mut self, at: SocketAddr, killer: &Killer) -> Result<usize> {
        let Ok(mut ftp) = Ftp::login(at, USER, PASSWORD) else {
            // Another client had the master killed first.
            ensure!(killer.is_over(), "no login");
            return Ok(0);
        };
        for done in 0.. {
            self.number += 1;
            let change = Change::choose(&self.world, &self.dice, self.number);
            let after = self.world.after(&change)?;
            match change.ask(&mut ftp, &self.world, killer) {
                Ok(()) => self.world = after,
                Err(why) => {
                    ensure!(killer.is_over(), "{change:?} failed: {why:?}");
                    self.unanswered = Some((change, after));
                    return Ok(done);
                }
            }
        }
        bail!("never killed")
    }

    /// Looks which world there is, and goes on with a partial file.
    pub fn check(&mut self, at: SocketAddr) -> Result<()> {
        let mut ftp = Ftp::login(at, USER, PASSWORD)?;
        let seen = Seen::read(&mut ftp, &self.world.top)?;
        let Some((change, after)) = self.unanswered.take() else {
            return self.world.compare(&seen);
        };
        if let Change::Put { path, bytes, .. } = &change
            && !self.world.nodes.contains_key(path)
            && seen.nodes.contains_key(path)
            && self.is_partial(&mut ftp, path)?
        {
            self.world.compare(&seen.without(path))?;
            self.resume(&mut ftp, path, bytes)?;
            let again = Seen::read(&mut ftp, &self.world.top)?;
            self.world = after;
            self.world.compare(&again)?;
            return self.read_some(&mut ftp, std::slice::from_ref(path));
        }
        let before = self.world.compare(&seen).and_then(|()| {
            let paths = change.paths();
            self.read_some(&mut ftp, &paths)
        });
        if let Err(before) = before {
            self.world = after;
            let happened = self.world.compare(&seen);
            happened
                .with_context(|| format!("{change:?} happened partly: it did not, but {before}"))?;
            self.read_some(&mut ftp, &change.paths())?;
        }
        Ok(())
    }

    fn is_partial(&self, ftp: &mut Ftp, path: &str) -> Result<bool> {
        let full = self.world.full(path);
        let _unused = ftp.data(Mode::Pasv, "RETR", &full)?;
        ftp.send(&format!("RETR {full}"))?;
        match ftp.reply()? {
            (450, _) => Ok(true),
            (150, _) => {
                ftp.ask("ABOR", 426)?;
                ftp.expect(226)?;
                Ok(false)
            }
            (_, lines) => bail!("RETR {path}: {lines:?}"),
        }
    }

    fn resume(&self, ftp: &mut Ftp, path: &str, bytes: &[u8]) -> Result<()> {
        let full = self.world.full(path);
        let size = ftp.ask(&format!("SIZE {full}"), 213)?;
        let kept: usize = size.rsplit(' ').next().context("a size")?.parse()?;
        ensure!(kept <= bytes.len(), "{path} has {kept} bytes");
        let data = ftp.data(Mode::Pret, "STOR", &full)?;
        ftp.ask(&format!("REST {kept}"), 350)?;
        ftp.send_file(data, "STOR", &full, &bytes[kept..])
    }

    /// Reads some files and compares their bytes.
    pub fn read_some(&self, ftp: &mut Ftp, paths: &[String]) -> Result<()> {
        for path in paths {
            if let Some(Node::File { bytes, .. }) = self.world.nodes.get(path) {
                let got = ftp.get(Mode::Pret, &self.world.full(path))?;
                ensure!(got == **bytes, "{path} has other bytes");
            }
        }
        Ok(())
    }

    /// Reads every file.
    pub fn read_all(&self, at: SocketAddr) -> Result<()> {
        let mut ftp = Ftp::login(at, USER, PASSWORD)?;
        let paths: Vec<String> = self.world.nodes.keys().cloned().collect();
        self.read_some(&mut ftp, &paths)
    }
}
