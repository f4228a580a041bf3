//! What is remembered of a transfer: the row that others see while it runs, the line that the client hears at its end,
//! and the event for the transfer log.

use std::fmt;
use std::time::Duration;

use drftpd_protocol::{SlaveId, VfsPath};
use tokio::time::Instant;
use tracing::debug;

use crate::events::TransferLogged;
use crate::ftp::live::Live;
use crate::ftp::services::{Services, VerbCx};
use crate::transfer::Direction;

/// The record of one transfer that has begun. Dropped, it is published: as broken off, unless it was told otherwise.
pub struct Record {
    services: std::rc::Rc<Services>,
    live: Live,
    begun: Instant,
    event: TransferLogged,
    forgotten: bool,
}

impl Record {
    /// 150 has been said.
    pub fn begin(cx: &VerbCx, path: &VfsPath, direction: Direction, slave: SlaveId) -> Self {
        cx.live.transfer_began(path.clone(), direction);
        let account = cx.account().ok();
        Self {
            services: cx.services.clone(),
            live: cx.live.clone(),
            begun: Instant::now(),
            event: TransferLogged {
                session: cx.session,
                user: account.map_or_else(String::new, |account| account.name.clone()),
                client: cx.client(),
                path: path.clone(),
                direction,
                slave,
                bytes: 0,
                took: Duration::ZERO,
                ended: 0,
                complete: false,
                anonymous: account.is_some_and(|account| account.anonymous),
                tls: None,
            },
            forgotten: false,
        }
    }

    /// It will be tried in another way: nothing is published of this one.
    pub fn forget(mut self) {
        self.forgotten = true;
    }

    /// So many bytes have moved by now.
    pub fn moved(&mut self, bytes: u64) {
        self.event.bytes = bytes;
        self.live.transfer_moved(bytes);
    }

    /// All is well, with so many bytes; gives what the client hears of it.
    pub fn complete(mut self, bytes: u64) -> Figures {
        self.event.bytes = bytes;
        self.event.complete = true;
        let took = self.begun.elapsed();
        Figures { bytes, took }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.forgotten {
            return;
        }
        let mut event = self.event.clone();
        event.took = self.begun.elapsed();
        event.ended = self.services.clock.unix();
        event.tls = self.live.row().data_tls;
        debug!(
            path = %event.path, direction = ?event.direction, slave = %event.slave, bytes = event.bytes,
            complete = event.complete, tls = ?event.tls, "transfer ended"
        );
        self.services.bus.publish(event);
    }
}

/// What a transfer has moved.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Bytes.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl Figures {
    /// Bytes, speed, and all of it, for people.
    pub fn shown(&self) -> [String; 3] {
        [self.bytes.to_string(), self.speed(), self.to_string()]
    }

    fn speed(&self) -> String {
        const UNITS: [&str; 4] = ["B/s", "KiB/s", "MiB/s", "GiB/s"];
        // Nobody needs to be precise here.
        #[allow(clippy::cast_precision_loss)]
        let mut rate = self.bytes as f64 / self.took.as_secs_f64().max(0.001);
        let mut unit = UNITS[0];
        for next in &UNITS[1..] {
            if rate >= 1024.0 {
                rate /= 1024.0;
                unit = next;
            }
        }
        format!("{rate:.2} {unit}")
    }
}

impl fmt::Display for Figures {
    /// `1048576 bytes in 0.52 s (1.92 MiB/s)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, seconds) = (self.bytes, self.took.as_secs_f64());
        write!(f, "{bytes} bytes in {seconds:.2} s ({})", self.speed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_for_people() {
        for (bytes, millis, want) in [
            (0, 0, "0 bytes in 0.00 s (0.00 B/s)"),
            (1000, 2000, "1000 bytes in 2.00 s (500.00 B/s)"),
            (1 << 20, 500, "1048576 bytes in 0.50 s (2.00 MiB/s)"),
            (
                5 << 40,
                1000,
                "5497558138880 bytes in 1.00 s (5120.00 GiB/s)",
            ),
        ] {
            assert_eq!(
                Figures {
                    bytes,
                    took: Duration::from_millis(millis)
                }
                .to_string(),
                want
            );
        }
    }
}
