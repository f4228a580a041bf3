//! Counters that the copying threads move and others read: how far one transfer is, and how much
//! goes over the whole slave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::time::Instant;

/// Bytes of the whole slave since it began.
#[derive(Debug, Default)]
pub struct Totals {
    channels: AtomicU32,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Totals {
    /// How many channels there are now.
    pub fn set_channels(&self, count: u32) {
        self.channels.store(count, Ordering::Relaxed);
    }
}

/// How much a slave does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Data channels, begun or not.
    pub transfers: u32,
    /// Bytes per second that come in.
    pub receiving: u64,
    /// Bytes per second that go out.
    pub sending: u64,
}

/// One transfer's counter.
#[derive(Debug)]
pub struct Meter {
    /// Where the transfer is: length of the file for uploads, bytes sent for downloads.
    position: AtomicU64,
    totals: Arc<Totals>,
}

impl Meter {
    /// A transfer that has not moved.
    pub fn new(totals: Arc<Totals>) -> Self {
        Meter {
            position: AtomicU64::new(0),
            totals,
        }
    }

    /// What an upload has before its first byte.
    pub fn begins_at(&self, len: u64) {
        self.position.store(len, Ordering::Relaxed);
    }

    /// So many bytes came in and are on the disk.
    pub fn received(&self, bytes: u64) {
        self.position.fetch_add(bytes, Ordering::Relaxed);
        self.totals.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes went out.
    pub fn sent(&self, bytes: u64) {
        self.position.fetch_add(bytes, Ordering::Relaxed);
        self.totals.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Where the transfer is.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
}

/// Turns totals into speeds: what moved since the last look.
#[derive(Debug)]
pub struct Speeds {
    at: Instant,
    received: u64,
    sent: u64,
}

impl Speeds {
    /// Begins to look.
    pub fn new(totals: &Totals, now: Instant) -> Self {
        Speeds {
            at: now,
            received: totals.received.load(Ordering::Relaxed),
            sent: totals.sent.load(Ordering::Relaxed),
        }
    }

    /// The load since the last look; no speed when no time has passed.
    pub fn look(&mut self, totals: &Totals, now: Instant) -> Load {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let mut load = Load {
            transfers: totals.channels.load(Ordering::Relaxed),
            receiving: 0,
            sending: 0,
        };
        if passed > 0.0 {
            let then = std::mem::replace(self, Speeds::new(totals, now));
            let speed = |now: u64, then: u64| ((now - then) as f64 / passed) as u64;
            load.receiving = speed(self.received, then.received);
            load.sending = speed(self.sent, then.sent);
        }
        load
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn speeds_are_of_the_time_since_the_last_look() {
        let totals = Arc::new(Totals::default());
        let meter = Meter::new(Arc::clone(&totals));
        let begin = Instant::now();
        let mut speeds = Speeds::new(&totals, begin);
        meter.received(1_000);
        meter.sent(500);
        let later = begin + Duration::from_secs(2);
        totals.set_channels(3);
        let load = speeds.look(&totals, later);
        assert_eq!((load.receiving, load.sending), (500, 250));
        assert_eq!(load.transfers, 3);
        let again = speeds.look(&totals, later);
        assert_eq!((again.receiving, again.sending), (0, 0));
        let quiet = speeds.look(&totals, later + Duration::from_secs(1));
        assert_eq!((quiet.receiving, quiet.sending), (0, 0));
    }

    #[test]
    fn an_uploads_position_is_the_length_of_its_file() {
        let meter = Meter::new(Arc::default());
        meter.begins_at(100);
        meter.received(11);
        assert_eq!(meter.position(), 111);
    }
}
