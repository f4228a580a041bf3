//! Copying the beginning of a file into another one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are copied at a time: large enough for a disk, small enough to look up in between.
const CHUNK: usize = 1 << 20;

/// Copies the first `length` bytes of `from` to the beginning of `to`. Filesystems that can share
/// blocks do that; others copy in the kernel; the portable form reads and writes.
///
/// # Errors
/// `UnexpectedEof` if `from` is shorter, else the operating system's.
pub fn beginning(from: &File, to: &File, length: u64) -> io::Result<()> {
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    let mut done = native::copy(from, to, length)?;
    #[cfg(not(all(target_os = "linux", not(feature = "portable"))))]
    let mut done = 0;
    let mut buffer = vec![0; CHUNK];
    while done < length {
        let want = usize::try_from(length - done).map_or(CHUNK, |left| left.min(CHUNK));
        match from.read_at(&mut buffer[..want], done)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                to.write_all_at(&buffer[..read], done)?;
                done += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod native {
    use std::fs::File;
    use std::io;

    use rustix::fs::copy_file_range;
    use rustix::io::Errno;

    /// Most bytes of one call.
    const MOST: u64 = 1 << 30;

    /// Copies as far as the kernel does it, and says how far.
    pub(super) fn copy(from: &File, to: &File, length: u64) -> io::Result<u64> {
        let mut done = 0;
        while done < length {
            let (mut here, mut there) = (done, done);
            let want = usize::try_from((length - done).min(MOST)).unwrap_or(usize::MAX);
            match copy_file_range(from, Some(&mut here), to, Some(&mut there), want) {
                Ok(0) => break,
                Ok(copied) => done += copied as u64,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV) => break,
                Err(error) if super::super::not_here(error) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_file_is_copied_and_no_more() {
        let from = tempfile::tempfile().expect("a file");
        let to = tempfile::tempfile().expect("a file");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        from.write_all_at(&bytes, 0).expect("written");
        beginning(&from, &to, 2_500_001).expect("copied");
        let mut copy = vec![0; 2_500_001];
        to.read_exact_at(&mut copy, 0).expect("read");
        assert_eq!(to.metadata().expect("looked").len(), 2_500_001);
        assert!(copy == bytes[..2_500_001]);
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error() {
        let from = tempfile::tempfile().expect("a file");
        let to = tempfile::tempfile().expect("a file");
        from.write_all_at(b"abc", 0).expect("written");
        let error = beginning(&from, &to, 4).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
