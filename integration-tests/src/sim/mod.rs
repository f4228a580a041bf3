//! Ring 4 of the tests: a whole cluster in one thread under a seeded simulation, with the production code of master and
//! slave over a simulated network and real folders.
//!
//! `world` has the hosts, on which users work (`crate::users`), `faults` breaks links and hosts. The same seed gives the
//! same trace.

pub mod faults;
mod panics;
pub mod run;
pub mod world;

pub use run::{Plan, run};
pub use world::{Shape, World};
