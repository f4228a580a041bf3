//! What one copy adds to the digest of its directory: both ends of a remerge must say the same.

use crate::ids::FileId;

/// The digest of one file with this name: the first 16 bytes, little-endian, of BLAKE3 over the length of the name, the
/// name, node, generation and size, each number as 8 bytes, little-endian. A directory's digest is the sum of those of
/// the files in it, modulo 2^128.
pub fn digest(name: &[u8], file: FileId, size: u64) -> u128 {
    let mut hash = blake3::Hasher::new();
    let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
    hash.update(&length.to_le_bytes());
    hash.update(name);
    for number in [file.node.0, file.generation.0, size] {
        hash.update(&number.to_le_bytes());
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    u128::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Generation, NodeId};

    #[test]
    fn a_digest_is_the_same_for_ever_and_of_everything_it_is_of() {
        let file = |node, generation| FileId {
            node: NodeId(node),
            generation: Generation(generation),
        };
        let one = digest(b"a", file(5, 1), 9);
        assert_eq!(one, ONE);
        let others = [
            digest(b"b", file(5, 1), 9),
            digest(b"a", file(6, 1), 9),
            digest(b"a", file(5, 2), 9),
            digest(b"a", file(5, 1), 8),
        ];
        assert!(!others.contains(&one));
    }

    /// What older builds have in their stores.
    const ONE: u128 = 82_231_034_158_237_135_792_791_390_582_742_226_183;
}
