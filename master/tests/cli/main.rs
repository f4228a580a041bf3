//! The command line as scripts and packages use it: the real program in a folder of its own, on loopback.

mod cluster;
mod making;
mod running;
mod usage;

pub use cluster::program;
