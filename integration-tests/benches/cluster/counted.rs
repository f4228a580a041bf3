//! A way to the master on which bytes are counted.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::Result;

/// Passes connections on, for as long as the program lives.
pub struct Counted {
    pub address: SocketAddr,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    pub fn start(to: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, to) = (listener.local_addr()?, to.to_owned());
        let bytes = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&bytes);
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                if let Ok(to) = TcpStream::connect(&to) {
                    both_ways(&from, &to, &counter);
                }
            }
        });
        Ok(Self { address, bytes })
    }

    /// Bytes of both ways so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

fn both_ways(one: &TcpStream, other: &TcpStream, counter: &Arc<AtomicU64>) {
    for (from, to) in [(one, other), (other, one)] {
        if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
            let counter = Arc::clone(counter);
            thread::spawn(move || pass(from, to, &counter));
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut buffer = [0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        counter.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
