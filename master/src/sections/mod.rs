//! Sections: named parts of the tree. A plain one is a directory; a dated one has a directory for each day in it, and a
//! link that leads to today's.
//!
//! [`SectionsConfig::of`] says which section a path is of; [`start`] begins the actor that makes the directories of days.

mod config;
mod date;
mod keeper;

#[cfg(test)]
mod tests;

pub use config::{Section, SectionsConfig};
pub use date::DatePattern;
pub use keeper::{KeeperDeps, NAME, start};
