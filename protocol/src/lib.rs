#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod digest;
pub mod ftp;
pub mod ids;
mod network;
pub mod path;
pub mod wire;

pub use ids::{
    DirId, Epoch, FileId, Generation, NodeId, OpSeq, RootId, SessionId, SlaveId, StoreId,
    TransferId,
};
pub use network::{Network, NetworkError};
pub use path::{Name, NameError, PathError, VfsPath};
