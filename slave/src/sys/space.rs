//! Space of a filesystem: how much there is, and setting some of it aside for a file.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::fstatvfs;

/// Space of a filesystem, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// In all.
    pub total: u64,
    /// Free for this process; 0 where no more files can be made.
    pub free: u64,
    /// Mounted so that nothing can be written.
    pub read_only: bool,
}

/// How much space the filesystem of an open file or directory has.
///
/// # Errors
/// The operating system's.
pub fn of(fd: BorrowedFd<'_>) -> io::Result<Space> {
    let stat = fstatvfs(fd)?;
    // Some filesystems have no such number, and say 0 of 0.
    let no_more_files = stat.f_files > 0 && stat.f_favail == 0;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    Ok(Space {
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        free: if no_more_files { 0 } else { free },
        read_only: stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

/// Sets space aside for `length` bytes of a file from `offset` on, without changing its size;
/// `false` where the filesystem cannot. Ask first how much is free: filesystems take all there is
/// before they say that it is too little.
///
/// # Errors
/// `ENOSPC` if there is not so much, else the operating system's. Some may be set aside then.
pub fn allocate(fd: BorrowedFd<'_>, offset: u64, length: u64) -> io::Result<bool> {
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    if length > 0 {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        loop {
            match fallocate(fd, FallocateFlags::KEEP_SIZE, offset, length) {
                Ok(()) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(error) if super::not_here(error) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
    let _ = (fd, offset, length);
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn setting_space_aside_leaves_the_size_alone() {
        let file = tempfile::tempfile().expect("a file");
        allocate(file.as_fd(), 0, 1 << 20).expect("asked");
        assert_eq!(file.metadata().expect("looked").len(), 0);
    }

    #[test]
    fn no_more_is_free_than_there_is() {
        let file = tempfile::tempfile().expect("a file");
        let space = of(file.as_fd()).expect("asked");
        assert!(space.total >= space.free && space.total > 0);
    }
}
