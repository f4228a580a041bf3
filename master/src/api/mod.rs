//! The HTTP API: every command of the table over HTTP, for whoever has a token; and what machines ask without one.
//!
//! `POST /api/v1/AREA/VERB` with a JSON object runs a command as `ctl` does: the path, the arguments, the help and the
//! permission are those of [`crate::admin::COMMANDS`], and the document (`/api/v1/openapi.json`) is made from it. A token
//! ([`tokens`]) is an operator within its [`Scopes`]. Everything happens on one thread: [`server`] accepts and speaks TLS,
//! [`gate`] counts, [`requests`] asks the table.

pub mod config;
pub(crate) mod events;
mod follow;
mod gate;
mod health;
mod live;
mod metrics;
mod openapi;
mod patient;
mod reply;
mod requests;
pub mod scopes;
mod server;
mod shared;
#[cfg(test)]
mod tests;
pub mod tokens;

pub use config::ApiConfig;
pub use events::Told;
pub use health::Vital;
pub use scopes::Scopes;
pub use server::{Api, CannotServe};
pub use shared::Shared;
