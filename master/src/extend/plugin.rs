//! A plugin as its table has it, and the plugins that run.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use drftpd_actors::{Check, ConfigError, parse_table};
use serde::de::DeserializeOwned;
use toml::Table;

use super::act::Gates;
use super::cx::PluginCx;
use super::hooks::Hooks;
use crate::admin::{AdminError, Code, Command};

/// One line of the table of plugins.
pub struct Plugin {
    /// Its name: of its section (`[plugins.NAME]`), in logs, in the store, among the readers of events (`plugin.NAME`).
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// Commands that it brings; they are there, and say so, also where the plugin is off.
    pub commands: &'static [&'static Command],
    /// Says what is wrong with its section, by keys of the section; mostly [`section`] of its options.
    pub check: fn(&Table) -> Result<(), Vec<ConfigError>>,
    /// Starts it. The master does not start without it.
    pub start: fn(&mut PluginCx<'_>) -> Result<(), CannotStart>,
}

/// Why a plugin did not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CannotStart(pub String);

impl CannotStart {
    /// Because of this.
    pub fn because(why: impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// The options of a section.
///
/// # Errors
/// Everything that is wrong with it, by keys of the section.
pub fn section<T: DeserializeOwned + Check>(table: &Table) -> Result<T, Vec<ConfigError>> {
    parse_table(table.clone(), None)
}

/// The plugins that run, for whoever asks or calls them. Cheap to clone; the default is none.
#[derive(Clone, Default)]
pub struct Plugins(pub(super) Arc<Running>);

/// What plugins asked for at their start.
#[derive(Default)]
pub(super) struct Running {
    pub gates: Gates,
    pub hooks: Hooks,
    /// Whether entries are looked up by their names alone.
    pub names: bool,
    pub shared: BTreeMap<&'static str, Arc<dyn Any + Send + Sync>>,
}

#[cfg(test)]
impl Plugins {
    /// Those of a test.
    pub(crate) fn for_test(gates: Gates, hooks: Hooks) -> Self {
        Self(Arc::new(Running {
            gates,
            hooks,
            ..Running::default()
        }))
    }
}

impl Plugins {
    /// Who may say no before something happens.
    pub fn gates(&self) -> &Gates {
        &self.0.gates
    }

    /// Who is called before and after commands.
    pub fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    /// Whether any of them looks entries up by their names alone.
    pub(crate) fn want_names(&self) -> bool {
        self.0.names
    }

    /// What a plugin shares with its commands.
    ///
    /// # Errors
    /// When it is off.
    pub fn of<T: Any + Send + Sync>(&self, name: &str) -> Result<Arc<T>, AdminError> {
        let shared = self.0.shared.get(name).cloned();
        let shared = shared.and_then(|shared| shared.downcast().ok());
        shared.ok_or_else(|| {
            let why = format!("{name} is off: master.toml has no section [plugins.{name}]");
            AdminError::new(Code::Failed, why)
        })
    }
}
