//! Data channels and what moves over them.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::ops::Place;
use super::space::SpaceSeen;
use super::sums::Blake3Sum;
use super::tls::DataTls;
use crate::Network;
use crate::ids::{FileId, OpSeq, RootId, TransferId};

/// First bytes of a relayed data connection, where a TLS client would send its hello.
pub const RELAY_MAGIC: &[u8; 5] = b"DRLY1";
/// The master's answer to a token it knows; from here on the connection is the data connection.
pub const RELAY_OK: u8 = b'+';

/// One use, ten seconds, only from the address of the slave's link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelayToken(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl std::fmt::Debug for RelayToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RelayToken(..)")
    }
}

/// Address family of a listening data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Who may be at the other end of a data channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerRule {
    /// This address only; others are closed and waiting goes on.
    Only(IpAddr),
    /// Whoever comes first.
    Any,
    /// The client, or whoever of these networks comes first.
    Among {
        /// The client of the control connection.
        client: IpAddr,
        /// Networks of other hosts; empty: any.
        allow: Vec<Network>,
        /// Networks that are never let in, whatever `allow` says.
        deny: Vec<Network>,
    },
}

impl PeerRule {
    /// Whether somebody with this address is let in.
    pub fn holds(&self, peer: IpAddr) -> bool {
        let is = |address: &IpAddr| address.to_canonical() == peer.to_canonical();
        let within = |networks: &[Network]| networks.iter().any(|it| it.contains(peer));
        match self {
            Self::Only(address) => is(address),
            Self::Any => true,
            Self::Among {
                client,
                allow,
                deny,
            } => is(client) || (!within(deny) && (allow.is_empty() || within(allow))),
        }
    }
}

/// How a data channel comes to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataPath {
    /// The slave listens on a port of its passive range.
    Listen {
        /// Address family.
        family: Family,
        /// Who may connect.
        peers: PeerRule,
    },
    /// The slave connects out.
    Dial {
        /// To here.
        to: SocketAddr,
    },
    /// The slave connects to the master's slave port, which forwards the bytes.
    Relay {
        /// Shown to the master.
        token: RelayToken,
    },
}

/// Opens a data channel. A listening one waits for its client from now on; a dialling one dials
/// when its transfer begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenData {
    /// The channel's number, and its transfer's.
    pub transfer: TransferId,
    /// How.
    pub path: DataPath,
    /// How long the other end may take to appear, in milliseconds, and how long a channel lives
    /// whose transfer does not begin.
    pub connect_timeout_ms: u64,
}

/// The channel is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataOpened {
    /// Address to announce; `None`: the one that the master knows the slave by.
    pub address: Option<IpAddr>,
    /// Port to announce; 0 for channels that do not listen.
    pub port: u16,
}

/// Begins the transfer of a channel. Answered when the file is open, before the data connection
/// is there; the end comes as a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginTransfer {
    /// The channel.
    pub transfer: TransferId,
    /// What to do.
    pub job: Job,
    /// Not before the root's log is applied up to here.
    pub after: OpSeq,
    /// How long no byte may move, in milliseconds.
    pub stall_timeout_ms: u64,
    /// Bytes per second at most; `None` without a limit.
    #[serde(default)]
    pub max_rate: Option<u64>,
    /// TLS over the data connection; `None`: plain.
    #[serde(default)]
    pub tls: Option<DataTls>,
}

/// What moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// A file goes out.
    Send(SendJob),
    /// A file comes in.
    Receive(ReceiveJob),
}

/// A download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendJob {
    /// The root that holds it.
    pub root: RootId,
    /// Its identity; looked for in staging, then at its place.
    pub file: FileId,
    /// Where it is.
    pub at: Place,
    /// First byte.
    pub offset: u64,
    /// Number of bytes; `None` up to the end. A file that still grows is followed to its end.
    pub length: Option<u64>,
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveJob {
    /// The root that takes it.
    pub root: RootId,
    /// The identity that it gets in staging.
    pub file: FileId,
    /// What the new bytes follow.
    pub base: Base,
    /// Bytes expected, to reserve space; 0 when unknown.
    pub expected: u64,
    /// Whether BLAKE3 is to be summed beside CRC-32.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blake3: bool,
    /// Bytes that the whole file may have; what would make it larger breaks the transfer off with `TOO_LARGE`, and
    /// nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
}

/// What the first received byte follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// Nothing: a new file.
    Empty,
    /// The first `keep` bytes that lie in staging under the same identity.
    Staged {
        /// How many of them.
        keep: u64,
    },
    /// The first `keep` bytes of a complete file, which stays as it is.
    Copy {
        /// That file.
        file: FileId,
        /// Where it is.
        at: Place,
        /// How many of its bytes.
        keep: u64,
    },
}

/// The file is open; 150 may be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Size of the file that goes out, as far as it is there now; 0 for an upload.
    pub size: u64,
    /// What is free when an upload's space is set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceSeen>,
}

impl Begun {
    /// A file of this size goes out.
    pub fn of(size: u64) -> Self {
        Self { size, space: None }
    }
}

/// Ends a transfer, or closes a channel that has none yet. Its end comes as a notice if it had
/// begun. A channel that is not there is no fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortTransfer {
    /// The channel.
    pub transfer: TransferId,
}

/// Another speed for a transfer, from now on: it has another part of what several share. A channel that is not there is
/// no fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRate {
    /// The channel.
    pub transfer: TransferId,
    /// Bytes per second at most; `None` without a limit.
    #[serde(default)]
    pub max_rate: Option<u64>,
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All bytes went out and the other end took them.
    Sent {
        /// Bytes that went over the connection.
        bytes: u64,
    },
    /// All bytes came, lie in staging with their identity, and are durable as the slave's `fsync`
    /// setting says.
    Prepared {
        /// Bytes that came over the connection.
        bytes: u64,
        /// Size of the file.
        size: u64,
        /// CRC-32 of the whole file.
        crc32: u32,
        /// BLAKE3 of the whole file, where it was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blake3: Option<Blake3Sum>,
    },
    /// It broke off.
    Broken {
        /// Why.
        fault: Fault,
        /// Bytes that moved over the connection.
        bytes: u64,
        /// Bytes of an upload that are kept in staging for a resume; `None` for downloads and
        /// where nothing is kept.
        kept: Option<u64>,
    },
}
