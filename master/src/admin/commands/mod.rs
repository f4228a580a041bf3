//! The commands, one family in each file. A command is a constant here and a line in [`super::COMMANDS`].

pub mod audit;
pub mod bans;
pub mod config;
pub mod copies;
pub mod differences;
pub mod doctor;
pub mod dump;
pub mod events;
pub mod forget;
pub mod groups;
pub mod help;
pub mod import;
pub mod presence;
pub mod process;
pub mod rescan;
pub mod retire;
pub mod roots;
pub mod rules;
pub mod scrub;
pub mod sections;
pub mod sessions;
pub mod slaves;
pub mod standing;
pub mod stat;
pub mod store;
pub mod tokens;
pub mod transfers;
pub mod user_bans;
pub mod user_change;
pub mod user_list;
pub mod user_masks;
pub mod user_show;
pub mod users;
pub mod vfs;

mod people;
pub(crate) mod table;
