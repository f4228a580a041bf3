//! How much of what was sent the other end has not acknowledged yet, as the system tells it.
//!
//! Linux has a call for it that safe Rust cannot reach, and a table of all connections that it can:
//! slower, but asked only for clients that do not close. Elsewhere nobody can say.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tokio::net::TcpStream;

/// Which connection, as the system's table knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketId {
    inode: u64,
    v6: bool,
}

/// A socket's entry in the table.
///
/// # Errors
/// The operating system's.
pub fn id(socket: &TcpStream) -> io::Result<SocketId> {
    let v6 = socket.local_addr()?.is_ipv6();
    let handle = File::from(socket.as_fd().try_clone_to_owned()?);
    let inode = handle.metadata()?.ino();
    Ok(SocketId { inode, v6 })
}

/// What the system says of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unacknowledged {
    /// So many bytes were sent and not acknowledged, the end of the stream counted as one.
    Bytes(u64),
    /// It is not in the table now; the table moves while it is read, so look again.
    NotListed,
    /// There is no table: nobody can say.
    Unknown,
}

/// How often the table is read before a connection counts as not listed.
const READINGS: usize = 3;

/// Asks the system.
pub fn unacknowledged(socket: SocketId) -> Unacknowledged {
    if !crate::sys::NATIVE {
        return Unacknowledged::Unknown;
    }
    let table = match socket.v6 {
        false => "/proc/self/net/tcp",
        true => "/proc/self/net/tcp6",
    };
    for _ in 0..READINGS {
        let Ok(table) = File::open(table) else {
            return Unacknowledged::Unknown;
        };
        let mut lines = BufReader::new(table).lines().map_while(Result::ok);
        if let Some(bytes) = lines.find_map(|line| of_line(&line, socket.inode)) {
            return Unacknowledged::Bytes(bytes);
        }
    }
    Unacknowledged::NotListed
}

/// Columns: number, local, remote, state, `sending:receiving`, …, inode (the tenth).
fn of_line(line: &str, inode: u64) -> Option<u64> {
    let mut columns = line.split_ascii_whitespace();
    let queues = columns.nth(4)?;
    if columns.nth(4)?.parse() != Ok(inode) {
        return None;
    }
    let (sending, _) = queues.split_once(':')?;
    u64::from_str_radix(sending, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn the_columns_of_the_table_are_known() {
        let line = "   1: 0100007F:C350 0100007F:9C40 04 000012AB:00000001 01:00000014 00000000 \
                    0        0 31337 2 0000000000000000 20 4 0 10 -1";
        assert_eq!(of_line(line, 31337), Some(0x12AB));
        assert_eq!(of_line(line, 31338), None);
        assert_eq!(of_line("", 1), None);
    }

    #[tokio::test]
    async fn what_the_peer_does_not_read_stays_in_the_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(to), listener.accept());
        let (mut near, (mut far, _)) = (near.unwrap(), far.unwrap());
        let socket = id(&near).unwrap();
        let mut sent = 0;
        while let Ok(more) = near.try_write(&[7; 65536]) {
            sent += more;
        }
        let unread = unacknowledged(socket);
        if !crate::sys::NATIVE {
            return assert_eq!(unread, Unacknowledged::Unknown);
        }
        assert!(
            matches!(unread, Unacknowledged::Bytes(1..)),
            "{sent} bytes fit into a window"
        );
        near.shutdown().await.unwrap();
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), sent);
        // The last acknowledgement is under way for a moment.
        while unacknowledged(socket) != Unacknowledged::Bytes(0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
