//! Users of a cluster, simulated or of real processes, who keep books of what was answered; and the comparison of their
//! books with what is there in the end.
//!
//! `site` is where they work, `client` speaks FTP, `worker` is a user who keeps books in a `ledger`, `trace` is the
//! history of all calls and replies, `check` compares what is left with the books, `spoilt` knows what was taken away by hand.

pub mod check;
pub mod client;
pub mod ledger;
pub mod site;
pub mod spoilt;
pub mod trace;
pub mod worker;

pub use client::{Failure, Ftp, Way};
pub use site::Site;
pub use spoilt::Spoilt;
pub use trace::Trace;
