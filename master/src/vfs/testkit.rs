//! For tests of others: a file list over a store in a temporary folder, in the test's own thread.

use std::sync::Arc;

use drftpd_actors::testkit::Probe;
use drftpd_actors::{Blocking, ChildDown, Clock, Dice, Place};
use drftpd_protocol::{RootId, SlaveId};
use tempfile::TempDir;

use super::{Deps, VfsClient, VfsConfig, start};
use crate::copies::CopiesConfig;
use crate::outbox::Outbox;
use crate::search::Names;
use crate::store::{Case, Store, StoreConfig};

/// A file list that lives as long as this.
pub struct TestVfs {
    pub vfs: VfsClient,
    pub store: Store,
    /// Hears when the actor is down.
    pub down: Probe<ChildDown>,
    _folder: TempDir,
}

impl TestVfs {
    /// An empty tree; `clock` gives the times of files.
    pub async fn start(clock: &Clock) -> Self {
        Self::with_copies(clock, CopiesConfig::default()).await
    }

    /// The same, with rules for copies.
    pub async fn with_copies(clock: &Clock, copies: CopiesConfig) -> Self {
        let folder = TempDir::new().unwrap();
        let (config, dice) = (StoreConfig::DEFAULT, Dice::seeded(1));
        let store = Store::inline(folder.path(), &config, Case::Sensitive, clock, &dice);
        let store = store.unwrap();
        let deps = Deps {
            store: store.clone(),
            blocking: Blocking::inline(),
            config: VfsConfig::default(),
            copies: Arc::new(copies),
            outbox: Outbox::new(1000),
            names: Names::new(true),
            clock: clock.clone(),
        };
        let down = Probe::start();
        let vfs = start(&Place::here(), deps, down.recipient()).await.unwrap();
        Self {
            vfs,
            store,
            down,
            _folder: folder,
        }
    }

    /// A root that a slave shows; uploads need one.
    pub async fn root(&self, slave: &str, number: u8) -> RootId {
        let root = RootId([number; 16]);
        let slave = SlaveId::new(slave).unwrap();
        self.vfs.root_shown(root, &slave).await.unwrap();
        root
    }
}
