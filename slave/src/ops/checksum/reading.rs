//! A file that is being read to be summed, in turns.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use drftpd_protocol::wire::{Fault, FaultCode};
use tokio::time::Instant;

use super::sum::Sum;

/// Longest turn on a thread.
const TURN: Duration = Duration::from_millis(50);
/// Bytes that are read at a time.
const CHUNK: usize = 512 << 10;

/// A part of an open file, and what it adds up to so far.
pub(in crate::ops) struct Reading {
    file: File,
    begin: u64,
    at: u64,
    end: u64,
    sums: Vec<Sum>,
    buffer: Vec<u8>,
}

impl Reading {
    /// Begins at a byte; all of `length` must be there.
    pub fn new(file: File, begin: u64, length: u64, sums: Vec<Sum>) -> Self {
        let buffer = usize::try_from(length).map_or(CHUNK, |length| length.min(CHUNK));
        Self {
            file,
            begin,
            at: begin,
            end: begin + length,
            sums,
            buffer: vec![0; buffer],
        }
    }

    /// Goes on for one turn, and not for more bytes than this.
    ///
    /// # Errors
    /// `DISK`.
    pub fn turn(mut self, most: u64) -> Result<Self, Fault> {
        let (until, last) = (Instant::now() + TURN, self.end.min(self.at + most));
        while self.at < last && Instant::now() < until {
            let want = usize::try_from(last - self.at).map_or(CHUNK, |left| left.min(CHUNK));
            let want = want.min(self.buffer.len());
            match self.file.read_at(&mut self.buffer[..want], self.at) {
                Ok(0) => return Err(disk("the file became shorter while it was read")),
                Ok(read) => {
                    let bytes = &self.buffer[..read];
                    self.sums.iter_mut().for_each(|sum| sum.update(bytes));
                    self.at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(disk(error)),
            }
        }
        Ok(self)
    }

    /// Whether all of it is read.
    pub fn is_over(&self) -> bool {
        self.at == self.end
    }

    /// Bytes that are read.
    pub fn done(&self) -> u64 {
        self.at - self.begin
    }

    /// Bytes in all.
    pub fn length(&self) -> u64 {
        self.end - self.begin
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// What it adds up to, in the order of `new`.
    pub fn into_sums(self) -> Vec<Sum> {
        self.sums
    }
}

fn disk(why: impl ToString) -> Fault {
    Fault::new(FaultCode::DISK, why.to_string())
}
