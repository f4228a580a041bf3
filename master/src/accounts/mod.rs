//! Who may log in and who may do what where.

pub mod access;
pub mod client;
pub mod types;

pub use client::{AccountsClient, LoginError};
pub use types::{Account, Action};
