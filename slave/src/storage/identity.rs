//! The identity file of a root: what makes a folder a root, on whatever machine and path it is.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use drftpd_actors::Dice;
use drftpd_protocol::ids::RootId;
use serde::{Deserialize, Serialize};

use super::error::{Doing, StorageError};
use crate::sys::{beneath, entry};

/// The reserved folder of a root.
pub(super) const RESERVED: &[u8] = b".drftpd";
const IDENTITY: &[u8] = b"identity";
const IDENTITY_NEW: &[u8] = b"identity.new";
/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;
/// Longest identity file that is read.
const MAX_LENGTH: u64 = 4096;

#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    format: u32,
    root: RootId,
}

/// The identity of the root whose top is open; `None` if it has none.
pub(super) fn read(top: BorrowedFd<'_>, path: &Path) -> Result<Option<RootId>, StorageError> {
    let reserved = match beneath::open_entry(top, RESERVED, beneath::Open::Dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.doing("opening the reserved folder")?,
    };
    let file = match beneath::open_entry(reserved.as_fd(), IDENTITY, beneath::Open::Read) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => std::fs::File::from(opened.doing("opening the identity file")?),
    };
    let mut text = String::new();
    let read = file.take(MAX_LENGTH).read_to_string(&mut text);
    read.doing("reading the identity file")?;
    let damaged = |why: String| StorageError::BadIdentity {
        path: path.to_owned(),
        why,
    };
    let identity: Identity = toml::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    match identity.format {
        FORMAT => Ok(Some(identity.root)),
        newer => Err(damaged(format!("its format {newer} is not known here"))),
    }
}

/// Gives the folder an identity, unless it has one; answers the one it has then.
pub(super) fn ensure(path: &Path, dice: &Dice) -> Result<RootId, StorageError> {
    std::fs::create_dir_all(path).doing("making the folder of a root")?;
    let top = beneath::open_top(path).doing("opening the folder of a root")?;
    if let Some(root) = read(top.as_fd(), path)? {
        return Ok(root);
    }
    let mut bytes = [0; 16];
    dice.fill(&mut bytes);
    let root = RootId(bytes);
    match entry::make_private_dir(top.as_fd(), RESERVED) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => made.doing("making the reserved folder")?,
    }
    let reserved = beneath::open_entry(top.as_fd(), RESERVED, beneath::Open::Dir)
        .doing("opening the reserved folder")?;
    write(reserved.as_fd(), root).doing("writing the identity file")?;
    entry::sync(top.as_fd()).doing("making the identity durable")?;
    Ok(root)
}

fn write(reserved: BorrowedFd<'_>, root: RootId) -> std::io::Result<()> {
    let identity = Identity {
        format: FORMAT,
        root,
    };
    let text = toml::to_string(&identity).map_err(std::io::Error::other)?;
    let mut file = entry::create(reserved, IDENTITY_NEW, false)?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    entry::sync(file.as_fd())?;
    match entry::rename(reserved, IDENTITY_NEW, reserved, IDENTITY) {
        // Somebody else was quicker: theirs stands, and is read by whoever asks next.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            entry::unlink(reserved, IDENTITY_NEW)?;
            return Err(error);
        }
        renamed => renamed?,
    }
    entry::sync(reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gets_one_identity_and_keeps_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("new/root");
        let first = ensure(&path, &Dice::seeded(1)).expect("made");
        let second = ensure(&path, &Dice::seeded(2)).expect("found");
        assert_eq!(first, second);
        let top = beneath::open_top(&path).expect("open");
        assert_eq!(read(top.as_fd(), &path).expect("read"), Some(first));
    }

    #[test]
    fn a_damaged_or_newer_identity_is_an_error_and_not_an_empty_root() {
        let dir = tempfile::tempdir().expect("a folder");
        ensure(dir.path(), &Dice::seeded(1)).expect("made");
        let file = dir.path().join(".drftpd/identity");
        let top = beneath::open_top(dir.path()).expect("open");
        let newer = format!("format = 9\nroot = \"{}\"\n", RootId([1; 16]));
        for text in ["", "root = 5", newer.as_str()] {
            std::fs::write(&file, text).expect("written");
            let read = read(top.as_fd(), dir.path());
            assert!(matches!(read, Err(StorageError::BadIdentity { .. })));
        }
    }
}
