#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod accounts;
pub mod acme;
pub mod admin;
pub mod api;
mod audit;
pub mod cli;
pub mod config;
pub mod copies;
mod deps;
pub mod doctor;
pub mod events;
pub mod extend;
pub mod ftp;
pub mod import;
mod logs;
pub mod outbox;
pub mod pages;
pub mod plugins;
pub mod quickstart;
pub mod reload;
pub mod rights;
mod root;
pub mod scrub;
pub mod search;
pub mod sections;
pub mod setup;
pub mod slaves;
pub mod store;
pub mod tls;
pub mod transfer;
pub mod vfs;
mod web;

pub use config::MasterConfig;
pub use deps::{Deps, Places, Ready, Serving};
pub use extend::Extensions;
pub use root::{MasterError, run};
