//! The fault matrix: users work with a cluster of processes while everything breaks as a seed says; then the cluster is
//! left in peace, and the file list must be right.
//!
//! `round` is one cluster with its users (`crate::users`), `faults` injects what `kinds` deals, over `link` and by `hands`,
//! and `peace` waits for the end of all consequences and judges.

pub mod faults;
pub mod hands;
pub mod kinds;
pub mod link;
mod peace;
pub mod round;

pub use kinds::{Deck, Kind};
pub use round::{Plan, round};
