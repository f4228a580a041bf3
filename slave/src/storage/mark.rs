//! Marks: the identity that a file or directory carries in its extended attribute.
//!
//! The value is compact and has a version in front: a byte for the version, a byte for the kind,
//! then numbers, big-endian. A file's mark is its node, generation, size and, if they are known,
//! CRC-32 and BLAKE3; a directory's is its node. A mark with BLAKE3 is of version 2: whoever knows
//! only version 1 leaves it alone. It fits into an inode of 256 bytes, which a second attribute would
//! not. On shared roots a file's mark ends with its time of modification, by which it is seen that
//! somebody wrote to it since: that is version 3.

use std::io;
use std::os::fd::BorrowedFd;

use drftpd_protocol::ids::{DirId, FileId, Generation, NodeId};
use drftpd_protocol::wire::Blake3Sum;

use super::error::{Doing, StorageError};
use crate::sys::attribute;
use crate::sys::entry::Look;

/// The attribute's name.
pub(super) const ATTRIBUTE: &str = "user.drftpd";
/// The version that is written: the oldest one that can say it.
const VERSION: u8 = 1;
/// The version of a file's mark with BLAKE3.
const WITH_BLAKE3: u8 = 2;
/// The version of one that ends with a time, with BLAKE3 or without.
const TIMED: u8 = 3;
const FILE: u8 = b'f';
const DIR: u8 = b'd';

/// What a file or directory says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A file.
    File(FileMark),
    /// A directory.
    Dir(DirId),
}

/// A complete file's identity, and what it looked like when it was marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMark {
    /// Its identity.
    pub file: FileId,
    /// Its size then.
    pub size: u64,
    /// Its CRC-32 then, if it was known.
    pub crc32: Option<u32>,
    /// Its BLAKE3 then, if that was known too.
    pub blake3: Option<Blake3Sum>,
    /// Its time of modification then, nanoseconds since 1970; on shared roots only.
    pub modified: Option<i64>,
}

impl FileMark {
    /// Whether a file that looks so was written to since it was marked.
    pub fn is_outdated(&self, look: &Look) -> bool {
        let moved = self
            .modified
            .is_some_and(|then| then != look.modified_nanos);
        self.size != look.size || moved
    }
}

/// What was found where a mark may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// No mark, or something that never was one.
    Nothing,
    /// A mark.
    Mark(Mark),
    /// A mark of a newer version: not ours to judge.
    Newer(u8),
}

impl Seen {
    pub(super) fn file(self) -> Option<FileMark> {
        match self {
            Seen::Mark(Mark::File(mark)) => Some(mark),
            _ => None,
        }
    }

    pub(super) fn dir(self) -> Option<DirId> {
        match self {
            Seen::Mark(Mark::Dir(id)) => Some(id),
            _ => None,
        }
    }
}

impl Mark {
    fn encode(self) -> Vec<u8> {
        let mut value = vec![VERSION];
        match self {
            Mark::File(mark) => {
                value.push(FILE);
                value.extend(mark.file.node.0.to_be_bytes());
                value.extend(mark.file.generation.0.to_be_bytes());
                value.extend(mark.size.to_be_bytes());
                value.extend(mark.crc32.iter().flat_map(|crc| crc.to_be_bytes()));
                if let Some(blake3) = mark.blake3.filter(|_| mark.crc32.is_some()) {
                    value[0] = WITH_BLAKE3;
                    value.extend(blake3.0);
                }
                if let Some(modified) = mark.modified {
                    value[0] = TIMED;
                    value.extend(modified.to_be_bytes());
                }
            }
            Mark::Dir(id) => {
                value.push(DIR);
                value.extend(id.0.to_be_bytes());
            }
        }
        value
    }
}

fn decode(value: &[u8]) -> Seen {
    let mark = match value {
        [version, ..] if *version > TIMED => return Seen::Newer(*version),
        [VERSION | WITH_BLAKE3, FILE, rest @ ..] => file(rest).map(Mark::File),
        [TIMED, FILE, rest @ ..] => timed(rest).map(Mark::File),
        [VERSION, DIR, rest @ ..] => <[u8; 8]>::try_from(rest)
            .ok()
            .map(|id| Mark::Dir(NodeId(u64::from_be_bytes(id)))),
        _ => None,
    };
    mark.map_or(Seen::Nothing, Seen::Mark)
}

