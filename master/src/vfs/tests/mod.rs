//! The file list over a real store, in one thread with a clock that jumps.

mod copies;
mod credits;
mod damaged;
mod digests;
mod disk;
mod doubts;
mod forget;
mod invariants;
mod links;
mod lost;
mod merge;
mod missing;
mod model;
mod parts;
mod quota;
mod random;
mod reach;
mod recovery;
mod restart;
mod retire;
mod scrub;
mod shared;
mod strays;
mod threads;
mod tree;
mod uploads;
mod walking;

use std::path::Path;
use std::sync::Arc;

use drftpd_actors::testkit::{Probe, sim};
use drftpd_actors::{Blocking, ChildDown, Clock, Dice, Place};
use drftpd_protocol::wire::RootOp;
use drftpd_protocol::{FileId, NodeId, OpSeq, RootId, SlaveId, VfsPath};
use tempfile::TempDir;

use super::*;
use crate::copies::CopiesConfig;
use crate::outbox::Outbox;
use crate::search::Names;
use crate::store::{Case, Store, StoreConfig};

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const A: RootId = RootId([0xA; 16]);
pub(super) const B: RootId = RootId([0xB; 16]);

/// A file list with two roots, A and B.
pub(super) struct Fixture {
    pub vfs: VfsClient,
    pub store: Store,
    pub clock: Clock,
    pub down: Probe<ChildDown>,
}

/// Runs a test on a new file list, then checks that the store is sound.
pub(super) fn with_vfs<F: Future<Output = Fixture>>(test: impl FnOnce(Fixture) -> F) {
    with_case(Case::Sensitive, test);
}

pub(super) fn with_case<F: Future<Output = Fixture>>(case: Case, test: impl FnOnce(Fixture) -> F) {
    let dir = TempDir::new().unwrap();
    sim(async {
        let fixture = Fixture::open(dir.path(), case, NOW).await;
        let fixture = test(fixture).await;
        invariants::check(&fixture.store);
    });
}

/// Tests of disks that people rearranged: the model of a disk knows nothing of it.
pub(super) fn on_strange_disks<F: Future<Output = Fixture>>(test: impl FnOnce(Fixture) -> F) {
    let dir = TempDir::new().unwrap();
    sim(async {
        let fixture = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        let fixture = test(fixture).await;
        invariants::check_tables(&fixture.store);
    });
}

impl Fixture {
    pub async fn open(dir: &Path, case: Case, now: i64) -> Self {
        let (clock, dice) = (Clock::manual(now), Dice::seeded(1));
        let store = Store::inline(dir, &StoreConfig::DEFAULT, case, &clock, &dice).unwrap();
        Self::over(store, clock).await
    }

    pub async fn over(store: Store, clock: Clock) -> Self {
        Self::with_config(store, clock, VfsConfig::default()).await
    }

    pub async fn with_config(store: Store, clock: Clock, config: VfsConfig) -> Self {
        Self::with(store, clock, config, CopiesConfig::default()).await
    }

    pub async fn with(store: Store, clock: Clock, config: VfsConfig, copies: CopiesConfig) -> Self {
        let deps = Deps {
            copies: Arc::new(copies),
            outbox: Outbox::new(1000),
            names: Names::new(true),
            store: store.clone(),
            blocking: Blocking::inline(),
            config,
            clock: clock.clone(),
        };
        let down = Probe::start();
        let vfs = start(&Place::here(), deps, down.recipient()).await.unwrap();
        for (root, name) in [(A, "alpha"), (B, "beta")] {
            vfs.root_shown(root, &slave(name)).await.unwrap();
        }
        Self {
            vfs,
            store,
            clock,
            down,
        }
    }

    /// Uploads `size` bytes to a root and commits them.
    pub async fn put(&self, at: &str, root: RootId, size: u64) -> Entry {
        let upload = self.begin(at, UploadMode::Store, root).await.unwrap();
        self.commit(upload.file, root, size).await.unwrap()
    }

