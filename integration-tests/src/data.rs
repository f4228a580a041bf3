//! Bytes that a seed makes, so that what comes back can be compared without keeping it.

use std::io::{Read, Result};

/// Bytes that are made by chance; what follows repeats them with other stamps, at the speed of a copy.
const BLOCK: usize = 1 << 20;
/// Every page begins with a stamp: its number and the seed, so that no two pages are the same.
const PAGE: usize = 4096;
/// What makes a stamp of both.
const STAMP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A repeatable stream of bytes. Cheap also without optimisation: tests send gibibytes of it.
pub struct Bytes {
    seed: u64,
    len: u64,
    at: u64,
    /// The block that `at` lies in.
    block: Vec<u8>,
}

impl Bytes {
    /// `len` bytes of the stream with this seed.
    pub fn new(seed: u64, len: u64) -> Self {
        let mut bytes = Bytes {
            seed,
            len,
            at: 0,
            block: chance(seed, usize::try_from(len).unwrap_or(BLOCK).min(BLOCK)),
        };
        bytes.stamp();
        bytes
    }

    /// All of them.
    pub fn vec(seed: u64, len: usize) -> Vec<u8> {
        let mut bytes = Bytes::new(seed, len as u64);
        let mut all = Vec::with_capacity(len);
        while all.len() < len {
            let piece = bytes.piece(len);
            let n = piece.len();
            all.extend_from_slice(piece);
            bytes.advance(n);
        }
        all
    }

    /// What comes next, within one block.
    fn piece(&self, most: usize) -> &[u8] {
        let from = (self.at % BLOCK as u64) as usize;
        let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let n = most.min(left).min(self.block.len() - from);
        &self.block[from..from + n]
    }

    fn advance(&mut self, n: usize) {
        self.at += n as u64;
        if n > 0 && self.at.is_multiple_of(BLOCK as u64) {
            self.stamp();
        }
    }

    fn stamp(&mut self) {
        let first = self.at / PAGE as u64;
        for (number, page) in (first..).zip(self.block.chunks_mut(PAGE)) {
            let word = (self.seed.rotate_left(32) ^ number).wrapping_mul(STAMP);
            let n = page.len().min(8);
            page[..n].copy_from_slice(&word.to_le_bytes()[..n]);
        }
    }
}

/// The seed of a stream, by its first eight bytes.
pub fn seed_of(bytes: &[u8]) -> Option<u64> {
    let stamp = u64::from_le_bytes(*bytes.first_chunk()?);
    // What the stamp was multiplied with, inverted modulo 2^64: each step doubles the bits that are right.
    let mut inverse = STAMP;
    for _ in 0..6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(STAMP.wrapping_mul(inverse)));
    }
    Some(stamp.wrapping_mul(inverse).rotate_right(32))
}

/// xorshift from a seed.
fn chance(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = vec![0; len];
    for word in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
    bytes
}

impl Read for Bytes {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let piece = self.piece(out.len());
        let n = piece.len();
        out[..n].copy_from_slice(piece);
        self.advance(n);
        Ok(n)
    }
}

/// Compares a stream with the bytes of a seed without keeping either; says how they differ.
///
/// # Errors
/// When the stream fails.
pub fn difference_of_stream(mut got: impl Read, seed: u64, len: u64) -> Result<Option<String>> {
    let mut wanted = Bytes::new(seed, len);
    let mut buffer = vec![0; BLOCK];
    let mut at = 0;
    loop {
        let n = got.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        let mut seen = &buffer[..n];
        while !seen.is_empty() {
            let piece = wanted.piece(seen.len());
            let same = piece.len();
            if same == 0 {
                return Ok(Some(format!("more than {len} bytes")));
            }
            if piece != &seen[..same] {
                let what = first_difference(&seen[..same], piece).unwrap_or_default();
                return Ok(Some(format!("behind {at}: {what}")));
            }
            wanted.advance(same);
            at += same as u64;
            seen = &seen[same..];
        }
    }
    Ok((at != len).then(|| format!("{at} bytes instead of {len}")))
}

/// Both must be the same; `what` is named where they are not.
///
/// # Errors
/// Where they differ first.
pub fn same(got: &[u8], wanted: &[u8], what: &str) -> anyhow::Result<()> {
    match first_difference(got, wanted) {
        Some(difference) => anyhow::bail!("{what}: {difference}"),
        None => Ok(()),
    }
}

/// Where two byte strings first differ, for a failure that can be read.
pub fn first_difference(got: &[u8], wanted: &[u8]) -> Option<String> {
    if got == wanted {
        return None;
    }
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
        let len = 2 * BLOCK + 777;
        let whole = Bytes::vec(7, len);
        let mut parts = Vec::new();
        let mut stream = Bytes::new(7, len as u64);
        let mut chunk = [0; 99_991];
        while let Ok(n @ 1..) = stream.read(&mut chunk) {
            parts.extend_from_slice(&chunk[..n]);
        }
        assert_eq!(first_difference(&parts, &whole), None);
        assert!(first_difference(&Bytes::vec(8, len), &whole).is_some());
        assert_eq!(Bytes::vec(7, 5), whole[..5]);
    }

    #[test]
    fn the_first_bytes_tell_the_seed() {
        for seed in [0, 7, u64::MAX, 0x0123_4567_89AB_CDEF] {
            assert_eq!(seed_of(&Bytes::vec(seed, 8)), Some(seed));
        }
        assert_eq!(seed_of(&Bytes::vec(7, 7)), None);
    }

    #[test]
    fn no_page_is_like_another_one() {
        let whole = Bytes::vec(7, 3 * BLOCK);
        let pages: std::collections::BTreeSet<_> = whole.chunks(PAGE).collect();
        assert_eq!(pages.len(), 3 * BLOCK / PAGE);
    }

    #[test]
    fn a_stream_that_is_cut_longer_or_changed_is_seen() {
        let len = BLOCK + 100;
        let whole = Bytes::vec(3, len);
        let differs = |bytes: &[u8]| difference_of_stream(bytes, 3, len as u64).unwrap();
        assert_eq!(differs(&whole), None);
        assert_eq!(
            differs(&whole[..len - 1]),
            Some(format!("{} bytes instead of {len}", len - 1))
        );
        assert!(differs(&[&whole[..], b"x"].concat()).is_some());
        let mut changed = whole;
        changed[BLOCK + 5] ^= 1;
        let said = differs(&changed).unwrap_or_default();
        assert!(said.contains("byte 5"), "{said}");
    }
}
