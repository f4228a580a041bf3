//! The master: speaks FTP, owns the file list, the accounts and every decision.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod accounts;
pub mod events;
pub mod ftp;
pub mod slaves;
pub mod store;
pub mod transfer;
pub mod vfs;