    pub async fn begin(
        &self,
        at: &str,
        mode: UploadMode,
        root: RootId,
    ) -> Result<Upload, VfsError> {
        self.vfs.begin_upload(&path(at), mode, ann(), root).await
    }

    pub async fn commit(&self, file: FileId, root: RootId, size: u64) -> Result<Entry, VfsError> {
        self.vfs.commit_upload(file, root, bytes(size)).await
    }

    pub async fn dir(&self, at: &str) -> Entry {
        self.vfs.make_dir(&path(at), ann()).await.unwrap()
    }

    pub async fn rename(&self, from: &str, to: &str) -> Result<(), VfsError> {
        self.vfs.rename(&path(from), &path(to), None, None).await
    }

    /// Renames onto what stands there.
    pub async fn rename_onto(&self, from: &str, to: &str) -> Result<(), VfsError> {
        let there = self.stat(to).await.ok().map(|there| there.id);
        self.vfs.rename(&path(from), &path(to), there, None).await
    }

    pub async fn stat(&self, at: &str) -> Result<Entry, VfsError> {
        self.vfs.stat(&path(at)).await
    }

    /// Names of a directory, in pages of two.
    pub async fn names(&self, at: &str) -> Vec<String> {
        let dir = self.stat(at).await.unwrap().id;
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = self.vfs.list(dir, after, 2).await.unwrap();
            names.extend(page.entries.iter().map(name_of));
            match page.next {
                Some(next) => after = Some(next),
                None => return names,
            }
        }
    }

    pub async fn ops(&self, root: RootId) -> Vec<RootOp> {
        let ops = self.vfs.ops_after(root, OpSeq::NONE, 4096).await.unwrap();
        ops.into_iter().map(|(_, op)| op).collect()
    }

    /// Bytes and files below a directory.
    pub async fn totals(&self, at: &str) -> (u64, u64) {
        let dir = self.stat(at).await.unwrap();
        (dir.size, dir.files)
    }
}

pub(super) fn name_of(entry: &Entry) -> String {
    entry.name.as_ref().unwrap().to_string()
}

pub(super) fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

pub(super) fn slave(name: &str) -> SlaveId {
    SlaveId::new(name).unwrap()
}

pub(super) fn ann() -> Owner {
    Owner {
        user: "ann".into(),
        group: "users".into(),
    }
}

pub(super) fn bytes(size: u64) -> PreparedBytes {
    PreparedBytes {
        size,
        crc32: 0xC0FFEE,
        blake3: None,
        received: size,
    }
}

/// `/a/b#7.1`: a place and what is there.
pub(super) fn shown(at: &drftpd_protocol::wire::Place) -> String {
    let mut text = String::new();
    for step in &at.dirs {
        text += &format!("/{}", step.name);
    }
    format!("{text}/{}", at.name)
}

/// Operations in short, with the names of places but not identities.
pub(super) fn short(ops: &[RootOp]) -> Vec<String> {
    let one = |op: &RootOp| match op {
        RootOp::Publish { at, .. } => format!("publish {}", shown(at)),
        RootOp::Delete { at, .. } => format!("delete {}", shown(at)),
        RootOp::Move { from, to, .. } => format!("move {} {}", shown(from), shown(to)),
        RootOp::RemoveDir { at, .. } => format!("rmdir {}", shown(at)),
        RootOp::SetTime { at, modified, .. } => format!("time {} {modified}", shown(at)),
        RootOp::Identify { at, size, .. } => format!("identify {} {size}", shown(at)),
        RootOp::KeepBeside { from, to, .. } => format!("beside {} {}", shown(from), shown(to)),
        RootOp::SetAside { at, .. } => format!("aside {}", shown(at)),
        RootOp::Disown { at, .. } => format!("disown {}", shown(at)),
        RootOp::DiscardStaged { .. } => "discard".into(),
        RootOp::SetAsideStaged { .. } => "set aside".into(),
    };
    ops.iter().map(one).collect()
}

/// That a node is not the root, for tests that take a new one.
pub(super) fn is_new(node: NodeId) -> bool {
    node != NodeId::ROOT
}
