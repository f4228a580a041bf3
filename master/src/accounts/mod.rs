//! Who may log in. Who may do what where is in [`crate::rights`].

pub mod actor;
pub mod address;
pub mod bans;
mod buffers;
pub mod client;
pub mod config;
pub mod credits;
pub mod disk;
pub mod downloads;
pub mod earned;
pub mod edit;
mod guesses;
pub mod legacy;
pub mod limits;
mod line;
pub mod mailbox;
pub mod masks;
pub mod messages;
pub mod names;
pub mod password;
pub mod people;
pub mod period;
pub mod policy;
pub mod quota;
pub mod ratio;
pub mod setup;
pub mod table;
pub mod tally;
pub mod types;
pub mod who;

#[cfg(test)]
mod login_tests;
#[cfg(test)]
pub(crate) mod tests;

pub use actor::{AccountsActor, AccountsDeps};
pub use client::{AccountsClient, LoginError, Standing};
pub use config::AccountsConfig;
pub use people::People;
pub use setup::{Administrator, SetupError, ensure_administrator};
pub use types::{Account, Action, Whose};
