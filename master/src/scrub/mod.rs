//! Scrub: every copy is read again from time to time (`[scrub]`), slowly and behind clients, and held against the file
//! list.
//!
//! A pass goes through the copies of one root in the order of their files' numbers. How far it is stands in the store
//! (`scrub_pass`) with what it found, in one command, so that it goes on there whoever was killed. What is judged bad was
//! read twice; then the copy is not served any more, and the copier (`copies`) repairs it from a good one, if there is
//! one. Nothing is erased.

mod actor;
mod client;
mod config;
mod work;

#[cfg(test)]
mod tests;

pub use actor::{NAME, ScrubDeps, start};
pub use client::{Now, ScrubClient};
pub use config::ScrubConfig;
