//! Whole clusters under test: real processes on loopback, real clients, faults injected.
//!
//! Ring 5 of the tests: what only separate processes, real disks and programs of others can show.
//! Every server takes port 0; nothing here sleeps: it waits for lines, replies and process ends,
//! each with a limit.
// Tests wait on real clocks and start threads; the rules for actors are not theirs.
#![allow(clippy::disallowed_methods)]

pub mod acme;
pub mod bystander;
pub mod cbftp;
pub mod client;
pub mod cluster;
pub mod data;
pub mod ftp;
pub mod ftps;
pub mod hook;
mod http;
pub mod matrix;
pub mod network;
pub mod points;
pub mod power;
pub mod process;
pub mod sim;
pub mod sites;
pub mod small;
pub mod users;
pub mod wire;
pub mod workload;

pub use acme::AcmeAuthority;
pub use client::Tool;
pub use cluster::{Cluster, ClusterSpec, SlaveProcess};
pub use data::Bytes;
pub use ftp::{Ftp, Mode};
pub use points::Points;
pub use process::Running;
