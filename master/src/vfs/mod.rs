//! The file list: the authoritative tree, who holds which bytes, and what each root must do.

pub mod client;
pub mod error;
pub mod types;

pub use client::{Compare, Merged, Owner, VfsClient};
pub use error::VfsError;
pub use types::{
    Entry, FileState, Kind, Page, PreparedBytes, Readable, Upload, UploadMode, UploadPlan,
};
