//! What master and slaves say to each other: frames, calls with their answers, notices, faults.
//!
//! The master calls and the slave answers; a slave tells (notices), it never asks. Nothing here
//! names a user, a group or a right.

pub mod calls;
pub mod digests;
pub mod fault;
pub mod frame;
pub mod handshake;
pub mod kinds;
pub mod notices;
pub mod ops;
pub mod reread;
pub mod revision;
pub mod space;
pub mod sums;
pub mod tls;
pub mod token;
pub mod transfer;

pub use calls::{
    Algorithm, ApplyOps, CALL_KINDS, Call, Checksum, ChecksumDone, Goodbye, OpsApplied, Ping, Pong,
    WalkPart, WalkRoot, WalkStarted,
};
pub use digests::{DirDigest, WalkDigests};
pub use fault::{Fault, FaultCode};
pub use frame::{Envelope, FrameCodec, FrameError, MAX_FRAME, decode, encode};
pub use handshake::{Hello, Join, Joined, Refused, Welcome};
pub use notices::{
    Alive, EndedSeen, MasterNotice, Notice, Progress, RootChanged, RootState, RootStatus,
    StagedEntry, TransferEnded, TransferProgress, WalkCredit, WalkDone, WalkEntry, WalkNode,
    WalkPage, WalkStaged,
};
pub use ops::{DirStep, Moved, Place, RootOp};
pub use reread::{Reread, RereadDone, StopReread};
pub use revision::Revision;
pub use space::{Look, SpaceSeen};
pub use sums::Blake3Sum;
pub use tls::{DataTls, Der, FtpCertificate, Resumption, TicketKey, TlsPeer, TlsSeen};
pub use token::{JoinToken, TokenError};
pub use transfer::{
    AbortTransfer, Base, BeginTransfer, Begun, DataOpened, DataPath, Family, Job, OpenData,
    Outcome, PeerRule, RELAY_MAGIC, RELAY_OK, ReceiveJob, RelayToken, SendJob, SetRate,
};
