//! Counters that the copying threads move and others read: how far one transfer is, and how much
//! goes over the whole slave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// Bytes of the whole slave since it began.
#[derive(Debug, Default)]
pub struct Totals {
    received: AtomicU64,
    sent: AtomicU64,
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

    /// Bytes per second in and out since the last look; zeros when no time has passed.
    pub fn look(&mut self, totals: &Totals, now: Instant) -> (u64, u64) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        if passed <= 0.0 {
            return (0, 0);
        }
        let then = std::mem::replace(self, Speeds::new(totals, now));
        let speed = |now: u64, then: u64| ((now - then) as f64 / passed) as u64;
        (
            speed(self.received, then.received),
            speed(self.sent, then.sent),
        )
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
        assert_eq!(speeds.look(&totals, later), (500, 250));
        assert_eq!(speeds.look(&totals, later), (0, 0));
        assert_eq!(
            speeds.look(&totals, later + Duration::from_secs(1)),
            (0, 0)
        );
    }

    #[test]
    fn an_uploads_position_is_the_length_of_its_file() {
        let meter = Meter::new(Arc::default());
        meter.begins_at(100);
        meter.received(11);
        assert_eq!(meter.position(), 111);
    }
}
