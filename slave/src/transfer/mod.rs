//! Data channels: ports, connections, and the bytes that go over them.
//!
//! The link holds [`Transfers`]. Behind it stand one [`registry`] and one [`actor`] for each data
//! channel; what they decide is in [`book`] and [`channel`], pure. The bytes are moved by [`copy`].

pub mod actor;
pub mod book;
pub mod channel;
pub mod client;
pub mod config;
pub mod copy;
pub mod dial;
pub mod env;
pub mod error;
pub mod growing;
pub mod job;
pub mod listen;
pub mod messages;
pub mod meter;
pub mod pace;
pub mod peers;
pub mod ports;
pub mod registry;
pub mod shelf;
pub mod stop;
pub mod strangers;
pub mod tls;

#[cfg(test)]
mod tests;

pub use client::Transfers;
pub use config::{TransferConfig, TransferConfigError};
pub use env::Deps;
pub use messages::TransferNotice;
pub use meter::Load;
pub use peers::Network;
pub use ports::PortRange;
