#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod ops;
pub mod storage;
pub mod sys;
pub mod transfer;