fn file(value: &[u8]) -> Option<FileMark> {
    let (node, rest) = value.split_first_chunk::<8>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (crc32, blake3) = match rest {
        [] => (None, None),
        rest => {
            let (crc, rest) = rest.split_first_chunk::<4>()?;
            let blake3 = match rest {
                [] => None,
                sum => Some(Blake3Sum(sum.try_into().ok()?)),
            };
            (Some(u32::from_be_bytes(*crc)), blake3)
        }
    };
    Some(FileMark {
        file: FileId {
            node: NodeId(u64::from_be_bytes(*node)),
            generation: Generation(u64::from_be_bytes(*generation)),
        },
        size: u64::from_be_bytes(*size),
        crc32,
        blake3,
        modified: None,
    })
}

fn timed(value: &[u8]) -> Option<FileMark> {
    let (rest, modified) = value.split_last_chunk::<8>()?;
    Some(FileMark {
        modified: Some(i64::from_be_bytes(*modified)),
        ..file(rest)?
    })
}

/// The mark of something open.
pub(super) fn read(fd: BorrowedFd<'_>) -> Result<Seen, StorageError> {
    seen(attribute::read(fd, ATTRIBUTE)).doing("reading an identity")
}

/// The mark of an entry of a directory.
pub(super) fn read_entry(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Seen> {
    seen(attribute::read_entry(dir, name, ATTRIBUTE))
}

fn seen(read: io::Result<Option<Vec<u8>>>) -> io::Result<Seen> {
    match read {
        Ok(value) => Ok(value.map_or(Seen::Nothing, |value| decode(&value))),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::RANGE.raw_os_error()) => {
            Ok(Seen::Nothing) // far too long to be ours
        }
        Err(error) => Err(error),
    }
}

/// Marks something open.
pub(super) fn write(fd: BorrowedFd<'_>, mark: Mark) -> Result<(), StorageError> {
    attribute::write(fd, ATTRIBUTE, &mark.encode()).doing("writing an identity")
}

/// Takes the mark of something open away.
pub(super) fn remove(fd: BorrowedFd<'_>) -> Result<(), StorageError> {
    attribute::remove(fd, ATTRIBUTE).doing("removing an identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_from_its_bytes() {
        let file = FileId {
            node: NodeId(u64::MAX >> 1),
            generation: Generation(3),
        };
        for mark in [
            Mark::Dir(NodeId(7)),
            Mark::File(FileMark {
                file,
                size: 1 << 40,
                crc32: Some(0xDEAD_BEEF),
                blake3: None,
                modified: None,
            }),
            Mark::File(FileMark {
                file,
                size: 1 << 40,
                crc32: Some(0xDEAD_BEEF),
                blake3: Some(Blake3Sum([7; 32])),
                modified: None,
            }),
            Mark::File(FileMark {
                file,
                size: 7,
                crc32: None,
                blake3: None,
                modified: Some(-1),
            }),
            Mark::File(FileMark {
                file,
                size: 7,
                crc32: Some(1),
                blake3: None,
                modified: Some(1_800_000_000_123_456_789),
            }),
            Mark::File(FileMark {
                file,
                size: 7,
                crc32: Some(1),
                blake3: Some(Blake3Sum([7; 32])),
                modified: Some(1_800_000_000_123_456_789),
            }),
            Mark::File(FileMark {
                file,
                size: 0,
                crc32: None,
                blake3: None,
                modified: None,
            }),
        ] {
            assert_eq!(decode(&mark.encode()), Seen::Mark(mark));
        }
    }

    #[test]
    fn what_is_no_mark_is_nothing_and_what_is_newer_is_left_alone() {
        let whole = Mark::Dir(NodeId(7)).encode();
        for bad in [&b""[..], b"\x00", b"hello", b"\x01x", &whole[..5]] {
            assert!(!matches!(decode(bad), Seen::Mark(_)), "{bad:?}");
        }
        assert_eq!(decode(&whole[..5]), Seen::Nothing);
        assert_eq!(decode(b"\x03?"), Seen::Nothing);
        assert_eq!(decode(b"\x04?"), Seen::Newer(4));
        assert_eq!(whole[0], 1, "older programs read it");
    }
}
