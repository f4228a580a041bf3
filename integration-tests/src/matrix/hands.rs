//! Hands that work on a root while its slave is away: what they take away is spoilt, what they put there is expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use drftpd_actors::Dice;

use crate::cluster::run;
use crate::data::{Bytes, seed_of};
use crate::users::Spoilt;
use crate::users::ledger::Found;

/// Where a slave keeps what is its own.
const RESERVED: &str = ".drftpd";

/// What hands have done.
pub struct Hands {
    dice: Dice,
    spoilt: Spoilt,
    roots: Vec<PathBuf>,
    /// Bytes that were put somewhere, and whether they must still be there.
    made: Vec<(Vec<u8>, bool)>,
    count: u64,
    /// Whether files went from a directory, which nobody has removed then.
    pub emptied: bool,
    /// Whether bytes of uploads that broke off were taken away, too.
    pub took_staged: bool,
}

impl Hands {
    /// Hands that may work on these roots.
    pub fn new(dice: Dice, spoilt: Spoilt, roots: Vec<PathBuf>) -> Self {
        Hands {
            dice,
            spoilt,
            roots,
            made: Vec::new(),
            count: 0,
            emptied: false,
            took_staged: false,
        }
    }

    /// Does something to some files of a root; answers what.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn work(&mut self, index: usize) -> Result<Vec<String>> {
        let mut done = Vec::new();
        for _ in 0..1 + self.dice.below(5) {
            let files = files_of(&self.roots[index])?;
            let Some(file) = files.get(self.dice.below(files.len() as u64) as usize) else {
                return Ok(done);
            };
            let kind = self.dice.below(7);
            self.count += 1;
            self.one(index, file, kind)?;
            let kinds = [
                "removed",
                "cut short",
                "rewritten",
                "moved",
                "twice",
                "put beside",
                "made longer",
            ];
            done.push(format!("{} {}", file.display(), kinds[kind as usize]));
        }
        Ok(done)
    }

    fn one(&mut self, index: usize, file: &Path, kind: u64) -> Result<()> {
        let root = self.roots[index].clone();
        let at = root.join(file);
        let beside = at.with_file_name(format!("hand-{}", self.count));
        // What hands have put there stays as it is, so that it is known again.
        let bytes = std::fs::read(&at)?;
        let ours = self.made.iter().any(|(made, _)| *made == bytes);
        let kind = if ours && matches!(kind, 1 | 6) {
            0
        } else {
            kind
        };
        self.emptied |= matches!(kind, 0 | 3);
        if !matches!(kind, 3..=5) {
            self.spoil(index, file)?;
        }
        match kind {
            0 => std::fs::remove_file(&at)?,
            1 => {
                let opened = std::fs::OpenOptions::new().write(true).open(&at)?;
                opened.set_len(opened.metadata()?.len() / 2)?;
            }
            2 => {
                let bytes = Bytes::vec(self.dice.u64(), 1_000);
                std::fs::remove_file(&at)?;
                std::fs::write(&at, &bytes)?;
                self.made.push((bytes, false));
            }
            3 => std::fs::rename(&at, beside)?,
            4 => drop(copy(&at, &beside)?),
            5 => {
                let bytes = Bytes::vec(self.dice.u64(), 1_000);
                std::fs::write(beside, &bytes)?;
                self.made.push((bytes, true));
            }
            _ => {
                let mut bytes = bytes;
                bytes.extend_from_slice(b"more");
                std::fs::write(&at, bytes)?;
            }
        }
        Ok(())
    }

    /// Removes all files of a root.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn empty(&mut self, index: usize) -> Result<()> {
        let root = self.roots[index].clone();
        for file in files_of(&root)? {
            self.spoil(index, &file)?;
        }
        for entry in std::fs::read_dir(&root)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true if entry.file_name() == RESERVED => {}
                true => std::fs::remove_dir_all(entry.path())?,
                false => std::fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }

    /// Puts a root back as it was.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn put_back(&mut self, index: usize, old: &Path) -> Result<()> {
        let root = self.roots[index].clone();
        for file in files_of(&root)? {
            self.spoil(index, &file)?;
        }
        // Uploads that were not at their place yet.
        for staged in std::fs::read_dir(root.join(RESERVED).join("staging"))? {
            let bytes = std::fs::read(staged?.path())?;
            self.spoilt.add(seed_of(&bytes));
        }
        self.took_staged = true;
        // Bytes that hands had put there go with the root.
        self.made.iter_mut().for_each(|(_, must)| *must = false);
        std::fs::remove_dir_all(&root)?;
        Ok(std::fs::rename(old, &root)?)
    }

    /// A copy may be lost; nothing is if another root has the same bytes at the same place.
    fn spoil(&mut self, index: usize, file: &Path) -> Result<()> {
        let bytes = std::fs::read(self.roots[index].join(file))?;
        let made = self.made.iter_mut().filter(|(made, _)| *made == bytes);
        made.for_each(|(_, must)| *must = false);
        let others = self.roots.iter().enumerate().filter(|(at, _)| *at != index);
        let has = |root: &Path| std::fs::read(root.join(file)).is_ok_and(|other| other == bytes);
        if !others.into_iter().any(|(_, root)| has(root)) {
            self.spoilt.add(seed_of(&bytes));
        }
        Ok(())
    }

    /// Takes what hands have put there out of what nobody else accounts for; answers what is wrong.
    pub fn check(&self, left: &mut BTreeMap<String, Found>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (bytes, must) in &self.made {
            let is = |found: &Found| matches!(found, Found::Whole(there) if there == bytes);
            let here: Vec<_> = left.iter().filter(|(_, found)| is(found)).collect();
            let here: Vec<String> = here.into_iter().map(|(path, _)| path.clone()).collect();
            if here.len() > 1 || (here.is_empty() && *must) {
                wrong.push(format!("what was put there by hand is listed as {here:?}"));
            }
            here.iter().for_each(|path| drop(left.remove(path)));
        }
        wrong
    }
}

/// Copies with all attributes.
///
/// # Errors
/// Those of `cp`.
pub fn copy(from: &Path, to: &Path) -> Result<String> {
    let mut command = Command::new("cp");
    command.arg("-a").arg(from).arg(to);
    run(command)
}

/// All files of a root, by their paths in it, but for those in its reserved folder.
fn files_of(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        let at = root.join(&dir);
        for entry in std::fs::read_dir(&at).with_context(|| at.display().to_string())? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true if path == Path::new(RESERVED) => {}
                true => dirs.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    Ok(files)
}
