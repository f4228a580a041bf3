//! What is left when everything is quiet: what the file list says to a client, and what lies on the slaves' disks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::client::{Failure, Ftp, Way};
use super::ledger::Found;
use super::site::Site;

/// What a root's reserved folder has.
const RESERVED: [&str; 4] = ["identity", "lock", "staging", "trash"];

/// Everything that a client finds, read back.
pub async fn listed(who: &str, site: &Site) -> Result<BTreeMap<String, Found>, Failure> {
    let mut ftp = Ftp::login(who, site).await?;
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
        Err(Failure::Said(450, why)) if why.contains("not complete") => Ok(Found::Part(size)),
        Err(Failure::Said(450, _)) => Ok(Found::Lost(size)),
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
    /// What does not belong into a reserved folder.
    pub strange: Vec<String>,
}

impl Disks {
    /// Reads the roots of these slaves.
    ///
    /// # Errors
    /// When a folder cannot be read, or changes meanwhile.
    pub fn read(roots: &[(String, PathBuf)]) -> Result<Self> {
        let mut disks = Self::default();
        for (slave, root) in roots {
            disks.walk(slave, root, "")?;
            for name in names(&root.join(".drftpd/staging"))? {
                disks.staged.push(format!("{slave}: {name}"));
            }
            let strange = names(&root.join(".drftpd"))?.into_iter();
            let strange = strange.filter(|name| !RESERVED.contains(&name.as_str()));
            disks
                .strange
                .extend(strange.map(|name| format!("{slave}: {name}")));
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

    /// Compares them with what the file list says, where each file should have so many copies; answers what is wrong.
    /// One that was made while another was out of sight may be one more: nobody takes it away.
    pub fn check(&self, found: &BTreeMap<String, Found>, copies: usize) -> Vec<String> {
        let empty = self
            .empty
            .iter()
            .map(|dir| format!("empty on a disk: {dir}"));
        let strange = self
            .strange
            .iter()
            .map(|name| format!("in a reserved folder: {name}"));
        let mut wrong: Vec<String> = empty.chain(strange).collect();
        for (path, there) in found {
            let on = self.files.get(path).map_or(&[][..], Vec::as_slice);
            let right = match there {
                Found::Whole(bytes) => {
                    let many = on.len() == copies || (copies > 1 && on.len() > copies);
                    many && on.iter().all(|(_, there)| there == bytes)
                }
                Found::Dir | Found::Part(_) | Found::Lost(_) => on.is_empty(),
            };
            if !right {
                let on: Vec<_> = on
                    .iter()
                    .map(|(slave, there)| (slave, there.len()))
                    .collect();
                wrong.push(format!(
                    "{path} is on the disks of {on:?} instead of {copies}, or has other bytes there"
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
        wrong
    }

    /// Compares staging with what is in parts; answers what is wrong. Parts may be without bytes where somebody has
    /// taken those away.
    pub fn staging(&self, found: &BTreeMap<String, Found>, taken: bool) -> Option<String> {
        let parts = found
            .iter()
            .filter(|(_, found)| matches!(found, Found::Part(_)));
        let parts: Vec<_> = parts.collect();
        let right = self.staged.len() == parts.len() || (taken && self.staged.len() < parts.len());
        let staged = &self.staged;
        (!right).then(|| format!("in parts are {parts:?}, in staging {staged:?}"))
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disks(on: &[(&str, &[u8])]) -> Disks {
        let mut disks = Disks::default();
        for (slave, bytes) in on {
            let there = disks.files.entry("/a".to_owned()).or_default();
            there.push(((*slave).to_owned(), bytes.to_vec()));
        }
        disks
    }

    #[test]
    fn each_copy_must_be_there_with_its_bytes_and_no_other() {
        let whole = BTreeMap::from([("/a".to_owned(), Found::Whole(b"abc".to_vec()))]);
        let wrong = |disks: &Disks, copies| disks.check(&whole, copies).len();
        let two = disks(&[("one", b"abc"), ("two", b"abc")]);
        assert_eq!((wrong(&two, 2), wrong(&two, 1)), (0, 1));
        assert_eq!(wrong(&disks(&[("one", b"abc")]), 2), 1);
        assert_eq!(wrong(&disks(&[("one", b"abc"), ("two", b"abd")]), 2), 1);
        assert_eq!(two.check(&BTreeMap::new(), 2).len(), 1, "nobody has it");
    }

    #[test]
    fn staging_has_what_is_in_parts_and_reserved_folders_nothing_of_others() {
        let part = BTreeMap::from([("/a".to_owned(), Found::Part(1))]);
        let mut disks = disks(&[]);
        let is_right = |disks: &Disks, there, taken| disks.staging(there, taken).is_none();
        assert!(!is_right(&disks, &part, false) && is_right(&disks, &part, true));
        disks.staged.push("one: 1.1".to_owned());
        assert!(is_right(&disks, &part, false));
        assert!(!is_right(&disks, &BTreeMap::new(), true));
        assert_eq!(disks.check(&part, 1), Vec::<String>::new());
        disks.strange.push("one: core".to_owned());
        assert_eq!(disks.check(&part, 1).len(), 1);
    }
}
