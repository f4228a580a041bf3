//! What a walk found, for operators: lines of the log, and events.

use std::ops::AddAssign;
use std::time::Duration;

use drftpd_protocol::wire::WalkDone;
use tracing::{debug, error, info, warn};

use super::asked::Extent;
use super::roots::RootCx;
use crate::events::{
    ConflictKept, CopiesMissing, FilesAdopted, RootHeld, SharedRootChanged, StoreIsOlder,
};
use crate::vfs::{Concluded, Judged, Merged};

/// Problems of one walk that are logged.
const SAID: usize = 32;

/// How much a walk found of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Findings {
    pub adopted: u64,
    pub good: u64,
    pub kept_beside: u64,
    pub set_aside: u64,
    pub moved: u64,
    pub unknown: u64,
    pub quarantined: u64,
    pub left: u64,
    pub refused: u64,
    /// Files of a shared root that have other contents.
    pub edited: u64,
    /// Directories whose digests agreed.
    pub agreed: u64,
    /// Directories that are to be looked at later.
    pub later: u64,
}

impl Findings {
    /// Counts directories that were judged by their digests.
    pub fn judged(&mut self, judged: &Judged) {
        self.agreed += judged.agreed.len() as u64;
        self.later += judged.later;
    }

    /// Counts what a page brought, and says what is news.
    pub fn add(&mut self, cx: &RootCx, merged: &Merged) {
        let (slave, root, bus) = (cx.slave(), cx.root, &cx.deps.bus);
        if merged.adopted > 0 {
            bus.publish(FilesAdopted {
                slave: slave.clone(),
                root,
                files: merged.adopted,
            });
        }
        for path in &merged.kept_beside {
            warn!(%slave, %root, %path, "a file whose place another one has is kept beside it");
            bus.publish(ConflictKept {
                slave: slave.clone(),
                root,
                path: path.clone(),
            });
        }
        *self += Self {
            adopted: merged.adopted,
            good: merged.good,
            kept_beside: merged.kept_beside.len() as u64,
            set_aside: merged.set_aside,
            moved: merged.moved,
            unknown: merged.unknown,
            quarantined: merged.quarantined,
            left: merged.left,
            refused: merged.refused,
            edited: merged.edited,
            ..Self::default()
        };
    }
}

impl AddAssign for Findings {
    fn add_assign(&mut self, other: Self) {
        self.adopted += other.adopted;
        self.good += other.good;
        self.kept_beside += other.kept_beside;
        self.set_aside += other.set_aside;
        self.moved += other.moved;
        self.unknown += other.unknown;
        self.quarantined += other.quarantined;
        self.left += other.left;
        self.refused += other.refused;
        self.edited += other.edited;
        self.agreed += other.agreed;
        self.later += other.later;
    }
}

/// Says how a walk ended.
pub(super) fn say(cx: &RootCx, extent: &Extent, done: &WalkDone, found: &Findings, took: Duration) {
    let (slave, root) = (cx.slave(), cx.root);
    for problem in done.problems.iter().take(SAID) {
        warn!(%slave, %root, problem, "a walk found something that it could not read");
    }
    if found.unknown > 0 {
        error!(%slave, %root, files = found.unknown,
            "files with identities that this store never gave out: it is older than the disk. The site is in recovery \
             until recovery end: nothing is set aside, no copy is called missing; root differences has them all");
        cx.deps.bus.publish(StoreIsOlder {
            slave: slave.clone(),
            root,
            files: found.unknown,
        });
    }
    if found.quarantined > 0 {
        warn!(%slave, %root, files = found.quarantined, "files in quarantine; root differences has them all");
    }
    if found.refused > 0 {
        warn!(%slave, %root, files = found.refused, "files that have no place in the file list are left as they are");
    }
    let parts = match extent {
        Extent::Whole => None,
        Extent::Parts(parts) => Some(parts.len()),
    };
    info!(
        %slave, %root, parts, dirs = done.dirs, files = done.files, complete = done.complete,
        good = found.good, adopted = found.adopted, kept_beside = found.kept_beside,
        set_aside = found.set_aside, moved = found.moved, left = found.left, edited = found.edited,
        agreed = found.agreed, later = found.later,
        took_ms = took.as_millis(), "a root was walked"
    );
}

/// Says what a walk that saw everything did not see.
pub(super) fn say_missing(cx: &RootCx, concluded: &Concluded) {
    let (slave, root, bus) = (cx.slave().clone(), cx.root, &cx.deps.bus);
    let Concluded {
        copies,
        missing,
        lost,
        ..
    } = concluded.clone();
    if concluded.held {
        error!(%slave, %root, missing, copies,
            "a root misses so many copies that it is held: nothing it says changes the file list until root confirm");
        bus.publish(RootHeld {
            slave,
            root,
            missing,
            copies,
        });
    } else if missing > 0 {
        warn!(%slave, %root, missing, lost, "copies are missing on a root; their entries stay");
        bus.publish(CopiesMissing {
            slave,
            root,
            copies: missing,
            lost,
        });
    }
}

/// Says what other programs have done on a shared root.
pub(super) fn say_others(cx: &RootCx, edited: u64, concluded: &Concluded) {
    let (slave, root) = (cx.slave().clone(), cx.root);
    let (renamed, removed) = (
        concluded.renamed,
        concluded.removed + concluded.removed_dirs,
    );
    if edited + renamed + removed > 0 {
        info!(%slave, %root, edited, renamed, removed, "other programs have changed a shared root");
        cx.deps.bus.publish(SharedRootChanged {
            slave,
            root,
            edited,
            renamed,
            removed,
        });
    }
}

/// Says that a root is not walked. Of a shared one parts are asked for many times a second: they are no news.
pub(super) fn say_held(cx: &RootCx, extent: &Extent) {
    let (slave, root) = (cx.slave(), cx.root);
    match extent {
        Extent::Whole => {
            warn!(%slave, %root, "a root is held and not walked; root confirm believes it");
        }
        Extent::Parts(_) => debug!(%slave, %root, "a root is held and not walked"),
    }
}
