//! Ring 4 of the tests: a whole cluster in one thread under a seeded simulation, with the production code of master and
//! slave over a simulated network and real folders.
//!
//! `world` has the hosts, `client` speaks FTP as they hear it, `worker` is a user who keeps books in a `ledger`,
//! `faults` breaks links and hosts, `check` compares what is left with the books. The same seed gives the same trace.

pub mod check;
pub mod client;
pub mod faults;
pub mod ledger;
mod panics;
pub mod run;
pub mod trace;
pub mod worker;
pub mod world;

pub use client::{Failure, Ftp, Way};
pub use run::{Plan, run};
pub use trace::Trace;
pub use world::World;
