//! Space that is promised to uploads but not yet on the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much of a root is promised. Cloning gives another handle to the same sum.
#[derive(Debug, Clone, Default)]
pub(super) struct Promised(Arc<AtomicU64>);

impl Promised {
    /// Bytes promised now.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Promises bytes until the promise is dropped or used up.
    pub(super) fn promise(&self, bytes: u64) -> Promise {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Promise {
            of: self.clone(),
            left: bytes,
        }
    }
}

/// Bytes promised to one upload.
#[derive(Debug)]
pub(super) struct Promise {
    of: Promised,
    left: u64,
}

impl Promise {
    /// Some of them are on the disk now.
    pub(super) fn used(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        self.of.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.used(self.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_or_dropped_is_promised_no_longer() {
        let promised = Promised::default();
        let mut first = promised.promise(100);
        let second = promised.promise(50);
        first.used(30);
        assert_eq!(promised.bytes(), 120);
        first.used(1000);
        assert_eq!(promised.bytes(), 50);
        drop((first, second));
        assert_eq!(promised.bytes(), 0);
    }
}
