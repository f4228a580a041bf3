//! Bytes that a seed makes, so that what comes back can be compared without keeping it.

use std::io::{Read, Result};

/// An endless, repeatable stream of bytes: xorshift from a seed.
pub struct Bytes {
    state: u64,
    left: u64,
    rest: Vec<u8>,
}

impl Bytes {
    /// `len` bytes of the stream with this seed.
    pub fn new(seed: u64, len: u64) -> Self {
        Bytes {
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            left: len,
            rest: Vec::new(),
        }
    }

    /// All of them.
    pub fn vec(seed: u64, len: usize) -> Vec<u8> {
        let mut all = vec![0; len];
        let mut bytes = Bytes::new(seed, len as u64);
        bytes.fill(&mut all);
        all
    }

    fn next_word(&mut self) -> [u8; 8] {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.to_le_bytes()
    }

    fn fill(&mut self, out: &mut [u8]) {
        let mut out = out;
        while !out.is_empty() {
            if self.rest.is_empty() {
                self.rest = self.next_word().to_vec();
            }
            let n = out.len().min(self.rest.len());
            out[..n].copy_from_slice(&self.rest[..n]);
            self.rest.drain(..n);
            out = &mut out[n..];
        }
    }
}

impl Read for Bytes {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let n = out
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.fill(&mut out[..n]);
        self.left -= n as u64;
        Ok(n)
    }
}

/// Where two byte strings first differ, for a failure that can be read.
pub fn first_difference(got: &[u8], wanted: &[u8]) -> Option<String> {
    if got.len() != wanted.len() {
        return Some(format!("{} bytes instead of {}", got.len(), wanted.len()));
    }
    let at = got.iter().zip(wanted).position(|(a, b)| a != b)?;
    Some(format!(
        "byte {at} is {} instead of {}",
        got[at], wanted[at]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_however_they_are_read() {
        let whole = Bytes::vec(7, 1000);
        let mut parts = Vec::new();
        let mut stream = Bytes::new(7, 1000);
        let mut chunk = [0; 13];
        while let Ok(n @ 1..) = stream.read(&mut chunk) {
            parts.extend_from_slice(&chunk[..n]);
        }
        assert_eq!(first_difference(&parts, &whole), None);
        assert!(first_difference(&Bytes::vec(8, 1000), &whole).is_some());
    }
}
