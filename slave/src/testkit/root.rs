//! Roots in folders that are made for a test, and files in them.

use std::path::Path;
use std::time::Duration;

use drftpd_actors::{Clock, Dice};
use drftpd_protocol::ids::FileId;
use drftpd_protocol::wire::Base;
use tempfile::TempDir;

use crate::storage::{Fsync, Root, RootConfig, Roots, Sharing, StorageError, StoragePolicy};

/// How long trash is kept.
pub(crate) const KEEP: Duration = Duration::from_secs(3600);

/// Opens the roots in these folders; they become roots where they are none.
pub(crate) fn open_roots(
    paths: &[&Path],
    fsync: Fsync,
    clock: &Clock,
) -> Result<Roots, StorageError> {
    let config = |path: &&Path| RootConfig {
        path: path.to_path_buf(),
        create: true,
        shared: None,
    };
    let configs: Vec<_> = paths.iter().map(config).collect();
    let policy = StoragePolicy {
        fsync,
        trash_keep: KEEP,
        pretended_space: None,
    };
    Roots::open(&configs, policy, clock.clone(), Dice::seeded(7))
}

/// A folder that is a slave's only root.
pub(crate) fn one_root(fsync: Fsync, clock: &Clock) -> (TempDir, Roots, Root) {
    let dir = tempfile::tempdir().expect("a folder");
    let roots = open_roots(&[dir.path()], fsync, clock).expect("opens");
    let root = roots.all().pop().expect("one root");
    (dir, roots, root)
}

/// The same, where other programs work too; what was written is taken at once.
pub(crate) fn shared_root(clock: &Clock) -> (TempDir, Roots, Root) {
    let dir = tempfile::tempdir().expect("a folder");
    let config = RootConfig {
        path: dir.path().to_path_buf(),
        create: true,
        shared: Some(Sharing {
            quiet: Duration::from_secs(1),
            rescan_every: KEEP,
        }),
    };
    let policy = StoragePolicy {
        fsync: Fsync::Always,
        trash_keep: KEEP,
        pretended_space: None,
    };
    let roots = Roots::open(&[config], policy, clock.clone(), Dice::seeded(7)).expect("opens");
    let root = roots.all().pop().expect("one root");
    (dir, roots, root)
}

/// Stages a complete file.
pub(crate) fn prepare(root: &Root, file: FileId, bytes: &[u8]) {
    let mut staging = root.stage(file, &Base::Empty, 0).expect("staged");
    staging.append(bytes).expect("written");
    let crc = staging.crc32();
    root.prepare(staging, crc).expect("prepared");
}
