//! Forwarding without the bytes leaving the kernel: socket to pipe to socket, by `splice(2)`.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tracing::debug;

use super::relay::Lane;

/// What the pipe between the sockets should hold. The system may allow less.
const PIPE: usize = 256 * 1024;
/// Most bytes of one call.
const AT_ONCE: usize = 1 << 20;

/// Forwards from one socket to the other until the end, and passes that on.
///
/// The pipe is emptied before more is read, so a socket that takes nothing makes the other wait, and a call that
/// would block is always about the socket that is waited for then.
pub(super) async fn pump(from: &TcpStream, to: &TcpStream, lane: &Lane<'_>) -> io::Result<()> {
    let (drain, fill) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    if let Err(why) = fcntl_setpipe_size(&fill, PIPE) {
        debug!(%why, "pipe stays small");
    }
    loop {
        let mut left = move_some(from, Interest::READABLE, from, &fill, AT_ONCE).await?;
        if left == 0 {
            break;
        }
        while left > 0 {
            let went = move_some(to, Interest::WRITABLE, &drain, to, left).await?;
            if went == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            lane.moved(went);
            left -= went;
        }
    }
    lane.closed(SockRef::from(to).shutdown(Shutdown::Write))
}

/// Moves what can be moved, as soon as the socket is ready.
async fn move_some(
    socket: &TcpStream,
    ready: Interest,
    from: &impl AsFd,
    to: &impl AsFd,
    most: usize,
) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    let call = || {
        Ok(rustix::io::retry_on_intr(|| {
            splice(from, None, to, None, most, flags)
        })?)
    };
    socket.async_io(ready, call).await
}
