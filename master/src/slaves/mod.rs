//! Slaves: the port they dial, their certificates, one manager per link, what they show.

pub mod client;
pub mod error;
pub mod view;

pub use client::{Expected, Running, SlavesClient};
pub use error::{SlaveError, fault_reply};
pub use view::{SlaveView, SlaveViews, slave_of};
