//! Taking identities away: of what another program copied with its attributes.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use drftpd_protocol::path::MAX_DEPTH;
use drftpd_protocol::wire::{Moved, Place};

use super::error::{Doing, StorageError, is_barrier};
use super::mark::{self, Seen};
use super::tree::{Found, Work};
use crate::sys::beneath;
use crate::sys::entry::{self, Kind, Listing};

impl Work<'_> {
    /// What lies at a place with this identity carries none any more, and nothing below it does.
    pub(super) fn disown(&mut self, what: Moved, at: &Place) -> Result<(), StorageError> {
        let Some((chain, found)) = self.look(at)? else {
            return Ok(());
        };
        let name = at.name.as_bytes();
        match what {
            Moved::File(file) if found.is_file(file).is_some() => {
                let opened = beneath::open_entry(chain.fd(), name, beneath::Open::Read);
                match opened {
                    Err(error) if is_gone(&error) => Ok(()),
                    opened => self.disown_one(&opened.doing("opening a copy")?),
                }
            }
            Moved::Dir(dir) if found.is_dir(dir) => {
                let opened = beneath::open_entry(chain.fd(), name, beneath::Open::Dir);
                match opened {
                    Err(error) if is_gone(&error) => Ok(()),
                    opened => {
                        self.disown_all(opened.doing("opening a copied directory")?, at.dirs.len())
                    }
                }
            }
            _ => {
                if !matches!(
                    found,
                    Found::Nothing | Found::File(_, Seen::Nothing) | Found::Dir(Seen::Nothing)
                ) {
                    self.remark(format!("{} is not what was found there before", at.name));
                }
                Ok(())
            }
        }
    }

    /// All below a directory, then the directory itself: what broke off is done again.
    fn disown_all(&mut self, dir: OwnedFd, deep: usize) -> Result<(), StorageError> {
        let mut listing = Listing::of(dir.as_fd()).doing("reading a copied directory")?;
        while let Some(name) = listing.next_name().doing("reading a copied directory")? {
            let look = entry::look(dir.as_fd(), &name).doing("looking at a copy")?;
            let Some(look) = look.filter(|look| look.device == self.live.device) else {
                continue;
            };
            let how = match look.kind {
                Kind::File => beneath::Open::Read,
                Kind::Dir if deep < MAX_DEPTH => beneath::Open::Dir,
                Kind::Dir | Kind::Other => continue,
            };
            match beneath::open_entry(dir.as_fd(), &name, how) {
                Err(error) if is_gone(&error) => {}
                opened if look.kind == Kind::Dir => {
                    self.disown_all(opened.doing("opening a copy")?, deep + 1)?;
                }
                opened => self.disown_one(&opened.doing("opening a copy")?)?,
            }
        }
        self.disown_one(&dir)
    }

    fn disown_one(&mut self, fd: &OwnedFd) -> Result<(), StorageError> {
        if matches!(mark::read(fd.as_fd())?, Seen::Nothing) {
            return Ok(());
        }
        entry::while_writable(fd.as_fd(), || mark::remove(fd.as_fd()))?;
        self.touched(fd.as_fd())
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || is_barrier(error)
}
