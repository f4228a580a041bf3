//! Further copies of files: rules say how many a file has (`[copies]`), and the copier brings reality to the rule, one
//! transfer between two slaves at a time.
//!
//! What is to be looked at is a durable queue of the store (`copy_job`), filled in the batch that gives the reason: an
//! upload, a file that was found, a copy that was spoilt. Looking is pure (`look`), so a crash between any two steps
//! only means that the file is looked at again. Copies that scrub has found to be damaged come the same way, with a rule
//! or without: good bytes go to the root that has the bad ones, and those go to its trash when the good ones take their
//! place.
//!
//! Where a rule wants two copies before 226, the second one is made while the client sends (`second`).

mod actor;
mod client;
mod config;
mod course;
mod look;
mod make;
mod order;
mod pass;
mod round;
mod second;
mod sweep;

pub use actor::{CopiesDeps, NAME, start};
pub use client::{CopiesClient, Under};
pub use config::{AckElse, CopiesConfig, CopyRule};
pub use course::Word;
pub use make::Maker;
pub use second::{Seconds, Sent};
