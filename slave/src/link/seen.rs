//! The highest epoch that this slave ever saw, and of which store: kept in a small file, so that
//! a master that was replaced cannot come back and be obeyed.
//!
//! The file is one line: the epoch, a blank, the store.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use drftpd_protocol::{Epoch, StoreId};

/// The highest epoch, with its store.
pub type Seen = (Epoch, StoreId);

/// Why a master is not obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// It was replaced.
    #[error("the master's epoch {epoch} is below {seen}, which another one had: it was replaced")]
    Lower {
        /// Its epoch.
        epoch: Epoch,
        /// The highest one.
        seen: Epoch,
    },
    /// Two masters claim the same epoch.
    #[error("the master has store {store}, but epoch {epoch} belongs to store {seen}")]
    OtherStore {
        /// The epoch of both.
        epoch: Epoch,
        /// Its store.
        store: StoreId,
        /// The store that had this epoch first.
        seen: StoreId,
    },
}

/// Judges a master's epoch and store against the highest that was seen.
///
/// # Errors
/// [`EpochError`] when that master must not be obeyed.
pub fn judge(seen: Option<Seen>, (epoch, store): Seen) -> Result<(), EpochError> {
    match seen {
        Some((seen, _)) if epoch < seen => Err(EpochError::Lower { epoch, seen }),
        Some((highest, seen)) if epoch == highest && store != seen => {
            Err(EpochError::OtherStore { epoch, store, seen })
        }
        _ => Ok(()),
    }
}

/// The file.
#[derive(Debug, Clone)]
pub struct SeenFile(PathBuf);

impl SeenFile {
    /// At this path; nothing is read or written yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        SeenFile(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it says; `None` for a slave that never had a master.
    ///
    /// # Errors
    /// When it cannot be read or is not one of ours: guessing would obey a replaced master.
    pub fn read(&self) -> io::Result<Option<Seen>> {
        match fs::read_to_string(&self.0) {
            Ok(text) => parse(&text).map(Some).ok_or_else(|| {
                let text = "must be an epoch and a store in one line";
                io::Error::new(io::ErrorKind::InvalidData, text)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes it say this, durably: a power loss leaves the old line or the new one.
    ///
    /// # Errors
    /// When it cannot be written; the old line stands.
    pub fn write(&self, (epoch, store): Seen) -> io::Result<()> {
        let fresh = self.0.with_extension("new");
        let mut file = File::create(&fresh)?;
        writeln!(file, "{epoch} {store}")?;
        file.sync_all()?;
        fs::rename(&fresh, &self.0)?;
        match self.0.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    }
}

fn parse(text: &str) -> Option<Seen> {
    let (epoch, store) = text.strip_suffix('\n')?.split_once(' ')?;
    Some((Epoch(epoch.parse().ok()?), store.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: StoreId = StoreId([0xA; 16]);
    const B: StoreId = StoreId([0xB; 16]);

    #[test]
    fn only_a_lower_epoch_or_another_store_of_the_same_epoch_is_refused() {
        let seen = Some((Epoch(5), A));
        for (master, obeyed) in [
            ((Epoch(5), A), true),
            ((Epoch(6), A), true),
            ((Epoch(6), B), true),
            ((Epoch(5), B), false),
            ((Epoch(4), A), false),
        ] {
            assert_eq!(judge(seen, master).is_ok(), obeyed, "{master:?}");
        }
        assert_eq!(judge(None, (Epoch(0), B)), Ok(()));
    }

    #[test]
    fn what_was_written_is_read_back_and_the_last_one_counts() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = SeenFile::at(dir.path().join("slave.seen"));
        assert_eq!(file.read().expect("reads"), None);
        file.write((Epoch(7), A)).expect("writes");
        file.write((Epoch(8), B)).expect("writes");
        assert_eq!(file.read().expect("reads"), Some((Epoch(8), B)));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_a_fresh_start() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = SeenFile::at(dir.path().join("slave.seen"));
        for damaged in ["", "7", "7 zz\n", &format!("7 {A}")] {
            fs::write(file.path(), damaged).expect("writes");
            let error = file.read().expect_err("damaged");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{damaged}");
        }
    }
}
