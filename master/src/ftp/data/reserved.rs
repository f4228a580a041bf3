//! A slave that listens for a transfer which PRET announced: kept for a time, then given back.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use drftpd_protocol::{RootId, VfsPath};
use tokio::task::JoinHandle;
use tracing::{Instrument, info};

use super::ours::OurPort;
use crate::ftp::guard::TransferGuard;
use crate::transfer::Direction;

/// A slot with its open port, for one transfer. When nobody has taken it in time the slave closes the port, and the
/// slot is free again.
pub struct Reserved {
    guard: Rc<RefCell<Option<TransferGuard>>>,
    timer: JoinHandle<()>,
    port: Option<OurPort>,
    /// The announced file, resolved.
    pub path: VfsPath,
    /// The announced direction.
    pub direction: Direction,
}

impl Reserved {
    /// Keeps a slot whose slave listens at a port.
    pub fn new(
        guard: TransferGuard,
        port: OurPort,
        path: VfsPath,
        direction: Direction,
        limit: Duration,
    ) -> Self {
        let guard = Rc::new(RefCell::new(Some(guard)));
        let kept = Rc::clone(&guard);
        let timer = async move {
            tokio::time::sleep(limit).await;
            let late = kept.borrow_mut().take();
            if let Some(late) = late {
                info!(slot = ?late.slot(), "announced transfer did not come, its slot is freed");
            }
        };
        Self {
            guard,
            timer: tokio::task::spawn_local(timer.in_current_span()),
            port: Some(port),
            path,
            direction,
        }
    }

    /// The root that the slot is on; `None` when its time is over.
    pub fn root(&self) -> Option<RootId> {
        let guard = self.guard.borrow();
        guard.as_ref()?.slot().map(|slot| slot.root)
    }

    /// Takes the slot with its port; `None` when its time is over.
    pub fn take(mut self) -> Option<(TransferGuard, OurPort)> {
        let guard = self.guard.borrow_mut().take()?;
        Some((guard, self.port.take()?))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path, direction, ..
        } = self;
        write!(f, "Reserved({direction:?} {path}, {:?})", self.root())
    }
}
