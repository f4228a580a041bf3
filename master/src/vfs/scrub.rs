//! Reading copies again: which are to be read, what they should be, and what was found.

use drftpd_protocol::wire::{Blake3Sum, Place};
use drftpd_protocol::{FileId, NodeId, OpSeq, RootId, VfsPath};

use super::error::VfsError;
use super::tree::log::RootRow;
use super::tree::{copies, log, nodes, walk};
use super::types::{Entry, FileState, Kind};
use crate::store::{Sql, StoreError};

/// A pass over the copies of a root. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The root.
    pub root: RootId,
    /// The directory or file it is about; the root directory: everything.
    pub below: NodeId,
    /// Whether it is under way.
    pub runs: bool,
    /// When the last one began; of a root that had none, since when it is known.
    pub began: i64,
    /// When the last one came to its end.
    pub ended: Option<i64>,
    /// The last file that was read.
    pub at: NodeId,
    /// Copies that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that were found to be damaged.
    pub damaged: u64,
}

/// What passes are to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Of all roots.
    Everything,
    /// Of one.
    Root(RootId),
    /// Of every root that has something of it: a file, or a directory with all below it.
    Below(VfsPath),
}

/// A copy as it lies on a root, and what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its identity.
    pub file: FileId,
    /// Its path.
    pub path: VfsPath,
    /// Where it is below the root.
    pub at: Place,
    /// Not before the root's log is applied up to here.
    pub after: OpSeq,
    /// It was found to be damaged before.
    pub damaged: bool,
    /// What it should add up to.
    pub should: Sums,
}

/// What a file adds up to; what of it is not known is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Bytes.
    pub size: u64,
    /// CRC-32.
    pub crc32: Option<u32>,
    /// BLAKE3.
    pub blake3: Option<Blake3Sum>,
}

/// Some copies of a root.
#[derive(Debug, Clone)]
pub struct CopiesPage {
    /// Those that are to be read.
    pub copies: Vec<Stored>,
    /// The last one that was looked at; `None` at the end.
    pub last: Option<NodeId>,
}

/// What reading a copy came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// All of it was read.
    Sums(Sums),
    /// The disk did not give it.
    Unreadable(String),
}

/// A copy that was found to be damaged just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The file.
    pub path: VfsPath,
    /// What is wrong with it.
    pub why: String,
    /// Whether there is a good copy to repair it from.
    pub good_elsewhere: bool,
}

/// Something that was found once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Later ones have greater numbers.
    pub id: u64,
    /// The root.
    pub root: RootId,
    /// The slave that last showed it.
    pub slave: String,
    /// The file.
    pub file: FileId,
    /// When it was found.
    pub since: i64,
    /// Where the file was then, for people.
    pub path: String,
    /// What was wrong.
    pub why: String,
    /// What has become of it.
    pub now: Found,
}

/// What has become of a copy that was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is damaged, and nobody has good bytes.
    Damaged,
    /// It is to be repaired from another copy.
    Repairing,
    /// It is good again.
    Repaired,
    /// The file was deleted or overwritten, or the copy is not there any more.
    Gone,
}

impl Sums {
    /// Of a file as the file list has it.
    pub fn of(entry: &Entry) -> Self {
        Self {
            size: entry.size,
            crc32: entry.crc32,
            blake3: entry.blake3,
        }
    }

    /// What is wrong with bytes that come to `read`, for people; what is not known of one of both is no difference.
    pub fn wrong(&self, read: &Sums) -> Option<String> {
        if self.size != read.size {
            return Some(format!("{} bytes instead of {}", read.size, self.size));
        }
        if let Some((should, is)) = self.crc32.zip(read.crc32)
            && should != is
        {
            return Some(format!("CRC-32 {is:08x} instead of {should:08x}"));
        }
        let (should, is) = self.blake3.zip(read.blake3)?;
        (should != is).then(|| format!("BLAKE3 {is} instead of {should}"))
    }
}

