//! Where the file list, the accounts and the logs of operations live: one transactional store.
//!
//! A change is a [`Command`]: commands run in order on one writer, many of them in one commit, and
//! are answered after that commit. Reads see committed snapshots through [`Store::read`]. What a
//! second engine must offer is small: the methods of [`Sql`] and [`Batch`] over the same tables,
//! begin, commit and roll back.

mod backup;
mod command;
mod config;
pub mod dump;
mod engine;
pub mod error;
mod ids;
mod jsonl;
mod look;
mod open;
mod readers;
mod schema;
mod space;
mod sql;
mod writer;

#[cfg(test)]
mod tests;

pub use backup::backup;
pub use command::Command;
pub use config::{Case, Durability, NamesConfig, StoreConfig};
pub use engine::{Pending, Store};
pub use error::StoreError;
pub use ids::{Ids, Issued};
pub use look::look;
pub use open::{FORMAT, Identity};
pub use rusqlite::{Row, params};
pub use space::look_for_space;
pub use sql::{Batch, Sql, id, number};
