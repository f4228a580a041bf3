//! A root's disk as a model: it follows a log strictly, and complains where a real one would have
//! to make do.

use std::collections::{BTreeMap, BTreeSet};

use drftpd_protocol::wire::{Moved, Place, RootOp};
use drftpd_protocol::{DirId, FileId};

use super::shown;

#[derive(Debug, Default)]
pub struct Disk {
    /// Files at their paths.
    pub files: BTreeMap<String, FileId>,
    /// Directories at their paths.
    dirs: BTreeMap<DirId, String>,
    /// What was thrown away from staging.
    pub discarded: BTreeSet<FileId>,
}

impl Disk {
    /// Follows one operation.
    pub fn follow(&mut self, op: &RootOp) {
        match op {
            RootOp::Publish { file, at } => {
                assert!(!self.discarded.contains(file), "{file} was thrown away");
                self.put(at, *file);
            }
            RootOp::Delete { file, at } => self.take(at, *file),
            RootOp::Move { what, from, to } => match what {
                Moved::File(file) => {
                    self.take(from, *file);
                    self.put(to, *file);
                }
                Moved::Dir(dir) => self.move_dir(*dir, from, to),
            },
            RootOp::RemoveDir { dir, at } => {
                let below = format!("{}/", shown(at));
                assert!(!self.files.keys().any(|path| path.starts_with(&below)));
                self.dirs.remove(dir);
            }
            RootOp::SetTime { file, at, .. } => self.has(at, *file),
            RootOp::Identify { file, at, .. } => self.put(at, *file),
            RootOp::KeepBeside { file, to, .. } => self.put(to, *file),
            RootOp::SetAside { file, at } => {
                if self.files.get(&shown(at)) == Some(file) {
                    self.files.remove(&shown(at));
                }
            }
            RootOp::Disown { .. } => panic!("no disk of these tests is shared"),
            RootOp::DiscardStaged { file } | RootOp::SetAsideStaged { file } => {
                assert!(!self.files.values().any(|there| there == file));
                self.discarded.insert(*file);
            }
        }
    }

    /// Makes the directories above a place as needed, with their identities.
    fn make_dirs(&mut self, at: &Place) {
        let mut path = String::new();
        for step in &at.dirs {
            path += &format!("/{}", step.name);
            let known = self.dirs.entry(step.id).or_insert_with(|| path.clone());
            assert_eq!(*known, path, "directory {} is elsewhere", step.id);
        }
    }

    fn put(&mut self, at: &Place, file: FileId) {
        self.make_dirs(at);
        let before = self.files.insert(shown(at), file);
        // Saying once more who a file is does no harm.
        let before = before.filter(|before| *before != file);
        assert_eq!(before, None, "something stood at {}", shown(at));
    }

    fn has(&self, at: &Place, file: FileId) {
        assert_eq!(self.files.get(&shown(at)), Some(&file), "{}", shown(at));
    }

    fn take(&mut self, at: &Place, file: FileId) {
        let taken = self.files.remove(&shown(at));
        assert_eq!(taken, Some(file), "{}", shown(at));
    }

    fn move_dir(&mut self, dir: DirId, from: &Place, to: &Place) {
        let Some(path) = self.dirs.get(&dir) else {
            return; // it was never made on this disk
        };
        assert_eq!(*path, shown(from));
        self.make_dirs(to);
        let (from, to) = (shown(from), shown(to));
        let moved = |path: &str| {
            let rest = path.strip_prefix(&from)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
        };
        for path in self.dirs.values_mut() {
            if let Some(new) = moved(path) {
                *path = new;
            }
        }
        let files = std::mem::take(&mut self.files);
        for (path, file) in files {
            let path = moved(&path).unwrap_or(path);
            assert_eq!(self.files.insert(path, file), None);
        }
    }
}
