//! Who may log in and who may do what where.

pub mod access;
pub mod actor;
mod buffers;
pub mod client;
pub mod config;
pub mod messages;
pub mod password;
pub mod setup;
pub mod table;
pub mod types;
pub mod who;

#[cfg(test)]
mod tests;

pub use actor::{AccountsActor, AccountsDeps};
pub use client::{AccountsClient, LoginError};
pub use config::AccountsConfig;
pub use setup::{Administrator, SetupError, ensure_administrator};
pub use types::{Account, Action, Whose};
