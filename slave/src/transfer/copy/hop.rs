//! One hop of an upload to a thread and back: what was gathered is written, more is taken from the
//! socket while it comes fast, and at the end the file is prepared.

use bytes::BytesMut;
use drftpd_actors::BoxIo;
use drftpd_protocol::wire::{Blake3Sum, SpaceSeen};

use super::super::error::TransferError;
use super::intake::Intake;
use super::sealed;
use super::turn::{self, Terms, TurnEnd, Wire};
use crate::storage::{Root, Roots, StorageError};

/// One hop.
pub struct Hop {
    /// All roots, for what is free on them in the end.
    pub roots: Roots,
    /// Where the file is stored.
    pub root: Root,
    /// The file.
    pub intake: Intake,
    /// What the arbiter gathered.
    pub gathered: BytesMut,
    /// Where more comes from than is worth gathering.
    pub flood: Flood,
    /// For what is taken from the socket.
    pub terms: Terms,
    /// Whether the gathered bytes are the last ones.
    pub ended: bool,
}

/// Where a thread takes bytes from by itself.
pub enum Flood {
    /// From nowhere.
    None,
    /// From a plain socket.
    Socket(Wire),
    /// From a connection under TLS, which is lent.
    Sealed(BoxIo),
}

/// What comes back from a hop.
pub struct Done {
    /// How it ended.
    pub left: Left,
    /// The buffer, empty.
    pub buffer: BytesMut,
    /// The connection, if it was lent.
    pub lent: Option<BoxIo>,
}

/// What a hop leaves.
pub enum Left {
    /// More may come; whether the socket had nothing.
    Going(Intake, bool),
    /// All is there and prepared.
    Prepared {
        bytes: u64,
        size: u64,
        crc32: u32,
        blake3: Option<Blake3Sum>,
        space: SpaceSeen,
    },
    /// It broke off.
    Broken(Broke),
}

/// What is left of an upload that broke off.
pub enum Broke {
    /// What was written can be kept.
    Open(Intake, TransferError),
    /// The file is out of our hands.
    Closed {
        /// Bytes that came over the connection.
        bytes: u64,
        /// Bytes that stayed in staging, as far as that is known.
        kept: Option<u64>,
        /// Why.
        error: TransferError,
    },
}

impl Hop {
    /// Does it.
    pub fn run(mut self) -> Done {
        let written = self.intake.write(&self.gathered, &self.terms.meter);
        let mut buffer = std::mem::take(&mut self.gathered);
        buffer.clear();
        let mut flood = std::mem::replace(&mut self.flood, Flood::None);
        let left = match written {
            Err(error) => Left::Broken(Broke::Open(self.intake, error)),
            Ok(()) if self.ended => self.prepare(),
            Ok(()) => self.take(&mut flood),
        };
        let lent = match flood {
            Flood::Sealed(io) => Some(io),
            Flood::None | Flood::Socket(_) => None,
        };
        Done { left, buffer, lent }
    }

    fn take(mut self, flood: &mut Flood) -> Left {
        let ended = match flood {
            Flood::None => TurnEnd::Dry,
            Flood::Socket(wire) => turn::receive(wire, &mut self.intake, &self.terms),
            Flood::Sealed(io) => sealed::receive(io, &mut self.intake, &self.terms),
        };
        match ended {
            TurnEnd::UsedUp => Left::Going(self.intake, false),
            TurnEnd::Dry => Left::Going(self.intake, true),
            TurnEnd::Failed(error) => Left::Broken(Broke::Open(self.intake, error)),
            TurnEnd::End => {
                match flood {
                    Flood::None => {}
                    Flood::Socket(wire) => wire.shutdown(),
                    Flood::Sealed(io) => sealed::close(io),
                }
                self.prepare()
            }
        }
    }

    fn prepare(self) -> Left {
        let Intake {
            staging, received, ..
        } = self.intake;
        let (size, crc32, id) = (staging.len, staging.crc32(), staging.id());
        let blake3 = staging.blake3();
        match self.root.prepare(staging, crc32) {
            Ok(size) => Left::Prepared {
                bytes: received,
                size,
                crc32,
                blake3,
                space: self.roots.space_seen(&self.root),
            },
            Err(error) => {
                let kept = match &error {
                    StorageError::Revoked(_) => None,
                    full if full.is_full() => self.root.discard(id).ok().map(|_| 0),
                    // What could not be prepared stays as what broke off.
                    _ => Some(size),
                };
                Left::Broken(Broke::Closed {
                    bytes: received,
                    kept,
                    error: TransferError::Storage(error.fault()),
                })
            }
        }
    }
}
