//! The trash of a root: what was set aside, kept for a time, and given up when space is needed.
//!
//! An entry is `<unix seconds>-<number>-<name>`, beside it `<unix seconds>-<number>.note` says
//! where it was and why it is here. The number alone would do; the rest is for people.

use std::collections::BinaryHeap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;

use super::error::{Doing, StorageError};
use super::live::Live;
use super::root::Root;
use crate::sys::entry;

/// Longest part of the name that is kept in the trash's name.
const MAX_NAME: usize = 200;
/// How many entries are looked at at a time when space is needed.
const SWEEP: usize = 4096;
/// How often another number is tried.
const TRIES: u32 = 1000;

/// What is written beside something in the trash.
pub(super) struct Note<'a> {
    /// Where it was, below the root.
    pub(super) path: &'a [u8],
    /// What it was, as far as it is known.
    pub(super) what: String,
    /// Why it is here.
    pub(super) why: &'a str,
}

impl Root {
    /// Moves the entry `name` of an open directory into the trash.
    pub(super) fn trash(
        &self,
        live: &Live,
        dir: BorrowedFd<'_>,
        name: &[u8],
        note: &Note<'_>,
    ) -> Result<(), StorageError> {
        let size = entry::look(dir, name).doing("looking at what is set aside")?;
        let size = size.map_or(0, |seen| seen.size);
        let now = self.0.clock.unix().max(0);
        for _ in 0..TRIES {
            let number = self.0.trash_number.fetch_add(1, Ordering::Relaxed);
            let stem = format!("{now}-{number}");
            if !write_note(live, &stem, note) {
                continue;
            }
            let mut target = format!("{stem}-").into_bytes();
            target.extend_from_slice(&name[..name.len().min(MAX_NAME)]);
            match entry::rename(dir, name, live.trash.as_fd(), &target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                moved => {
                    moved.doing("moving something into the trash")?;
                    self.0.trash_bytes.fetch_add(size, Ordering::Relaxed);
                    return Ok(());
                }
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists)).doing("naming something in the trash")
    }

    /// Removes what was set aside longer ago than it is kept, as of `now` (Unix seconds); says
    /// how many things.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn empty_trash(&self, now: i64) -> Result<u64, StorageError> {
        let live = self.writable()?;
        let keep = i64::try_from(self.0.policy.trash_keep.as_secs()).unwrap_or(i64::MAX);
        let before = now.saturating_sub(keep);
        let mut listing = entry::Listing::of(live.trash.as_fd()).doing("reading the trash")?;
        let mut removed = 0;
        while let Some(name) = listing.next_name().doing("reading the trash")? {
            if age(&name).is_some_and(|(set_aside, _)| set_aside <= before) {
                self.judge(self.remove(&live, &name))?;
                removed += u64::from(!is_note(&name));
            }
        }
        Ok(removed)
    }

    /// Gives up what lies longest in the trash until so many bytes are free, or all of it; says
    /// how many bytes that were.
    pub(super) fn make_room(&self, live: &Live, bytes: u64) -> u64 {
        let mut freed = 0;
        while freed < bytes {
            let before = freed;
            for name in oldest(live) {
                if freed >= bytes {
                    break;
                }
                match self.remove(live, &name) {
                    Ok(size) => freed += size,
                    Err(error) => tracing::warn!(root = %self.id(), %error, "trash stays"),
                }
            }
            if freed == before {
                break;
            }
        }
        if freed > 0 {
            tracing::info!(root = %self.id(), freed, "trash made room");
        }
        freed
    }

    /// Removes one entry of the trash and answers its size.
    fn remove(&self, live: &Live, name: &[u8]) -> Result<u64, StorageError> {
        let trash = live.trash.as_fd();
        let size = entry::look(trash, name).doing("looking into the trash")?;
        let size = size.map_or(0, |seen| seen.size);
        match entry::unlink(trash, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            removed => removed.doing("emptying the trash")?,
        }
        if is_note(name) {
            return Ok(0);
        }
        let bytes = &self.0.trash_bytes;
        let less = |sum: u64| Some(sum.saturating_sub(size));
        let _was = bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        Ok(size)
    }
}

/// Writes the note, which also claims the number; `false` if the number is taken. A disk that is
/// too full for a note gets none: moving on is worth more.
fn write_note(live: &Live, stem: &str, note: &Note<'_>) -> bool {
    let name = format!("{stem}.note");
    match entry::create(live.trash.as_fd(), name.as_bytes(), true) {
        Ok(mut file) => {
            let text = format!(
                "was: /{}\nis: {}\nwhy: {}\n",
                note.path.escape_ascii(),
                note.what,
                note.why
            );
            if let Err(error) = file.write_all(text.as_bytes()) {
                tracing::debug!(%error, "no note in the trash");
            }
            true
        }
        Err(error) => error.kind() != io::ErrorKind::AlreadyExists,
    }
}

/// When an entry was set aside, and its number; `None` for what is not ours.
fn age(name: &[u8]) -> Option<(i64, u64)> {
    let name = std::str::from_utf8(&name[..name.len().min(48)]).unwrap_or_else(|error| {
        std::str::from_utf8(&name[..error.valid_up_to()]).unwrap_or_default()
    });
    let (seconds, rest) = name.split_once('-')?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((seconds.parse().ok()?, number.parse().ok()?))
}

fn is_note(name: &[u8]) -> bool {
    let digits_end = name.iter().position(|&b| b == b'.');
    digits_end.is_some_and(|dot| {
        &name[dot..] == b".note" && name[..dot].iter().filter(|&&b| b == b'-').count() == 1
    })
}

/// The entries that lie longest in the trash, longest first; not more than [`SWEEP`].
fn oldest(live: &Live) -> Vec<Vec<u8>> {
    let mut heap = BinaryHeap::new();
    let Ok(mut listing) = entry::Listing::of(live.trash.as_fd()) else {
        return Vec::new();
    };
    while let Ok(Some(name)) = listing.next_name() {
        if let Some(age) = age(&name) {
            heap.push((age, name));
            if heap.len() > SWEEP {
                heap.pop();
            }
        }
    }
    let sorted = heap.into_sorted_vec().into_iter();
    sorted.map(|(_, name)| name).collect()
}

/// How many bytes lie in the trash.
pub(super) fn measure(live: &Live) -> u64 {
    let mut bytes = 0;
    if let Ok(mut listing) = entry::Listing::of(live.trash.as_fd()) {
        while let Ok(Some(name)) = listing.next_name() {
            if !is_note(&name)
                && let Ok(Some(seen)) = entry::look(live.trash.as_fd(), &name)
            {
                bytes += seen.size;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_the_trash_says_its_age_and_a_note_is_told_from_a_file() {
        assert_eq!(age(b"1700000000-12-name-with-1"), Some((1_700_000_000, 12)));
        assert_eq!(age(b"1700000000-3.note"), Some((1_700_000_000, 3)));
        assert_eq!(
            age("1700000000-4-\u{e4}".as_bytes()),
            Some((1_700_000_000, 4))
        );
        assert_eq!(age(b"1700000000-4-\xff\xfe"), Some((1_700_000_000, 4)));
        for other in [&b"hello"[..], b"x-1-y", b"", b"17-"] {
            assert_eq!(age(other), None, "{other:?}");
        }
        assert!(is_note(b"17-3.note") && !is_note(b"17-3-x.note") && !is_note(b"17-3-x"));
    }
}
