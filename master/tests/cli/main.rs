//! The command line as scripts and packages use it: the real program in a folder of its own, on loopback.

#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

mod audit;
mod cluster;
mod control;
mod import;
mod keys;
mod making;
#[cfg(feature = "failpoints")]
mod panics;
mod quickstart;
mod running;
mod usage;

pub use cluster::program;
