//! One directory that is there twice becomes one.
//!
//! That happens when an older part of the log is done again: it makes a directory anew that has
//! another place by now. What is in it belongs into the one that stays.

use std::os::fd::{AsFd, BorrowedFd};

use drftpd_protocol::path::MAX_DEPTH;
use rustix::io::Errno;

use super::error::{Doing, StorageError};
use super::trash::Note;
use super::tree::{Chain, Found, Work};
use crate::sys::{beneath, entry};

impl Work<'_> {
    /// What is in one directory goes into another, which has the same identity.
    pub(super) fn merge(
        &mut self,
        (above, name): (Chain<'_>, Vec<u8>),
        (to_above, to_name): (Chain<'_>, Vec<u8>),
    ) -> Result<(), StorageError> {
        let open = |above: &Chain<'_>, name: &[u8]| {
            beneath::open_entry(above.fd(), name, beneath::Open::Dir).doing("opening a directory")
        };
        let (from, to) = (open(&above, &name)?, open(&to_above, &to_name)?);
        self.merge_entries(from.as_fd(), to.as_fd(), 0)?;
        if entry::remove_dir(above.fd(), &name).doing("removing an empty directory")? {
            self.touched(above.fd())?;
            self.prune(above)?;
        }
        Ok(())
    }

    fn merge_entries(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        depth: usize,
    ) -> Result<(), StorageError> {
        let mut listing = entry::Listing::of(from).doing("reading a directory")?;
        while let Some(name) = listing.next_name().doing("reading a directory")? {
            let here = self.inspect(from, &name)?;
            let there = self.inspect(to, &name)?;
            match (&here, &there) {
                (Found::Dir(seen), Found::Dir(other))
                    if seen.dir().is_some() && seen == other && depth < MAX_DEPTH =>
                {
                    let open = |dir: BorrowedFd<'_>| {
                        beneath::open_entry(dir, &name, beneath::Open::Dir)
                            .doing("opening a directory")
                    };
                    self.merge_entries(open(from)?.as_fd(), open(to)?.as_fd(), depth + 1)?;
                    entry::remove_dir(from, &name).doing("removing an empty directory")?;
                }
                (Found::File(_, seen), Found::File(_, other))
                    if seen.file().is_some_and(|mark| {
                        other.file().is_some_and(|other| other.file == mark.file)
                    }) =>
                {
                    let note = Note {
                        path: &name,
                        what: "a file".to_owned(),
                        why: "a second copy of the same file",
                    };
                    self.throw(from, &name, &note)?;
                }
                (Found::Nothing, _) => {}
                _ => {
                    let node = match here {
                        Found::File(_, seen) => seen.file().map(|mark| mark.file.node),
                        _ => None,
                    };
                    self.clear_way(to, &name, node)?;
                    self.into(from, &name, to)?;
                }
            }
        }
        self.touched(from)?;
        self.touched(to)
    }

    fn into(
        &mut self,
        from: BorrowedFd<'_>,
        name: &[u8],
        to: BorrowedFd<'_>,
    ) -> Result<(), StorageError> {
        match entry::rename(from, name, to, name) {
            // The other one lies in it: it stays until a walk has it put in order.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                self.remark(format!("{} cannot go into itself", name.escape_ascii()));
                Ok(())
            }
            moved => moved.doing("moving into a directory"),
        }
    }
}
