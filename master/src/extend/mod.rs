//! How a master is extended: what a plugin may do, and what a program of one's own adds to the tables.
//!
//! A plugin is one constant ([`Plugin`]) in a file of its own and one line in a table: [`crate::plugins::PLUGINS`], or a call
//! of [`Extensions::plugin`] in a program that was made from this library. It is on where its section is in the
//! configuration, and gets a [`PluginCx`] at the start of the master. What it may ask for there: events that it must not
//! miss ([`hears`](PluginCx::hears)), a say before something happens ([`judges`](PluginCx::judges)), calls around commands
//! ([`before`](PluginCx::before), [`after`](PluginCx::after)), rows of its own in the store ([`Shelf`]).

mod act;
mod cx;
mod hooks;
mod plugin;
mod shelf;
mod sink;
mod tables;

#[cfg(test)]
mod tests;

pub use act::{Act, Asked, Gates, Stopped};
pub(crate) use cx::start;
pub use cx::{Given, PluginCx};
pub use hooks::{After, Around, Before, Called, Hooks, NO_ANSWER};
pub use plugin::{CannotStart, Plugin, Plugins, section};
pub use shelf::Shelf;
pub use sink::Happened;
pub(crate) use sink::ToActor;
pub use tables::Extensions;
