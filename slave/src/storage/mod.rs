//! Storage: the roots of a slave and what lies in them.
//!
//! A root is a folder with an identity. Files are plain files at their path in the tree and carry
//! their identity in an extended attribute; uploads grow in the root's staging folder until they
//! are published; what stands in the way is moved aside, never overwritten. The disk is the truth
//! about the disk: nothing is kept in memory that could disagree with it.
//!
//! All functions block; callers run them on the pool for blocking work. They may be called from
//! several threads at a time; operations on one root's tree wait for one another.

mod apply;
mod aside;
mod disown;
mod ending;
mod error;
mod identify;
mod identity;
mod live;
mod mark;
mod merge;
mod moves;
mod open;
mod publish;
mod root;
mod roots;
mod space;
mod staging;
mod trash;
mod tree;
mod walk;
mod watch;

#[cfg(test)]
mod tests;

pub use apply::Applied;
pub use error::StorageError;
pub use mark::{FileMark, Mark};
pub use open::{Stamp, StoredFile};
pub use root::{InUse, Root};
pub use roots::{Fsync, RootConfig, Roots, Sharing, StoragePolicy};
pub use staging::Staging;
pub use walk::{AppliedNow, Walk, WalkItem};
pub use watch::{Change, Watch};
