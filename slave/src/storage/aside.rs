//! Moving aside what stands in the way.
//!
//! Nothing is overwritten, and nothing that the file list may still want is lost, also when a
//! part of the log is done a second time after a crash, out of step with what came later:
//!
//! * a complete file of another node goes back to staging, where a later publish, move or delete
//!   of it, or the next comparison with the file list, finds it;
//! * a directory with something in it stays beside its name as `NAME.aside-ID` and comes back by
//!   itself when an operation looks for it;
//! * everything else goes to the trash.

use std::io;
use std::os::fd::BorrowedFd;

use drftpd_protocol::ids::{DirId, FileId, NodeId};
use drftpd_protocol::path::MAX_NAME;
use drftpd_protocol::wire::DirStep;

use super::error::{Doing, StorageError};
use super::mark::Seen;
use super::open::is_prepared;
use super::staging::staged_name;
use super::trash::Note;
use super::tree::{Found, Work};
use crate::sys::entry;

/// How many names beside a name are tried.
const TRIES: u32 = 100;

impl Work<'_> {
    /// Moves whatever has this name aside; `comes` is the node of the file that goes there.
    pub(super) fn clear_way(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        comes: Option<NodeId>,
    ) -> Result<(), StorageError> {
        match self.inspect(dir, name)? {
            Found::Nothing => Ok(()),
            Found::Dir(seen) => self.set_beside(dir, name, seen.dir()),
            Found::File(look, seen) => match seen.file() {
                Some(mark)
                    if Some(mark.file.node) != comes
                        && is_prepared(&mark, mark.file, look.size) =>
                {
                    self.park(dir, name, mark.file)
                }
                Some(mark) => self.set_aside(dir, name, mark.file.to_string()),
                None => self.set_aside(dir, name, describe(seen).to_owned()),
            },
            Found::Other => self.set_aside(dir, name, "no plain file".to_owned()),
            Found::Mount => Err(StorageError::BadPlace {
                what: format!(
                    "{}: another filesystem is mounted there",
                    name.escape_ascii()
                ),
                source: None,
            }),
        }
    }

    /// A complete file goes back to staging; to the trash if its name is taken there.
    fn park(&mut self, dir: BorrowedFd<'_>, name: &[u8], file: FileId) -> Result<(), StorageError> {
        if self.root.is_running(file) {
            return self.set_aside(dir, name, file.to_string());
        }
        match entry::rename(dir, name, self.staging(), &staged_name(file)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.set_aside(dir, name, file.to_string())
            }
            moved => {
                moved.doing("moving a file back to staging")?;
                let name = name.escape_ascii();
                self.remark(format!("{file} stood at {name} and is in staging now"));
                self.touched(dir)?;
                self.touched(self.staging())
            }
        }
    }

    fn set_aside(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        what: String,
    ) -> Result<(), StorageError> {
        let shown = name.escape_ascii();
        self.remark(format!("{what} stood at {shown} and is in the trash now"));
        let note = Note {
            path: name,
            what,
            why: "stood in the way",
        };
        self.throw(dir, name, &note)
    }

    /// Moves something into the trash.
    pub(super) fn throw(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        note: &Note<'_>,
    ) -> Result<(), StorageError> {
        self.root.trash(self.live, dir, name, note)?;
        self.touched(dir)
    }

    fn set_beside(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        id: Option<DirId>,
    ) -> Result<(), StorageError> {
        if entry::remove_dir(dir, name).doing("removing an empty directory")? {
            return self.touched(dir);
        }
        for number in 0..TRIES {
            let beside = name_beside(name, id, number);
            match entry::rename(dir, name, dir, &beside) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                moved => {
                    moved.doing("moving a directory aside")?;
                    let (name, beside) = (name.escape_ascii(), beside.escape_ascii());
                    self.remark(format!("directory {name} stood in the way, {beside} now"));
                    return self.touched(dir);
                }
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists)).doing("moving a directory aside")
    }

    /// Gives a directory that was set beside its name back, if there is one; nothing has the name.
    pub(super) fn bring_back(
        &mut self,
        dir: BorrowedFd<'_>,
        step: &DirStep,
    ) -> Result<bool, StorageError> {
        let beside = name_beside(step.name.as_bytes(), Some(step.id), 0);
        if !self.inspect(dir, &beside)?.is_dir(step.id) {
            return Ok(false);
        }
        match entry::rename(dir, &beside, dir, step.name.as_bytes()) {
            Ok(()) => {
                self.touched(dir)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error).doing("bringing a directory back"),
        }
    }
}

fn describe(seen: Seen) -> &'static str {
    match seen {
        Seen::Newer(_) => "a file with an identity of a newer version",
        _ => "a file without identity",
    }
}

/// `NAME.aside-ID`, cut so that it is a name.
pub(super) fn name_beside(name: &[u8], id: Option<DirId>, number: u32) -> Vec<u8> {
    let id = id.map_or(0, |id| id.0);
    let end = match number {
        0 => format!(".aside-{id}"),
        number => format!(".aside-{id}-{number}"),
    };
    let mut beside = name[..name.len().min(MAX_NAME - end.len())].to_vec();
    beside.extend_from_slice(end.as_bytes());
    beside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beside_is_a_name_however_long_the_name_is() {
        assert_eq!(name_beside(b"a", Some(NodeId(12)), 0), b"a.aside-12");
        assert_eq!(name_beside(b"a", None, 3), b"a.aside-0-3");
        let long = name_beside(&[b'x'; 255], Some(NodeId(u64::MAX)), 99);
        assert_eq!(long.len(), MAX_NAME);
    }
}
