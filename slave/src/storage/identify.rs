//! Operations that give an identity to a file that was put there by hand.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use drftpd_protocol::ids::FileId;
use drftpd_protocol::wire::Place;

use super::error::{Doing, StorageError};
use super::live::Live;
use super::mark::{self, FileMark, Mark, Seen};
use super::tree::{Chain, Found, Work};
use crate::sys::{beneath, copy, entry};

/// Names of copies in staging that are being made begin so.
const COPY_PREFIX: &str = "copy-";

impl<'a> Work<'a> {
    /// A file without identity, or with an older one of the same node, gets one, if it still has that size.
    pub(super) fn identify(
        &mut self,
        file: FileId,
        at: &Place,
        size: u64,
    ) -> Result<(), StorageError> {
        self.adopt(file, at, size, true).map(drop)
    }

    /// A file without identity gets one and another place.
    pub(super) fn keep_beside(
        &mut self,
        file: FileId,
        from: &Place,
        to: &Place,
        size: u64,
    ) -> Result<(), StorageError> {
        if self.file_at(file, to)?.is_some() {
            return Ok(());
        }
        let Some(chain) = self.adopt(file, from, size, false)? else {
            return Ok(());
        };
        let names = |place: &'_ Place| -> Vec<_> {
            place.dirs.iter().map(|step| step.name.clone()).collect()
        };
        if names(from) == names(to) {
            self.take_over(&chain, &to.dirs)?;
        }
        self.place(chain.fd(), from.name.as_bytes(), file, to)?;
        self.prune(chain)
    }

    /// Marks the file at a place, after the directories if it `stays` there; `None` if it is not
    /// what was found there before.
    fn adopt(
        &mut self,
        file: FileId,
        at: &Place,
        size: u64,
        stays: bool,
    ) -> Result<Option<Chain<'a>>, StorageError> {
        let Some((chain, found)) = self.look(at)? else {
            self.remark(format!("the way to {} is not there", at.name));
            return Ok(None);
        };
        let name = at.name.as_bytes();
        match found {
            Found::File(_, seen) if seen.file().is_some_and(|mark| mark.file == file) => {
                return Ok(Some(chain));
            }
            Found::File(look, seen) if look.size == size && gives_way(seen, file) => {}
            _ => {
                self.remark(format!("{} is not what was found there before", at.name));
                return Ok(None);
            }
        }
        if stays {
            self.take_over(&chain, &at.dirs)?;
        }
        let marked = self.mark_file(chain.fd(), name, file, size)?;
        Ok(marked.then_some(chain))
    }

    fn mark_file(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        file: FileId,
        size: u64,
    ) -> Result<bool, StorageError> {
        let shown = name.escape_ascii();
        let opened = beneath::open_entry(dir, name, beneath::Open::Read);
        let opened = File::from(opened.doing("opening a file that was found")?);
        let look = entry::look_at(opened.as_fd()).doing("looking at a file that was found")?;
        if look.kind != entry::Kind::File || look.size != size {
            self.remark(format!("{shown} changed meanwhile"));
            return Ok(false);
        }
        let mark = Mark::File(FileMark {
            file,
            size,
            crc32: None,
            blake3: None,
            modified: self.root.marked_time(&look),
        });
        if look.links > 1 {
            self.mark_copy(dir, name, (&opened, look), (file, mark))?;
            return Ok(true);
        }
        match entry::while_writable(opened.as_fd(), || mark::write(opened.as_fd(), mark)) {
            Err(StorageError::Io { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                self.remark(format!("{shown} may not be written: it gets no identity"));
                return Ok(false);
            }
            marked => marked?,
        }
        self.touched(opened.as_fd())?;
        Ok(true)
    }

    /// The mark with the time that a copy has.
    fn timed(&self, mark: Mark, of: &File) -> Result<Mark, StorageError> {
        let look = entry::look_at(of.as_fd()).doing("looking at a copy")?;
        Ok(match mark {
            Mark::File(mark) => Mark::File(FileMark {
                modified: self.root.marked_time(&look),
                ..mark
            }),
            dir => dir,
        })
    }

    /// A file with several names would have one identity under all of them: this name gets a file
    /// of its own.
    fn mark_copy(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        (of, look): (&File, entry::Look),
        (file, mark): (FileId, Mark),
    ) -> Result<(), StorageError> {
        let temporary = format!("{COPY_PREFIX}{file}").into_bytes();
        let staging = self.staging();
        if entry::look(staging, &temporary)
            .doing("looking at staging")?
            .is_some()
        {
            entry::unlink(staging, &temporary).doing("removing an old copy")?;
        }
        let out = entry::create(staging, &temporary, true).doing("making a copy")?;
        copy::beginning(of, &out, look.size).doing("copying a file with several names")?;
        entry::set_modified(out.as_fd(), look.modified).doing("setting a copy's time")?;
        mark::write(out.as_fd(), self.timed(mark, &out)?)?;
        entry::sync(out.as_fd()).doing("making a copy durable")?;
        entry::replace(staging, &temporary, dir, name).doing("putting a copy in place")?;
        self.remark(format!(
            "{} had several names and is a file of its own now",
            name.escape_ascii()
        ));
        self.touched(dir)
    }
}

/// Whether what a file carries gives way to this identity.
fn gives_way(seen: Seen, file: FileId) -> bool {
    match seen {
        Seen::Nothing => true,
        Seen::Mark(Mark::File(old)) => {
            old.file.node == file.node && old.file.generation < file.generation
        }
        _ => false,
    }
}

/// Removes copies that were being made when the process ended.
pub(super) fn clean(live: &Live) {
    let Ok(mut listing) = entry::Listing::of(live.staging.as_fd()) else {
        return;
    };
    while let Ok(Some(name)) = listing.next_name() {
        if name.starts_with(COPY_PREFIX.as_bytes())
            && let Err(error) = entry::unlink(live.staging.as_fd(), &name)
        {
            tracing::warn!(%error, "an unfinished copy stays in staging");
        }
    }
}
