//! Checksums that travel beside CRC-32.

use std::fmt;

use serde::{Deserialize, Serialize};

/// BLAKE3 of a file: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Blake3Sum(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl fmt::Display for Blake3Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Blake3Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blake3Sum({self})")
    }
}
