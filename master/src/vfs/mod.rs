//! The file list: the authoritative tree, who holds which bytes, and what each root must do.

mod actor;
mod below;
pub mod check;
pub mod client;
mod commands;
mod config;
mod copied;
mod deletions;
pub mod error;
mod forget;
mod heads;
mod messages;
mod names;
mod pages;
mod plan;
mod quota;
mod reads;
mod retire;
pub mod scrub;
mod tree;
pub mod types;
mod uploads;

#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;

pub use actor::{Deps, start};
pub use below::{Visited, Visitor};
pub use client::{Begins, Compare, Concluded, Merged, Owner, SawAll, SawShared, Stray, VfsClient};
pub use commands::{Along, Kept, Moving, Wiped};
pub use config::{Foreign, VfsConfig};
pub use deletions::Followed;
pub use error::VfsError;
pub use forget::Lost;
pub use heads::OpsHeads;
pub use quota::Room;
pub use retire::{Leaving, Loss};
pub use tree::agree::Judged;
pub(crate) use tree::copies::held_by;
pub use tree::differences::{Decision, Difference, Spot, Why, recovering};
pub(crate) use tree::nodes::{by_id as entry_by_id, name_by_id};
pub use tree::passes::damaged;
pub use tree::unseen::{Seen, Within};
pub(crate) use tree::walk::path_of;
pub use types::{
    Copied, CopyJob, Entry, FileState, Held, Holder, Kind, Looked, Meant, Page, PreparedBytes,
    Readable, Times, Upload, UploadMode, UploadPlan,
};
