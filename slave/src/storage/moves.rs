//! Operations that move: files and directories get another place, directories go.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use drftpd_protocol::ids::{DirId, FileId};
use drftpd_protocol::wire::{DirStep, Place};
use rustix::io::Errno;

use super::aside::name_beside;
use super::error::{Doing, StorageError};
use super::mark;
use super::open::path_of;
use super::staging::staged_name;
use super::trash::Note;
use super::tree::{Chain, Work};
use crate::sys::{beneath, entry};

impl<'a> Work<'a> {
    /// A file has another place. One in both places is kept at the new one.
    pub(super) fn move_file(
        &mut self,
        file: FileId,
        from: &Place,
        to: &Place,
    ) -> Result<(), StorageError> {
        let arrived = self.file_at(file, to)?;
        if path_of(from) == path_of(to) {
            // Only the directories have other identities than they should.
            return arrived.map_or(Ok(()), |chain| self.take_over(&chain, &to.dirs));
        }
        let arrived = arrived.is_some();
        match self.file_at(file, from)? {
            Some(chain) if arrived => {
                let note = Note {
                    path: &path_of(from),
                    what: file.to_string(),
                    why: "a second copy of the same file",
                };
                self.throw(chain.fd(), from.name.as_bytes(), &note)?;
                self.remark(format!("{file} was there twice"));
                self.prune(chain)?;
            }
            Some(chain) => {
                self.place(chain.fd(), from.name.as_bytes(), file, to)?;
                self.prune(chain)?;
            }
            None if arrived => {}
            None if self.is_staged(file)? => {
                self.place(self.staging(), &staged_name(file), file, to)?;
            }
            None => self.remark(format!("{file} is not there")),
        }
        Ok(())
    }

    /// The way to a file with this identity at a place; other things there say nothing.
    pub(super) fn file_at(
        &mut self,
        file: FileId,
        at: &Place,
    ) -> Result<Option<Chain<'a>>, StorageError> {
        let seen = self.look(at)?;
        Ok(seen.and_then(|(chain, found)| found.is_file(file).map(|_| chain)))
    }

    /// A directory has another place, with all that is in it. One that is at both places becomes
    /// one: an older part of the log that was done again made it once more.
    pub(super) fn move_dir(
        &mut self,
        dir: DirId,
        from: &Place,
        to: &Place,
    ) -> Result<(), StorageError> {
        if path_of(from) == path_of(to) {
            // Only the directories above have other identities than they should.
            let above = self.find(&to.dirs)?;
            return above.map_or(Ok(()), |above| self.take_over(&above, &to.dirs));
        }
        let source = match self.dir_at(dir, to)? {
            Some((there, name)) if name == to.name.as_bytes() => {
                return match self.dir_at(dir, from)? {
                    Some(twice) => self.merge(twice, (there, name)),
                    None => Ok(()),
                };
            }
            Some(beside) => Some(beside),
            None => self.dir_at(dir, from)?,
        };
        let Some((chain, name)) = source else {
            self.remark(format!("directory {dir} is not there"));
            return Ok(());
        };
        if to.dirs.iter().any(|step| step.id == dir) {
            self.remark(format!("directory {dir} cannot go into itself"));
            return Ok(());
        }
        let target = self.make(&to.dirs)?;
        self.clear_way(target.fd(), to.name.as_bytes(), None)?;
        match entry::rename(chain.fd(), &name, target.fd(), to.name.as_bytes()) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                self.remark(format!("directory {dir} cannot go into itself"));
                return Ok(());
            }
            moved => moved.doing("moving a directory")?,
        }
        self.touched(chain.fd())?;
        self.touched(target.fd())?;
        self.prune(chain)
    }

    /// The way to the directory above a directory with this identity, and its name there: at the
    /// place, or set beside it.
    fn dir_at(
        &mut self,
        dir: DirId,
        at: &Place,
    ) -> Result<Option<(Chain<'a>, Vec<u8>)>, StorageError> {
        let Some((chain, found)) = self.look(at)? else {
            return Ok(None);
        };
        let name = at.name.as_bytes().to_vec();
        if found.is_dir(dir) {
            return Ok(Some((chain, name)));
        }
        let beside = name_beside(&name, Some(dir), 0);
        if !self.inspect(chain.fd(), &beside)?.is_dir(dir) {
            return Ok(None);
        }
        let step = DirStep {
            id: dir,
            name: at.name.clone(),
        };
        let back = self.bring_back(chain.fd(), &step)?;
        Ok(Some((chain, if back { name } else { beside })))
    }

    /// A directory is gone from the file list. One that is not empty stays, without identity:
    /// what is in it was put there by hand, or is still to be judged.
    pub(super) fn remove_dir(&mut self, dir: DirId, at: &Place) -> Result<(), StorageError> {
        let Some((chain, name)) = self.dir_at(dir, at)? else {
            return Ok(());
        };
        if entry::remove_dir(chain.fd(), &name).doing("removing a directory")? {
            self.touched(chain.fd())?;
            return self.prune(chain);
        }
        self.remark(format!("directory {dir} is not empty and stays"));
        self.forget_dir(chain.fd(), &name)
    }

    fn forget_dir(&mut self, above: BorrowedFd<'_>, name: &[u8]) -> Result<(), StorageError> {
        let fd = match beneath::open_entry(above, name, beneath::Open::Dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.doing("opening a directory")?,
        };
        mark::remove(fd.as_fd())?;
        self.touched(fd.as_fd())
    }
}
