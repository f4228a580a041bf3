//! Small files that nobody else may read, written so that a crash leaves the old one or the new
//! one, never half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The system says no.
    #[error("{0} cannot be read or written")]
    Io(PathBuf, #[source] std::io::Error),
    /// Others could read a secret.
    #[error("{0} can be read by others (mode {1:o}): make it 0600")]
    Open(PathBuf, u32),
}

/// Reads a secret; nothing where there is no file.
///
/// # Errors
/// When others may read it, or it cannot be read.
pub fn read(path: &Path) -> Result<Option<String>, SecretFileError> {
    let text = read_plain(path)?;
    if text.is_some() {
        let meta = fs::metadata(path).map_err(|why| SecretFileError::Io(path.into(), why))?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SecretFileError::Open(path.into(), mode));
        }
    }
    Ok(text)
}

/// Reads a file that is no secret; nothing where there is none.
///
/// # Errors
/// When it cannot be read.
pub fn read_plain(path: &Path) -> Result<Option<String>, SecretFileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(SecretFileError::Io(path.into(), why)),
    }
}

/// Writes a file with mode 0600, through a new one beside it; makes its folder where needed.
///
/// # Errors
/// When the system says no; what was there before is left alone.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), SecretFileError> {
    let failed = |why| SecretFileError::Io(path.into(), why);
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(failed(why)),
        _ => {} // what a crash left behind
    }
    let new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside);
    let mut file = new.map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_alone_and_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/key.pem");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, b"one").unwrap();
        fs::write(path.with_extension("pem.new"), "left by a crash").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!path.with_extension("pem.new").exists());
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write(&path, b"secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(SecretFileError::Open(_, 0o640))));
    }
}
