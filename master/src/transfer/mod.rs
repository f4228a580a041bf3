//! Which slave serves which transfer: filters, slots, reservations.

pub mod client;
pub mod error;
pub mod types;

pub use client::{Judged, TransfersClient};
pub use error::TransferError;
pub use types::{Direction, Slot, Want};
