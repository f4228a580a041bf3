//! What is left when everything is quiet: what the file list says to a client, and what lies on the slaves' disks.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::client::{Failure, Ftp, Way};
use super::ledger::Found;
use super::trace::Trace;
use super::world::World;

/// Everything that a client finds, read back.
pub async fn listed(who: &str, trace: &Trace) -> Result<BTreeMap<String, Found>, Failure> {
    let mut ftp = Ftp::login(who, trace).await?;
    let mut found = BTreeMap::from([("/".to_owned(), Found::Dir)]);
    let mut dirs = vec!["/".to_owned()];
    while let Some(dir) = dirs.pop() {
        let listing = ftp.fetch(Way::Pasv, "MLSD", &dir).await?;
        for line in String::from_utf8_lossy(&listing).lines() {
            let (facts, name) = line.split_once(' ').unwrap_or((line, ""));
            let path = format!("{}/{name}", dir.trim_end_matches('/'));
            let is = |kind: &str| facts.to_ascii_lowercase().contains(kind);
            if is("type=dir;") {
                dirs.push(path.clone());
                found.insert(path, Found::Dir);
            } else if is("type=file;") {
                let there = read(&mut ftp, &path, facts).await?;
                if found.insert(path.clone(), there).is_some() {
                    let twice = format!("{path} is listed twice");
                    return Err(Failure::Said(0, twice));
                }
            }
        }
    }
    Ok(found)
}

async fn read(ftp: &mut Ftp, path: &str, facts: &str) -> Result<Found, Failure> {
    let facts = facts.to_ascii_lowercase();
    let size = facts.split(';').find_map(|fact| fact.strip_prefix("size="));
    let size: u64 = size.and_then(|size| size.parse().ok()).unwrap_or(u64::MAX);
    match ftp.fetch(Way::Pret, "RETR", path).await {
        Ok(bytes) if bytes.len() as u64 == size => Ok(Found::Whole(bytes)),
        Ok(bytes) => {
            let text = format!("{path} is listed with {size} bytes and has {}", bytes.len());
            Err(Failure::Said(0, text))
        }
        Err(Failure::Said(450, _)) => Ok(Found::Part(size)),
        Err(why) => Err(why),
    }
}

/// What lies on the slaves' disks.
#[derive(Debug, Default)]
pub struct Disks {
    /// Published files, by path, with the slave that has each.
    pub files: BTreeMap<String, Vec<(String, Vec<u8>)>>,
    /// Directories with nothing in them.
    pub empty: Vec<String>,
    /// Files in staging.
    pub staged: Vec<String>,
}

impl Disks {
    /// Reads them.
    pub fn read(world: &World) -> Result<Self> {
        let mut disks = Self::default();
        for slave in world.slaves() {
            let root = world.root(slave);
            disks.walk(slave, &root, "")?;
            for entry in std::fs::read_dir(root.join(".drftpd/staging"))? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                disks.staged.push(format!("{slave}: {name}"));
            }
        }
        disks.staged.sort();
        Ok(disks)
    }

    fn walk(&mut self, slave: &str, folder: &Path, path: &str) -> Result<()> {
        let mut entries = 0;
        for entry in std::fs::read_dir(folder).with_context(|| format!("{slave} {path}"))? {
            let entry = entry?;
            entries += 1;
            let name = entry.file_name().to_string_lossy().into_owned();
            let below = format!("{path}/{name}");
            if below == "/.drftpd" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                self.walk(slave, &entry.path(), &below)?;
            } else {
                let bytes = std::fs::read(entry.path())?;
                self.files
                    .entry(below)
                    .or_default()
                    .push((slave.to_owned(), bytes));
            }
        }
        if entries == 0 {
            self.empty.push(format!("{slave}: {path}"));
        }
        Ok(())
    }

    /// Compares them with what the file list says; answers what is wrong.
    pub fn check(&self, found: &BTreeMap<String, Found>) -> Vec<String> {
        let mut wrong: Vec<String> = self
            .empty
            .iter()
            .map(|dir| format!("empty on a disk: {dir}"))
            .collect();
        for (path, there) in found {
            let on: Vec<&str> = self
                .files
                .get(path)
                .into_iter()
                .flatten()
                .map(|(slave, _)| slave.as_str())
                .collect();
            let right = match there {
                Found::Whole(bytes) => {
                    on.len() == 1
                        && self
                            .files
                            .get(path)
                            .is_some_and(|on| on.iter().all(|(_, got)| got == bytes))
                }
                Found::Dir | Found::Part(_) => on.is_empty(),
            };
            if !right {
                wrong.push(format!(
                    "{path} is on the disks of {on:?}, or has other bytes there"
                ));
            }
        }
        for (path, on) in &self.files {
            if !found.contains_key(path) {
                let on: Vec<_> = on.iter().map(|(slave, _)| slave).collect();
                wrong.push(format!(
                    "{path} is on the disks of {on:?} and not in the file list"
                ));
            }
        }
        let parts = found
            .iter()
            .filter(|(_, found)| matches!(found, Found::Part(_)));
        let parts: Vec<_> = parts.collect();
        if self.staged.len() != parts.len() {
            wrong.push(format!(
                "in parts are {parts:?}, in staging {:?}",
                self.staged
            ));
        }
        wrong
    }
}