impl Stored {
    /// What is wrong with it, by what was read.
    pub fn wrong(&self, reading: &Reading) -> Option<String> {
        match reading {
            Reading::Sums(read) => self.should.wrong(read),
            Reading::Unreadable(why) => Some(why.clone()),
        }
    }
}

/// A root's copies behind `after`; of those at and below one entry only, where it is not the root.
pub(super) fn copies_behind(
    sql: &Sql<'_>,
    root: RootId,
    (below, after): (NodeId, NodeId),
    limit: usize,
) -> Result<CopiesPage, VfsError> {
    let root = log::root(sql, root)?.ok_or(VfsError::UnknownRoot(root))?;
    let one = nodes::by_id(sql, below)?.is_some_and(|entry| entry.kind != Kind::Dir);
    let nodes = match one {
        true => Some(below)
            .filter(|file| *file > after)
            .into_iter()
            .collect(),
        false => copies::behind(sql, root.key, after, limit)?,
    };
    let last = nodes.last().copied();
    let mut found = Vec::new();
    for node in nodes {
        let stored = stored(sql, &root, node)?;
        let here = |stored: &Stored| {
            let above = stored.at.dirs.iter().map(|step| step.id);
            below == NodeId::ROOT || one || above.into_iter().any(|dir| dir == below)
        };
        found.extend(stored.filter(here));
    }
    Ok(CopiesPage {
        copies: found,
        last,
    })
}

/// A copy as it lies on a root now; nothing if there is none that could be read.
pub(super) fn stored_copy(
    sql: &Sql<'_>,
    root: RootId,
    node: NodeId,
) -> Result<Option<Stored>, VfsError> {
    match log::root(sql, root)? {
        Some(root) => stored(sql, &root, node),
        None => Ok(None),
    }
}

fn stored(sql: &Sql<'_>, root: &RootRow, node: NodeId) -> Result<Option<Stored>, VfsError> {
    let entry = nodes::by_id(sql, node)?;
    let complete = |entry: &Entry| entry.kind == Kind::File && entry.state == FileState::Complete;
    let Some(entry) = entry.filter(complete) else {
        return Ok(None);
    };
    let damaged = copies::is_damaged(sql, node, root.key)?;
    if !damaged && copies::held(sql, node, root.key)? != Some(true) {
        return Ok(None);
    }
    Ok(Some(Stored {
        file: entry.file(),
        path: walk::path_of(sql, node)?,
        at: walk::place_of(sql, &entry)?,
        after: root.pending(),
        damaged,
        should: Sums::of(&entry),
    }))
}

/// Whether an operator has paused all reading.
pub(super) fn is_paused(sql: &Sql<'_>) -> Result<bool, StoreError> {
    let query = "SELECT 1 FROM meta WHERE key = 'scrub_paused'";
    Ok(sql.get(query, [], |_| Ok(()))?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_no_difference_and_everything_else_is_said() {
        let sums = |size, crc32| Sums {
            size,
            crc32,
            blake3: None,
        };
        let known = sums(10, Some(0xCBF4_3926));
        assert_eq!(known.wrong(&known), None);
        assert_eq!(sums(10, None).wrong(&known), None);
        assert_eq!(known.wrong(&sums(10, None)), None);
        let longer = known.wrong(&sums(11, None)).unwrap();
        assert_eq!(longer, "11 bytes instead of 10");
        let other = known.wrong(&sums(10, Some(0xF))).unwrap();
        assert_eq!(other, "CRC-32 0000000f instead of cbf43926");
        let blake3 = |byte| Sums {
            blake3: Some(Blake3Sum([byte; 32])),
            ..known
        };
        assert_eq!(known.wrong(&blake3(1)), None);
        assert_eq!(blake3(1).wrong(&known), None);
        let other = blake3(0xAB).wrong(&blake3(0xCD)).unwrap();
        assert!(other.starts_with("BLAKE3 cdcdcd"), "{other}");
        assert!(other.ends_with("abab"), "{other}");
    }
}
