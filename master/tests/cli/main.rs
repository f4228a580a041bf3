//! The command line as scripts and packages use it: the real program in a folder of its own, on loopback.

#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

mod cluster;
mod keys;
mod making;
mod running;
mod usage;

pub use cluster::program;
