//! Tests of storage on folders that are made for them.
//!
//! [`Fixture`] is a root in a temporary folder; places are written as text, `3:dir/name` with the
//! identity of each directory in front of it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drftpd_actors::{Clock, Dice};
use drftpd_protocol::ids::{FileId, Generation, NodeId};
use drftpd_protocol::path::Name;
use drftpd_protocol::wire::{Base, DirStep, Moved, Place, RootOp};

use super::mark::{self, FileMark, Mark};
use super::{Fsync, Root, RootConfig, Roots, StoragePolicy};
use crate::testkit::{KEEP, one_root, open_roots, prepare, shared_root};

mod confinement;
mod crashes;
mod dirs;
mod files;
mod found;
mod model;
mod parts;
mod roots;
mod shared;
mod sums;
mod trash;
mod uploads;
mod walks;
mod watches;

/// When the tests' clock begins, Unix seconds.
const NOW: i64 = 1_800_000_000;

/// One root in a temporary folder.
struct Fixture {
    dir: tempfile::TempDir,
    roots: Roots,
    root: Root,
    clock: Clock,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture::with(Fsync::Always)
    }

    /// A root on which other programs work too.
    fn shared() -> Fixture {
        let clock = Clock::manual(NOW);
        let (dir, roots, root) = shared_root(&clock);
        Fixture {
            dir,
            roots,
            root,
            clock,
        }
    }

    fn with(fsync: Fsync) -> Fixture {
        let clock = Clock::manual(NOW);
        let (dir, roots, root) = one_root(fsync, &clock);
        Fixture {
            dir,
            roots,
            root,
            clock,
        }
    }

    /// A path below the root.
    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Stages a complete file.
    fn prepare(&self, file: FileId, bytes: &[u8]) {
        prepare(&self.root, file, bytes);
    }

    /// Stages a complete file and publishes it.
    fn publish(&self, file: FileId, at: &str, bytes: &[u8]) {
        self.prepare(file, bytes);
        self.apply(&RootOp::Publish {
            file,
            at: place(at),
        });
    }

    /// Applies an operation twice; the second must change nothing.
    fn apply(&self, op: &RootOp) -> Option<String> {
        let remark = self.root.apply(op).expect("applied");
        let once = self.tree();
        self.root.apply(op).expect("applied again");
        assert_eq!(self.tree(), once, "done twice is not done once: {op:?}");
        remark
    }

    /// Every file and directory below the root with its content or identity, without notes.
    fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        gather(self.dir.path(), "", &mut tree);
        tree
    }

    /// The tree that users know of: without the reserved folder.
    fn visible(&self) -> Vec<String> {
        let tree = self.tree().into_iter();
        tree.filter(|(path, _)| !path.starts_with(".drftpd"))
            .map(|(path, what)| format!("{path}={what}"))
            .collect()
    }

    /// What lies in a folder of the reserved one; notes and times left out.
    fn reserved(&self, folder: &str) -> Vec<String> {
        let prefix = format!(".drftpd/{folder}/");
        let tree = self.tree().into_iter();
        tree.filter_map(|(path, what)| {
            let name = path.strip_prefix(&prefix)?;
            Some(format!("{name}={what}"))
        })
        .collect()
    }

    fn read(&self, file: FileId, at: &str) -> Option<Vec<u8>> {
        let stored = self.root.open_file(Some(file), &place(at)).ok()?;
        let mut bytes = vec![0; usize::try_from(stored.size).expect("small")];
        std::os::unix::fs::FileExt::read_exact_at(&stored.file, &mut bytes, 0).expect("read");
        Some(bytes)
    }
}

fn gather(dir: &Path, at: &str, tree: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a plain name");
        let path = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}/{name}")
        };
        if path == ".drftpd/lock" || path == ".drftpd/identity" || name.ends_with(".note") {
            continue;
        }
        let kind = entry.file_type().expect("a kind");
        let open = std::fs::File::open(entry.path());
        let mark = || match mark::read(open.as_ref().expect("opens").as_fd()).expect("read") {
            mark::Seen::Mark(Mark::File(mark)) => format!("[{}]", mark.file),
            mark::Seen::Mark(Mark::Dir(id)) => format!("[{id}]"),
            _ => String::new(),
        };
        if kind.is_dir() {
            if !path.starts_with(".drftpd") {
                tree.insert(path.clone(), format!("dir{}", mark()));
            }
            gather(&entry.path(), &path, tree);
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).expect("a file");
            let text = String::from_utf8_lossy(&bytes).into_owned();
            tree.insert(path, format!("{text}{}", mark()));
        } else {
            tree.insert(path, "other".to_owned());
        }
    }
}

fn id(node: u64, generation: u64) -> FileId {
    FileId {
        node: NodeId(node),
        generation: Generation(generation),
    }
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes().to_vec()).expect("a name")
}

/// `3:a/4:b/c`: the name `c` in directory 4, named `b`, in directory 3, named `a`.
fn place(text: &str) -> Place {
    let (dirs, last) = text.rsplit_once('/').unwrap_or(("", text));
    let step = |text: &str| {
        let (id, dir) = text.split_once(':').expect("an identity in front");
        DirStep {
            id: NodeId(id.parse().expect("a number")),
            name: name(dir),
        }
    };
    Place {
        dirs: dirs
            .split('/')
            .filter(|dir| !dir.is_empty())
            .map(step)
            .collect(),
        name: name(last),
    }
}

fn move_file(file: FileId, from: &str, to: &str) -> RootOp {
    RootOp::Move {
        what: Moved::File(file),
        from: place(from),
        to: place(to),
    }
}

fn move_dir(dir: u64, from: &str, to: &str) -> RootOp {
    RootOp::Move {
        what: Moved::Dir(NodeId(dir)),
        from: place(from),
        to: place(to),
    }
}

fn publish(file: FileId, at: &str) -> RootOp {
    RootOp::Publish {
        file,
        at: place(at),
    }
}

fn delete(file: FileId, at: &str) -> RootOp {
    RootOp::Delete {
        file,
        at: place(at),
    }
}

/// Marks a file or directory by hand.
fn mark_by_hand(path: &Path, mark: Mark) {
    let file = std::fs::File::open(path).expect("opens");
    mark::write(file.as_fd(), mark).expect("marked");
}

fn file_mark(file: FileId, size: u64) -> Mark {
    Mark::File(FileMark {
        file,
        size,
        crc32: Some(0),
        blake3: None,
        modified: None,
    })
}
