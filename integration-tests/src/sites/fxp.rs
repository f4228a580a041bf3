//! A client that lets two sites send files to each other, in the order in which cbftp says it: the passive side listens,
//! the active side gets the address and its verb first, and says 150 before the passive side hears of the transfer.

use anyhow::{Context, Result, ensure};

use super::Site;
use crate::data::{Bytes, same};
use crate::ftp::Ftp;

/// What every way is tried with.
const SIZE: usize = 700_000;

/// Which side listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passive {
    /// The one that sends.
    Source,
    /// The one that receives.
    Target,
}

/// Who begins the handshake of the data connection, and by which word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// There is none: all in clear, the control connections too.
    None,
    /// None either, though the control connections are protected (PROT C).
    Clear,
    /// The passive side, by CPSV instead of PASV.
    Cpsv,
    /// The passive side, by SSCN ON.
    SscnPassive,
    /// The active side, by SSCN ON.
    SscnActive,
}

/// A way from one site to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Who listens.
    pub passive: Passive,
    /// Who begins the handshake.
    pub handshake: Handshake,
}

impl Way {
    /// Whether the control connections have TLS.
    pub fn is_secure(self) -> bool {
        self.handshake != Handshake::None
    }
}

/// The ways that two sites have in common.
pub fn ways(source: &Site, target: &Site) -> Vec<Way> {
    use Handshake::{Clear, Cpsv, None, SscnActive, SscnPassive};
    let mut all = Vec::new();
    for passive in [Passive::Source, Passive::Target] {
        let (listens, dials) = match passive {
            Passive::Source => (source, target),
            Passive::Target => (target, source),
        };
        for handshake in [None, Clear, Cpsv, SscnPassive, SscnActive] {
            let both_can = match handshake {
                None | Clear => true,
                Cpsv => listens.cpsv,
                SscnPassive => listens.sscn,
                SscnActive => dials.sscn,
            };
            if both_can && listens.passive {
                all.push(Way { passive, handshake });
            }
        }
    }
    all
}

/// One side of a transfer.
struct Side {
    site: Site,
    ftp: Ftp,
    line: String,
}

impl Side {
    fn new(site: &Site, way: Way, line: String) -> Result<Self> {
        let mut ftp = site.login(way.is_secure())?;
        if way.handshake == Handshake::Clear {
            ftp.ask("PROT C", 200)?;
        }
        let site = *site;
        Ok(Side { site, ftp, line })
    }

    fn ask(&mut self, line: &str, code: u16) -> Result<String> {
        let name = self.site.name;
        self.ftp.ask(line, code).with_context(|| name.to_owned())
    }

    fn begin(&mut self) -> Result<()> {
        let line = self.line.clone();
        self.ask(&line, 150).map(drop)
    }

    fn end(&mut self) -> Result<()> {
        let ended = self.ftp.expect(226).map(drop);
        ended.with_context(|| format!("{} after {}", self.site.name, self.line))
    }
}

/// Lets `source` send `from` to `target` as `to`.
///
/// # Errors
/// Whatever either side says that is not what a transfer needs.
pub fn fxp(source: &Site, from: &str, target: &Site, to: &str, way: Way) -> Result<()> {
    let sends = Side::new(source, way, format!("RETR {from}"))?;
    let receives = Side::new(target, way, format!("STOR {to}"))?;
    let (mut passive, mut active) = match way.passive {
        Passive::Source => (sends, receives),
        Passive::Target => (receives, sends),
    };
    match way.handshake {
        Handshake::SscnPassive => drop(passive.ask("SSCN ON", 200)?),
        Handshake::SscnActive => drop(active.ask("SSCN ON", 200)?),
        Handshake::None | Handshake::Clear | Handshake::Cpsv => {}
    }
    if passive.site.pret {
        let pret = format!("PRET {}", passive.line);
        passive.ask(&pret, 200)?;
    }
    let verb = match way.handshake {
        Handshake::Cpsv => "CPSV",
        _ => "PASV",
    };
    let said = passive.ask(verb, 227)?;
    let numbers = said.split(['(', ')']).nth(1).context("no parentheses")?;
    active.ask(&format!("PORT {numbers}"), 200)?;
    active.begin()?;
    passive.begin()?;
    // Both are heard, whatever the first says: a half that failed is told with what the other half said.
    let (one, other) = (passive.end(), active.end());
    ensure!(
        one.is_ok() && other.is_ok(),
        "passive: {one:?}; active: {other:?}"
    );
    Ok(())
}

/// Sends a file every way that there is from one to the other, and compares what arrived, as `read` finds it. Answers the
/// ways.
///
/// # Errors
/// The first way that does not work.
pub fn every_way(
    source: &Site,
    target: &Site,
    read: impl Fn(&str) -> Result<Vec<u8>>,
) -> Result<Vec<Way>> {
    let all = ways(source, target);
    for (seed, way) in (1..).zip(&all) {
        let what = format!("{} to {}: {way:?}", source.name, target.name);
        let whole = Bytes::vec(seed, SIZE);
        let number = format!("{}{}{seed}", source.pret, target.pret);
        let (from, to) = (format!("from-{number}"), format!("to-{number}"));
        let run = || {
            source.put(&from, &whole)?;
            fxp(source, &from, target, &to, *way)?;
            read(&to)
        };
        let got = run().with_context(|| what.clone())?;
        same(&got, &whole, &what)?;
    }
    Ok(all)
}
