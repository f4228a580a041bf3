//! Space that is promised to uploads but not yet on the disk, and looks at what is free.
//!
//! Roots on one filesystem share its space, so what one of them promises the others lack.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use drftpd_protocol::wire::Look;

use super::root::lock;

/// What a slave knows of all its filesystems. Cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub(super) struct Spaces(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    run: u64,
    looks: AtomicU64,
    promised: Mutex<BTreeMap<u64, Promised>>,
}

impl Spaces {
    /// Nothing is promised; `run` tells this run of the slave from others.
    pub(super) fn new(run: u64) -> Self {
        Spaces(Arc::new(Inner {
            run,
            looks: AtomicU64::new(0),
            promised: Mutex::default(),
        }))
    }

    /// Takes the number of a look. Whoever takes it asks the disk afterwards.
    pub(super) fn look(&self) -> Look {
        Look {
            run: self.0.run,
            number: self.0.looks.fetch_add(1, Ordering::SeqCst) + 1,
        }
    }

    /// What is promised on a filesystem.
    pub(super) fn promised(&self, device: u64) -> Promised {
        let mut all = lock(&self.0.promised);
        all.entry(device).or_default().clone()
    }
}

/// How much of a filesystem is promised. Cloning gives another handle to the same sum.
#[derive(Debug, Clone, Default)]
pub(super) struct Promised(Arc<AtomicU64>);

impl Promised {
    /// Bytes promised now.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Promises bytes until the promise is dropped or used up, unless fewer are left of what
    /// `free` says: that many are the error. Of two who ask at the same time one sees the other.
    pub(super) fn promise<E>(
        &self,
        bytes: u64,
        free: impl Fn() -> Result<u64, E>,
    ) -> Result<Result<Promise, u64>, E> {
        loop {
            let promised = self.bytes();
            let left = free()?.saturating_sub(promised);
            if left < bytes {
                return Ok(Err(left));
            }
            let new = promised.saturating_add(bytes);
            let (set, failed) = (Ordering::SeqCst, Ordering::Relaxed);
            if self.0.compare_exchange(promised, new, set, failed).is_ok() {
                let of = self.clone();
                return Ok(Ok(Promise { of, left: bytes }));
            }
        }
    }

    /// A promise of nothing, for bytes that are set aside on the disk.
    pub(super) fn nothing(&self) -> Promise {
        Promise {
            of: self.clone(),
            left: 0,
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
        self.of.0.fetch_sub(bytes, Ordering::SeqCst);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.used(self.left);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn promise(of: &Promised, bytes: u64, free: u64) -> Result<Promise, u64> {
        let Ok(promised) = of.promise::<Infallible>(bytes, || Ok(free));
        promised
    }

    #[test]
    fn what_is_used_or_dropped_is_promised_no_longer() {
        let promised = Promised::default();
        let mut first = promise(&promised, 100, 1000).unwrap();
        let second = promise(&promised, 50, 1000).unwrap();
        first.used(30);
        assert_eq!(promised.bytes(), 120);
        first.used(1000);
        assert_eq!(promised.bytes(), 50);
        drop((first, second));
        assert_eq!(promised.bytes(), 0);
    }

    #[test]
    fn no_more_is_promised_than_there_is_also_to_those_who_ask_at_the_same_time() {
        let promised = Promised::default();
        let first = promise(&promised, 60, 100).unwrap();
        assert_eq!(promise(&promised, 41, 100).unwrap_err(), 40);
        // Another comes in between the question and the promise.
        let between = std::cell::RefCell::new(None);
        let free = || {
            let mut between = between.borrow_mut();
            between.get_or_insert_with(|| promise(&promised, 30, 100).unwrap());
            Ok::<_, Infallible>(100)
        };
        let Ok(second) = promised.promise(20, free);
        assert_eq!(second.unwrap_err(), 10);
        drop(first);
        assert_eq!(promised.bytes(), 30);
    }

    #[test]
    fn roots_of_a_filesystem_share_what_is_promised_and_every_look_has_a_later_number() {
        let spaces = Spaces::new(7);
        let one = promise(&spaces.promised(1), 5, 10).unwrap();
        assert_eq!(spaces.clone().promised(1).bytes(), 5);
        assert_eq!(spaces.promised(2).bytes(), 0);
        assert!(spaces.look().is_before(spaces.clone().look()));
        drop(one);
    }
}
