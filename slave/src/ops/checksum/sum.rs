//! The checksum methods behind one face, pure.

use drftpd_protocol::wire::Algorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// A checksum that grows.
pub(in crate::ops) enum Sum {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Blake3(Box<blake3::Hasher>),
}

impl Sum {
    /// Of nothing yet.
    pub(in crate::ops) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Sum::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => Sum::Md5(Md5::new()),
            Algorithm::Sha1 => Sum::Sha1(Sha1::new()),
            Algorithm::Sha256 => Sum::Sha256(Sha256::new()),
            Algorithm::Sha512 => Sum::Sha512(Sha512::new()),
            Algorithm::Blake3 => Sum::Blake3(Box::new(blake3::Hasher::new())),
        }
    }

    /// More bytes.
    pub(in crate::ops) fn update(&mut self, bytes: &[u8]) {
        match self {
            Sum::Crc32(sum) => sum.update(bytes),
            Sum::Md5(sum) => sum.update(bytes),
            Sum::Sha1(sum) => sum.update(bytes),
            Sum::Sha256(sum) => sum.update(bytes),
            Sum::Sha512(sum) => sum.update(bytes),
            Sum::Blake3(sum) => drop(sum.update(bytes)),
        }
    }

    /// The checksum in the usual order of its bytes; CRC-32 big-endian.
    pub(in crate::ops) fn finish(self) -> Vec<u8> {
        match self {
            Sum::Crc32(sum) => sum.finalize().to_be_bytes().to_vec(),
            Sum::Md5(sum) => sum.finalize().to_vec(),
            Sum::Sha1(sum) => sum.finalize().to_vec(),
            Sum::Sha256(sum) => sum.finalize().to_vec(),
            Sum::Sha512(sum) => sum.finalize().to_vec(),
            Sum::Blake3(sum) => sum.finalize().as_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(algorithm: Algorithm) -> String {
        let mut sum = Sum::new(algorithm);
        sum.update(b"1234");
        sum.update(b"56789");
        sum.finish()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn every_method_gives_its_known_checksum() {
        assert_eq!(hex(Algorithm::Crc32), "cbf43926");
        assert_eq!(hex(Algorithm::Md5), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(
            hex(Algorithm::Sha1),
            "f7c3bc1d808e04732adf679965ccc34ca7ae3441"
        );
        assert_eq!(
            hex(Algorithm::Sha256),
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
        );
        assert!(hex(Algorithm::Sha512).starts_with("d9e6762dd1c8eaf6d61b3c6192fc408d"));
        assert_eq!(hex(Algorithm::Sha512).len(), 128);
        assert_eq!(
            hex(Algorithm::Blake3),
            blake3::hash(b"123456789").to_hex().as_str()
        );
    }
}
