//! What lies in the staging folder, page by page.

use std::io;
use std::os::fd::AsFd;

use drftpd_protocol::ids::FileId;
use drftpd_protocol::wire::{StagedEntry, WalkPage, WalkStaged};

use super::Walk;
use crate::storage::mark;
use crate::storage::open::is_prepared;
use crate::sys::entry::{self, Kind, Listing};

impl Walk {
    pub(super) fn staged_page(&mut self, mut listing: Listing) -> WalkStaged {
        let mut files = Vec::new();
        let mut read = 0;
        while read < WalkPage::MAX {
            match listing.next_name() {
                Ok(Some(name)) => {
                    read += 1;
                    files.extend(self.staged_entry(&name));
                }
                Ok(None) => {
                    return self.staged_done(files, None);
                }
                Err(error) => {
                    self.incomplete(b".drftpd/staging", &error.to_string());
                    return self.staged_done(files, None);
                }
            }
        }
        self.staged_done(files, Some(listing))
    }

    fn staged_done(&mut self, files: Vec<StagedEntry>, more: Option<Listing>) -> WalkStaged {
        self.staged = more;
        WalkStaged {
            root: self.root.id(),
            walk: self.number,
            files,
        }
    }

    fn staged_entry(&mut self, name: &[u8]) -> Option<StagedEntry> {
        let file: FileId = std::str::from_utf8(name).ok()?.parse().ok()?;
        if self.root.is_running(file) {
            self.running.insert(file);
        }
        if self.running.contains(&file) {
            return None;
        }
        let look = match entry::look(self.live.staging.as_fd(), name) {
            Ok(look) => look?,
            Err(error) => {
                self.incomplete(name, &error.to_string());
                return None;
            }
        };
        let staging = self.live.staging.as_fd();
        if look.kind != Kind::File {
            return None;
        }
        let mark = match mark::read_entry(staging, name) {
            Ok(seen) => seen.file(),
            // Published or deleted since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.incomplete(name, &error.to_string());
                return None;
            }
        };
        let prepared = mark.filter(|mark| is_prepared(mark, file, look.size));
        Some(StagedEntry {
            file,
            size: look.size,
            prepared: prepared.and_then(|mark| mark.crc32),
        })
    }
}
