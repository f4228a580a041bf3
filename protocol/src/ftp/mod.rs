//! FTP as text: bytes from a control connection become lines and arguments, replies and listings become bytes.
//!
//! Nothing here knows which verbs exist, who asks, or where a path leads. Nothing here panics on any input,
//! and no text that a client sent is ever repeated in an error.
//!
//! - [`codec::LineCodec`] reads command lines, [`line::Line`] is one of them;
//! - [`args`] reads arguments, [`time`] reads and writes RFC 3659 times;
//! - [`reply::Reply`] is what goes back, [`feat`] the answer to `FEAT`;
//! - [`listing`] renders `LIST`, `NLST`, `MLSD` and `MLST`.

pub mod args;
pub mod codec;
mod facts;
pub mod feat;
pub mod line;
pub mod listing;
mod replies;
pub mod reply;
pub mod time;
mod xdupe;

pub use args::ArgError;
pub use codec::LineCodec;
pub use line::{Line, LineFault, Verb};
pub use listing::{EntryKind, Facts, ListEntry, Perm};
pub use reply::{Reply, Text};
pub use time::FtpTime;
pub use xdupe::XDupe;
