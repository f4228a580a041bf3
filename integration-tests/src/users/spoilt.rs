//! Contents of which somebody took or changed bytes on a disk, behind the server's back: they may be out of reach
//! afterwards, and until somebody has looked at that disk they may be read as they are there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::ledger::Content;

/// Which contents are spoilt. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Spoilt(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    seeds: BTreeSet<u64>,
    empty: bool,
}

impl Spoilt {
    /// All files with this seed; without one, all that are empty.
    pub fn add(&self, seed: Option<u64>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seed {
            Some(seed) => drop(inner.seeds.insert(seed)),
            None => inner.empty = true,
        }
    }

    /// Whether a content is spoilt.
    pub fn is(&self, content: Content) -> bool {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match content.len {
            0 => inner.empty,
            _ => inner.seeds.contains(&content.seed),
        }
    }
}
