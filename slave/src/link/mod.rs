//! The link to the master: dial for ever, greet, take calls, tell notices.
//!
//! | file | what it has |
//! |---|---|
//! | `actor` | `MasterLink`: frames in, operations begun, heartbeats out |
//! | `book` | pure: whose frames are taken, which calls are under way, who is dead |
//! | `up` | what lives and dies with one link |
//! | `deps` | what outlives it |
//! | `dial` | from nothing to a welcome |
//! | `tasks` | dialling with what the slave is now, and the pumps of notices |
//! | `writer` | the queue of frames that go out |
//! | `seen` | the highest epoch, kept on disk |
//! | `tls`, `address` | proofs, and where the master is |

mod actor;
mod address;
mod book;
mod deps;
mod dial;
mod messages;
pub mod seen;
mod tasks;
pub mod tls;
mod up;
mod writer;

#[cfg(test)]
pub(crate) use actor::Explode;
pub use actor::MasterLink;
pub use address::{MasterAddress, MasterAddressError};
pub use deps::LinkDeps;
pub use dial::{DialError, Way, connect};
pub use messages::{CloseLink, LinkView};
pub(crate) use tasks::send;
