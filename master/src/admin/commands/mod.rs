//! The commands, one family in each file. A command is a constant here and a line in [`super::COMMANDS`].

pub mod copies;
pub mod differences;
pub mod doctor;
pub mod dump;
pub mod help;
pub mod process;
pub mod rescan;
pub mod retire;
pub mod roots;
pub mod scrub;
pub mod sessions;
pub mod slaves;
pub mod standing;
pub mod stat;
pub mod store;
pub mod tokens;
pub mod transfers;

mod table;
