//! What this machine answers when it is asked for addresses and ports. Blocks.

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// How long a server of this machine may take to answer.
const LIMIT: Duration = Duration::from_secs(3);
/// The longest greeting that is read.
const GREETING: u64 = 4096;

/// The machine, or what a test says of one.
pub trait Machine: Send + Sync {
    /// Whether somebody could listen there now.
    ///
    /// # Errors
    /// The system's.
    fn can_listen(&self, at: SocketAddr) -> io::Result<()>;

    /// The first line that a server says.
    ///
    /// # Errors
    /// When nobody is there, or says nothing.
    fn greeting(&self, at: SocketAddr) -> io::Result<String>;

    /// Ports that the system gives to outgoing connections, the first and the last.
    fn outgoing_ports(&self) -> Option<(u16, u16)>;

    /// Files and sockets that one process may have open.
    fn open_files(&self) -> Option<u64>;
}

/// The machine on which this runs.
#[derive(Debug, Clone, Copy)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn can_listen(&self, at: SocketAddr) -> io::Result<()> {
        TcpListener::bind(at).map(drop)
    }

    fn greeting(&self, at: SocketAddr) -> io::Result<String> {
        let stream = TcpStream::connect_timeout(&at, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut line = String::new();
        let mut reader = BufReader::new(io::Read::take(stream, GREETING));
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn outgoing_ports(&self) -> Option<(u16, u16)> {
        let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        let mut words = text.split_whitespace().map(str::parse);
        match (words.next()?, words.next()?) {
            (Ok(first), Ok(last)) => Some((first, last)),
            _ => None,
        }
    }

    fn open_files(&self) -> Option<u64> {
        let text = std::fs::read_to_string("/proc/self/limits").ok()?;
        let line = text
            .lines()
            .find(|line| line.starts_with("Max open files"))?;
        line.split_whitespace().nth(3)?.parse().ok()
    }
}
