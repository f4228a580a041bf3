//! What the messages speak of: one root, one file, one place.

use drftpd_protocol::wire::{DirStep, Look, Place, RootState, RootStatus, SpaceSeen};
use drftpd_protocol::{FileId, Generation, Name, NodeId, RootId, StoreId};

pub const ROOT: RootId = RootId([0x11; 16]);
pub const STORE: StoreId = StoreId([0x22; 16]);
pub const FILE: FileId = FileId {
    node: NodeId(0x1234_5678_9abc),
    generation: Generation(2),
};
pub const OLD: FileId = FileId {
    node: NodeId(0x1234_5678_9abc),
    generation: Generation(1),
};

pub fn name(text: &str) -> Name {
    Name::new(text.as_bytes().to_vec()).expect("a name")
}

pub fn dir() -> DirStep {
    DirStep {
        id: NodeId(77),
        name: name("dir"),
    }
}

pub fn place() -> Place {
    Place {
        dirs: vec![dir()],
        name: name("a file"),
    }
}

pub fn root_status() -> RootStatus {
    RootStatus {
        root: ROOT,
        path: "/srv/disk1".into(),
        state: RootState::Present,
        total: 1 << 40,
        free: 1 << 39,
        filesystem: 2049,
        look: look(),
    }
}

fn look() -> Look {
    Look {
        run: 0x1122_3344_5566_7788,
        number: 9,
    }
}

pub fn space_seen() -> SpaceSeen {
    SpaceSeen {
        look: look(),
        free: vec![(ROOT, 1 << 38)],
    }
}
