//! A copy of the store's file, made while it is in use.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::engine::Store;
use super::error::StoreError;
use super::sql::Sql;

/// Pages (of 4 KiB) that are copied at once.
const STEP: i32 = 256;

/// Copies what is committed at this moment into a file that must not be there yet; answers its size in bytes.
///
/// The snapshot is held from the first page to the last, so the copy never begins anew and no change waits for it; the
/// store's log only grows meanwhile. The file has its name once it is whole and synced. It holds hashes of passwords,
/// so it is for its owner alone.
///
/// # Errors
/// [`StoreError::Io`] with [`io::ErrorKind::AlreadyExists`] when the file, or `FILE.new` beside it, is there.
pub fn backup(store: &Store, to: &Path) -> Result<u64, StoreError> {
    refuse_existing(to)?;
    let fresh = beside(to);
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600);
    let file = made.open(&fresh).map_err(|why| named(&fresh, &why))?;
    let done = store
        .read(|sql| copy(sql, &fresh))
        .and_then(|()| finish(&file, &fresh, to));
    if done.is_err() {
        // What matters to the caller is why it failed.
        drop(fs::remove_file(&fresh));
    }
    done
}

fn refuse_existing(to: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(named(to, &io::ErrorKind::AlreadyExists.into())),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(named(to, &why)),
    }
}

/// Its name while it is not whole; it also keeps out a second backup to the same file.
fn beside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn named(file: &Path, why: &io::Error) -> StoreError {
    let text = format!("{}: {why}", file.display());
    StoreError::Io(io::Error::new(why.kind(), text))
}

fn copy(sql: &Sql<'_>, fresh: &Path) -> Result<(), StoreError> {
    // A snapshot begins with the first read.
    sql.get("SELECT 1 FROM meta", [], |_| Ok(()))?;
    // Nobody else has the file, and not every filesystem for backups has locks.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags_and_vfs(fresh, flags, c"unix-none")?;
    copy.pragma_update(None, "journal_mode", "OFF")?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(sql.conn(), &mut copy)?;
    loop {
        match backup.step(STEP)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            other => return Err(StoreError::Commit(format!("the copy stopped: {other:?}"))),
        }
    }
}

fn finish(file: &File, fresh: &Path, to: &Path) -> Result<u64, StoreError> {
    file.sync_all()?;
    let size = file.metadata()?.len();
    refuse_existing(to)?;
    fs::rename(fresh, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(size)
}

#[cfg(test)]
mod tests;
