//! The plugins of the master itself: one file each and one line here. On where the configuration has `[plugins.NAME]`.

mod dupecheck;
mod nuke;
mod pre;

#[cfg(test)]
mod tests;

use crate::extend::Plugin;

/// All of them, by name.
pub static PLUGINS: &[&Plugin] = &[&dupecheck::DUPECHECK, &nuke::NUKE, &pre::PRE];
