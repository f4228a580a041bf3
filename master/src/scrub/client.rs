//! The narrow door to the scrubber.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::Addr;
use drftpd_actors::tell;
use drftpd_protocol::{RootId, VfsPath};
use tokio::sync::watch;

use super::actor::{Look, Scrubber};

/// What is done now with each root of which a pass is under way.
pub type Shown = Arc<BTreeMap<RootId, Now>>;

/// What is done with a root now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    /// This file is read.
    Reads(VfsPath),
    /// Why it does not go on; it is tried again.
    Waits(String),
}

/// Handle to the scrubber; cheap to clone, one per holder.
#[derive(Clone)]
pub struct ScrubClient {
    pub(super) scrubber: Addr<Scrubber>,
    pub(super) shown: watch::Receiver<Shown>,
}

impl ScrubClient {
    /// Something has changed that it reads from the store: passes, or whether all is paused.
    pub fn look(&self) {
        tell(&self.scrubber, Look);
    }

    /// What is done now.
    pub fn now(&self) -> Shown {
        self.shown.borrow().clone()
    }
}
