//! Those who come to a data port and are not the one who is expected: the first is named in the log, the others are
//! counted, so that whoever comes often does not fill the log.

use std::cell::Cell;
use std::net::SocketAddr;

use tracing::info;

/// Strangers at one port, as long as one transfer is expected there. Dropped, it says how many they were.
#[derive(Debug, Default)]
pub struct Strangers(Cell<u64>);

impl Strangers {
    /// One more was closed.
    pub fn closed(&self, peer: SocketAddr) {
        let before = self.0.get();
        if before == 0 {
            info!(%peer, "a stranger on a data port is closed");
        }
        self.0.set(before.saturating_add(1));
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        let count = self.0.get();
        if count > 1 {
            info!(count, "strangers on a data port were closed");
        }
    }
}
