//! Slaves: the port they dial, their certificates, one manager per link, what they show.

mod asked;
pub mod authority;
mod awaited;
pub mod book;
mod calls;
pub mod client;
mod compare;
pub mod config;
mod door;
pub mod enroll;
pub mod error;
pub mod filelist;
mod findings;
mod link;
mod manager;
mod messages;
mod ops;
mod registry;
mod relay;
mod remerge;
mod rest;
mod rewound;
mod roots;
mod roster;
pub mod secret_file;
mod standing;
mod start;
#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
mod unproven;
pub mod view;
mod writer;

pub use authority::{Authority, AuthorityError};
pub use book::SlaveRow;
pub use client::{Expected, Running, SlavesClient};
pub use config::SlavesConfig;
pub use enroll::{Enroll, EnrollError};
pub use error::{SlaveError, fault_reply};
pub use filelist::FileList;
pub use standing::{Duty, Standing};
pub use start::{SlavesDeps, SlavesStartError, start};
pub use view::{SlaveView, SlaveViews, shown_roots, slave_of};
