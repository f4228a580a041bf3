//! Clients of the slave, and bare loops, over plain connections.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc as std_mpsc;
use std::thread;

use drftpd_actors::block_on;
use drftpd_protocol::wire::Outcome;
use tokio::sync::mpsc;

use crate::slave::{Order, serve};
use crate::tls::{Client, certificate};
use crate::{CHUNK, LARGE};

/// A slave's data channels on threads of their own, and a folder with files.
pub struct Bench {
    orders: mpsc::Sender<Order>,
    pub dir: PathBuf,
    /// The client's side of TLS.
    pub client: Client,
    _tempdir: tempfile::TempDir,
}

impl Bench {
    pub fn start() -> Self {
        let shared = Path::new("/dev/shm");
        let tempdir = match shared.is_dir() {
            true => tempfile::tempdir_in(shared).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let dir = tempdir.path().to_owned();
        let (orders, queue) = mpsc::channel(64);
        let root = dir.join("root");
        let (ready, is_ready) = std_mpsc::channel();
        let (given, client) = certificate();
        thread::spawn(move || block_on(serve(root, given, queue, ready)).unwrap());
        is_ready.recv().unwrap();
        let bare = File::create(dir.join("bare")).unwrap();
        fill(&bare, LARGE);
        Bench {
            orders,
            dir,
            client,
            _tempdir: tempdir,
        }
    }

    pub fn order(
        &self,
        up: bool,
        tls: bool,
        size: u64,
    ) -> (SocketAddr, std_mpsc::Receiver<Outcome>) {
        let (at, where_) = std_mpsc::channel();
        let (over, is_over) = std_mpsc::channel();
        let order = Order {
            up,
            tls,
            size,
            at,
            over,
        };
        self.orders.blocking_send(order).unwrap();
        (where_.recv().unwrap(), is_over)
    }

    pub fn down(&self, size: u64) {
        let (at, over) = self.order(false, false, size);
        assert_eq!(drain(TcpStream::connect(at).unwrap()), size);
        assert_eq!(over.recv().unwrap(), Outcome::Sent { bytes: size });
    }

    pub fn up(&self, size: u64) {
        let (at, over) = self.order(true, false, size);
        pour(&mut TcpStream::connect(at).unwrap(), size);
        let outcome = over.recv().unwrap();
        assert!(matches!(outcome, Outcome::Prepared { size: all, .. } if all == size));
    }

    pub fn bare_down(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let path = self.dir.join("bare");
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let file = File::open(path).unwrap();
            let mut offset = 0;
            while offset < LARGE {
                rustix::fs::sendfile(&socket, &file, Some(&mut offset), 1 << 30).unwrap();
            }
        });
        assert_eq!(drain(TcpStream::connect(at).unwrap()), LARGE);
        server.join().unwrap();
    }

    pub fn bare_up(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let dir = self.dir.clone();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            store(&mut socket, &dir);
        });
        pour(&mut TcpStream::connect(at).unwrap(), LARGE);
        server.join().unwrap();
    }
}

/// Writes what comes into a file, as simply as can be.
pub fn store(from: &mut impl Read, dir: &Path) {
    let file = tempfile::tempfile_in(dir).unwrap();
    let (mut buffer, mut len) = (vec![0; CHUNK], 0);
    loop {
        match from.read(&mut buffer).unwrap() {
            0 => break,
            read => {
                file.write_all_at(&buffer[..read], len).unwrap();
                len += read as u64;
            }
        }
    }
}

fn drain(mut socket: TcpStream) -> u64 {
    let (mut buffer, mut all) = (vec![0; CHUNK], 0);
    loop {
        match socket.read(&mut buffer).unwrap() {
            0 => return all,
            read => all += read as u64,
        }
    }
}

pub fn pour(socket: &mut impl Write, size: u64) {
    let buffer = vec![7; CHUNK];
    let mut left = size;
    while left > 0 {
        let piece = left.min(CHUNK as u64);
        socket.write_all(&buffer[..piece as usize]).unwrap();
        left -= piece;
    }
}

fn fill(file: &File, size: u64) {
    let buffer = vec![7; 1 << 20];
    for at in (0..size).step_by(buffer.len()) {
        let piece = (size - at).min(buffer.len() as u64);
        file.write_all_at(&buffer[..piece as usize], at).unwrap();
    }
}
