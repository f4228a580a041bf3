//! The numbers of all messages, in one place. A number is never reused.
//!
//! 0x00.. handshake and answers · 0x01.. calls of the master · 0x02.. notices of a slave ·
//! 0x03.. notices of the master. 0x0207 is kept for a remerge.

/// A slave's first words.
pub const HELLO: u16 = 0x0001;
/// The master takes the slave.
pub const WELCOME: u16 = 0x0002;
/// The master does not.
pub const REFUSED: u16 = 0x0003;
/// A call's answer; the body is the call's answer type.
pub const ANSWER: u16 = 0x0004;
/// A call failed; the body is a fault.
pub const FAULT: u16 = 0x0005;
/// A long call is alive.
pub const PROGRESS: u16 = 0x0006;
/// A machine asks to become a slave.
pub const JOIN: u16 = 0x0010;
/// It may.
pub const JOINED: u16 = 0x0011;

/// Is the slave's actor alive?
pub const PING: u16 = 0x0100;
/// Open a data channel.
pub const OPEN_DATA: u16 = 0x0101;
/// Begin a transfer on a channel.
pub const BEGIN_TRANSFER: u16 = 0x0102;
/// End a transfer at once.
pub const ABORT_TRANSFER: u16 = 0x0103;
/// Checksum of a file.
pub const CHECKSUM: u16 = 0x0104;
/// Carry out operations of a root's log.
pub const APPLY_OPS: u16 = 0x0105;
/// Walk a root and report it.
pub const WALK_ROOT: u16 = 0x0106;
/// The master goes away on purpose.
pub const GOODBYE: u16 = 0x0107;
/// The certificate that FTP clients see.
pub const FTP_CERTIFICATE: u16 = 0x0108;
/// Read a file again, slowly.
pub const REREAD: u16 = 0x0109;
/// Stop that.
pub const STOP_REREAD: u16 = 0x010a;
/// Another speed for a transfer that runs.
pub const SET_RATE: u16 = 0x010b;

/// Heartbeat with what every root has.
pub const ALIVE: u16 = 0x0200;
/// How far running transfers are.
pub const TRANSFER_PROGRESS: u16 = 0x0201;
/// A transfer is over.
pub const TRANSFER_ENDED: u16 = 0x0202;
/// Some entries of one directory of a root.
pub const WALK_PAGE: u16 = 0x0203;
/// Files that lie in a root's staging folder.
pub const WALK_STAGED: u16 = 0x0204;
/// A root was walked to its end.
pub const WALK_DONE: u16 = 0x0205;
/// Directories of a root with their digests.
pub const WALK_DIGESTS: u16 = 0x0206;
/// Other programs changed something on a shared root.
pub const ROOT_CHANGED: u16 = 0x0208;

/// The master has stored what a transfer's end says.
pub const ENDED_SEEN: u16 = 0x0300;
/// More pages of a walk may come.
pub const WALK_CREDIT: u16 = 0x0301;
