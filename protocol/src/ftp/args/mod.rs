//! Arguments: from the bytes behind a verb to values.
//!
//! Every reader takes the bytes of [`Line::arg`](super::Line::arg), empty where the client sent none, and says in its
//! [`ArgError`] which argument is wrong and what it should be; it never repeats what the client sent.
//! Paths stay bytes; resolving them is not done here.

mod error;
mod glob;
mod hash;
mod host;
mod list;
mod scalar;
mod words;

pub use error::ArgError;
pub use glob::Glob;
pub use hash::{HashArgs, OctetRange, rang};
pub use host::{Epsv, HostPort, eprt, epsv, port};
pub use list::ListArgs;
pub use scalar::{
    Allo, Auth, NewTimes, Protection, TransferType, allo, auth, file_structure, mff, mfmt, offset,
    path, prot, switch, timed_path, transfer_mode, transfer_type,
};
pub use words::{Words, opts, pret, site};
