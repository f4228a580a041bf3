//! The operating system's memory of a file's bytes.

use std::io;
use std::os::fd::BorrowedFd;

/// Gives back the memory in which bytes of a file are kept, those that are on the disk already: they are read from the
/// disk the next time, and room is left for what others read. `false` where that cannot be asked for.
///
/// # Errors
/// The operating system's.
pub fn forget(fd: BorrowedFd<'_>, offset: u64, length: u64) -> io::Result<bool> {
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    if let Some(length) = std::num::NonZeroU64::new(length) {
        use rustix::fs::{Advice, fadvise};
        return match fadvise(fd, offset, Some(length), Advice::DontNeed) {
            Ok(()) => Ok(true),
            Err(error) if super::not_here(error) => Ok(false),
            Err(error) => Err(error.into()),
        };
    }
    let _ = (fd, offset, length);
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_is_forgotten_is_read_again() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"some bytes").expect("written");
        file.sync_all().expect("on the disk");
        forget(file.as_fd(), 0, 10).expect("asked");
        file.rewind().expect("at its begin");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("read");
        assert_eq!(text, "some bytes");
    }
}
