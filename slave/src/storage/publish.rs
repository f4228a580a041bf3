//! Operations on files that are at their end: publish, delete, set aside, set the time.

use std::io;
use std::os::fd::AsFd;

use drftpd_actors::failpoint;
use drftpd_protocol::ids::FileId;
use drftpd_protocol::wire::Place;

use super::error::{Doing, StorageError, is_barrier};
use super::mark::{self, FileMark, Mark};
use super::open::{is_prepared, path_of};
use super::staging::staged_name;
use super::trash::Note;
use super::tree::{Chain, Found, Work};
use crate::sys::{beneath, entry};

impl<'a> Work<'a> {
    /// Staged bytes go to their place. Bytes that are not complete stay: half a file is never
    /// published.
    pub(super) fn publish(&mut self, file: FileId, at: &Place) -> Result<(), StorageError> {
        if self.is_staged(file)? {
            failpoint("publish.before").doing("publishing a file")?;
            self.place(self.staging(), &staged_name(file), file, at)?;
            return failpoint("publish.after").doing("publishing a file");
        }
        if self.placed(file, at)?.is_none() {
            self.remark(format!("{file} is neither prepared nor at its place"));
        }
        Ok(())
    }

    /// Whether a complete file with this identity lies in staging.
    pub(super) fn is_staged(&self, file: FileId) -> Result<bool, StorageError> {
        let found = self.inspect(self.staging(), &staged_name(file))?;
        let size = match &found {
            Found::File(look, _) => look.size,
            _ => return Ok(false),
        };
        let mark = found.is_file(file);
        Ok(mark.is_some_and(|mark| is_prepared(&mark, file, size)))
    }

    /// Moves a file from an open directory to its place, and what stands there aside.
    pub(super) fn place(
        &mut self,
        from: std::os::fd::BorrowedFd<'_>,
        name: &[u8],
        file: FileId,
        at: &Place,
    ) -> Result<(), StorageError> {
        let chain = self.make(&at.dirs)?;
        self.clear_way(chain.fd(), at.name.as_bytes(), Some(file.node))?;
        failpoint("publish.cleared").doing("publishing a file")?;
        entry::rename(from, name, chain.fd(), at.name.as_bytes())
            .doing("moving a file to its place")?;
        self.touched(from)?;
        self.touched(chain.fd())
    }

    /// The way to a file with this identity at a place; `None` if it is not there. Something else
    /// there is remarked.
    pub(super) fn placed(
        &mut self,
        file: FileId,
        at: &Place,
    ) -> Result<Option<Chain<'a>>, StorageError> {
        let Some((chain, found)) = self.look(at)? else {
            return Ok(None);
        };
        if found.is_file(file).is_some() {
            return Ok(Some(chain));
        }
        if !matches!(found, Found::Nothing) {
            let name = &at.name;
            self.remark(format!("something else than {file} is at {name}"));
        }
        Ok(None)
    }

    /// A file's bytes go, wherever they are.
    pub(super) fn delete(&mut self, file: FileId, at: &Place) -> Result<(), StorageError> {
        if self.root.discard_in(self.live, file)? {
            self.touched(self.staging())?;
        }
        let Some(chain) = self.placed(file, at)? else {
            return Ok(());
        };
        if self.is_written_to(&chain, at)? {
            let note = Note {
                path: &path_of(at),
                what: file.to_string(),
                why: "somebody wrote to it before it was deleted",
            };
            self.throw(chain.fd(), at.name.as_bytes(), &note)?;
            return self.prune(chain);
        }
        match entry::unlink(chain.fd(), at.name.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.doing("deleting a file")?,
        }
        self.touched(chain.fd())?;
        self.prune(chain)
    }

    /// Whether somebody wrote to a file of a shared root since it was marked: nobody else has those bytes.
    fn is_written_to(&self, chain: &Chain<'_>, at: &Place) -> Result<bool, StorageError> {
        if self.root.shared().is_none() {
            return Ok(false);
        }
        let found = self.inspect(chain.fd(), at.name.as_bytes())?;
        Ok(
            matches!(found, Found::File(look, seen) if seen.file().is_some_and(|mark| mark.is_outdated(&look))),
        )
    }

    /// A file that the file list does not know any more goes to the trash. Staged bytes with its
    /// identity are not meant.
    pub(super) fn set_aside_file(&mut self, file: FileId, at: &Place) -> Result<(), StorageError> {
        let Some(chain) = self.placed(file, at)? else {
            return Ok(());
        };
        if self.is_written_to(&chain, at)? {
            self.remark(format!("somebody wrote to {}, it stays", at.name));
            return Ok(());
        }
        let note = Note {
            path: &path_of(at),
            what: file.to_string(),
            why: "not in the file list any more",
        };
        self.throw(chain.fd(), at.name.as_bytes(), &note)?;
        self.prune(chain)
    }

    /// Staged bytes of an upload that no file list has go to the trash. One that runs is not meant.
    pub(super) fn set_aside_staged(&mut self, file: FileId) -> Result<(), StorageError> {
        let name = staged_name(file);
        let there = self.inspect(self.staging(), &name)?;
        if matches!(there, Found::Nothing) || self.root.is_running(file) {
            return Ok(());
        }
        let path = [b".drftpd/staging/", name.as_slice()].concat();
        let note = Note {
            path: &path,
            what: format!("upload {file}"),
            why: "the file list has no upload with this identity",
        };
        self.throw(self.staging(), &name, &note)
    }

    /// A file has another time of modification.
    pub(super) fn set_time(
        &mut self,
        file: FileId,
        at: &Place,
        modified: i64,
    ) -> Result<(), StorageError> {
        let opened = match self.placed(file, at)? {
            Some(chain) => beneath::open_entry(chain.fd(), at.name.as_bytes(), beneath::Open::Read),
            None if self.is_staged(file)? => {
                beneath::open_entry(self.staging(), &staged_name(file), beneath::Open::Read)
            }
            None => {
                self.remark(format!("{file} is not there, its time was not set"));
                return Ok(());
            }
        };
        let fd = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_barrier(&error) => {
                self.remark(format!("{file} went away, its time was not set"));
                return Ok(());
            }
            opened => opened.doing("opening a file")?,
        };
        let before = entry::look_at(fd.as_fd()).doing("looking at a file")?;
        let mark = mark::read(fd.as_fd())?.file();
        entry::set_modified(fd.as_fd(), modified).doing("setting a time of modification")?;
        // One that somebody wrote to stays recognizable as that.
        if let Some(mark) =
            mark.filter(|mark| mark.modified.is_some() && !mark.is_outdated(&before))
        {
            let after = entry::look_at(fd.as_fd()).doing("looking at a file")?;
            let modified = Some(after.modified_nanos);
            mark::write(fd.as_fd(), Mark::File(FileMark { modified, ..mark }))?;
        }
        self.touched(fd.as_fd())
    }
}
