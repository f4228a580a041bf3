//! Sockets of data connections: bytes of a file go out, bytes come in, and short waits.
//!
//! None of these waits except [`poll`]; what would have to wait is `WouldBlock`.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Something to read, or the end.
    In,
    /// Room to write.
    Out,
}

/// Waits until one socket is ready, its peer is gone or the time is over; `false` for the latter.
///
/// # Errors
/// The operating system's.
pub fn poll(socket: BorrowedFd<'_>, ready: Ready, limit: Duration) -> io::Result<bool> {
    let events = match ready {
        Ready::In => PollFlags::IN,
        Ready::Out => PollFlags::OUT,
    };
    let timeout = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    };
    let mut fds = [PollFd::from_borrowed_fd(socket, events)];
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false), // early, which a caller that looks at its clock survives
        Err(error) => Err(error.into()),
    }
}

/// Takes what has come, up to the buffer's size; 0 is the end.
///
/// # Errors
/// `WouldBlock` if nothing has come, else the operating system's.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (read, _) = again(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::DONTWAIT))?;
    Ok(read)
}

/// Gives bytes to the socket, as many as it takes now.
///
/// # Errors
/// `WouldBlock` if it takes none, else the operating system's.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(again(|| rustix::net::send(socket, bytes, flags))?)
}

/// Gives several pieces to the socket in one call, as many bytes as it takes now.
///
/// # Errors
/// `WouldBlock` if it takes none, else the operating system's.
pub fn send_pieces(socket: BorrowedFd<'_>, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let mut nothing = SendAncillaryBuffer::default();
    Ok(again(|| {
        rustix::net::sendmsg(socket, pieces, &mut nothing, flags)
    })?)
}

/// Says that nothing goes out and nothing is awaited any more.
///
/// # Errors
/// When the peer is gone already.
pub fn shutdown(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, Shutdown::Both)?)
}

/// Sends up to `count` bytes of a file from `offset` on to a socket that is set not to wait; 0 is
/// the file's end.
///
/// # Errors
/// `WouldBlock` if the socket takes none now, else the operating system's.
pub fn send_file(
    socket: BorrowedFd<'_>,
    file: &File,
    offset: u64,
    count: usize,
) -> io::Result<usize> {
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    {
        let mut from = offset;
        let sent = again(|| rustix::fs::sendfile(socket, file, Some(&mut from), count));
        match sent {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {} // the file cannot; copy
            done => return Ok(done?),
        }
    }
    copy_out(socket, file, offset, count)
}

/// Most bytes that the portable form takes at a time.
const CHUNK: usize = 64 << 10;

fn copy_out(socket: BorrowedFd<'_>, file: &File, offset: u64, count: usize) -> io::Result<usize> {
    let mut buffer = vec![0; count.min(CHUNK)];
    let read = std::os::unix::fs::FileExt::read_at(file, &mut buffer, offset)?;
    match read {
        0 => Ok(0),
        read => send(socket, &buffer[..read]),
    }
}

fn again<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        let (a, b) = UnixStream::pair().expect("a pair");
        a.set_nonblocking(true).expect("set");
        b.set_nonblocking(true).expect("set");
        (a, b)
    }

    #[test]
    fn a_file_goes_out_from_its_offset_and_ends_with_nothing() {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"0123456789", 0).expect("written");
        let (out, come) = pair();
        assert_eq!(send_file(out.as_fd(), &file, 4, 100).expect("sent"), 6);
        assert_eq!(send_file(out.as_fd(), &file, 10, 100).expect("the end"), 0);
        assert_eq!(copy_out(out.as_fd(), &file, 8, 100).expect("sent"), 2);
        let mut buffer = [0; 16];
        let came = receive(come.as_fd(), &mut buffer).expect("came");
        assert_eq!(&buffer[..came], b"45678989");
    }

    #[test]
    fn an_empty_socket_would_block_and_a_poll_gives_up() {
        let (out, come) = pair();
        let error = receive(come.as_fd(), &mut [0; 8]).expect_err("nothing came");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(!poll(come.as_fd(), Ready::In, Duration::ZERO).expect("polled"));
        assert!(poll(out.as_fd(), Ready::Out, Duration::ZERO).expect("polled"));
        assert_eq!(send(out.as_fd(), b"x").expect("sent"), 1);
        assert!(poll(come.as_fd(), Ready::In, Duration::ZERO).expect("polled"));
    }

    #[test]
    fn a_full_socket_would_block() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(64 << 20).expect("grown");
        let (out, _come) = pair();
        let mut offset = 0;
        let error = loop {
            match send_file(out.as_fd(), &file, offset, 1 << 20) {
                Ok(sent) => offset += sent as u64,
                Err(error) => break error,
            }
            assert!(offset < 64 << 20, "the socket takes everything");
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
