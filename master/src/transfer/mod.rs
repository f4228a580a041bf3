//! Which slave serves which transfer: filters, slots, reservations.

mod chart;
mod choose;
pub mod client;
mod config;
mod coordinator;
pub mod error;
pub mod filters;
mod ledger;
mod messages;
pub mod types;

pub use chart::{Ask, Chain, Row, Verdict};
pub use client::{Judged, TransfersClient};
pub use config::{ChainConfig, TransferConfig};
pub use coordinator::{TransferDeps, TransferIds, start};
pub use error::TransferError;
pub use filters::FILTERS;
pub use types::{Direction, Slot, Want};
