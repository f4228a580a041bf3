//! The tables of a program: what the master has by itself, and what was added.

use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use super::plugin::Plugin;
use crate::admin::{Command, Commands};
use crate::plugins::PLUGINS;
use crate::transfer::filters::{FilterKind, FilterKinds};

static OWN: LazyLock<Extensions> = LazyLock::new(Extensions::new);

/// Everything that stands in a table: plugins, commands, filters. A configuration is read against it. Cheap to clone.
#[derive(Clone)]
pub struct Extensions(Arc<Tables>);

#[derive(Clone)]
struct Tables {
    plugins: Vec<&'static Plugin>,
    added: Vec<&'static Command>,
    filters: Vec<FilterKind>,
    commands: Commands,
}

impl Extensions {
    /// What the master has by itself.
    pub fn new() -> Self {
        Self::of(PLUGINS.to_vec(), Vec::new(), Vec::new())
    }

    /// With one more plugin.
    #[must_use]
    pub fn plugin(self, plugin: &'static Plugin) -> Self {
        let mut all = self.0.plugins.clone();
        all.push(plugin);
        Self::of(all, self.0.added.clone(), self.0.filters.clone())
    }

    /// With one more command of the operator: by SITE, `ctl` and the API.
    #[must_use]
    pub fn command(self, command: &'static Command) -> Self {
        let mut all = self.0.added.clone();
        all.push(command);
        Self::of(self.0.plugins.clone(), all, self.0.filters.clone())
    }

    /// With one more filter that chooses slaves.
    #[must_use]
    pub fn filter(self, filter: FilterKind) -> Self {
        let mut all = self.0.filters.clone();
        all.push(filter);
        Self::of(self.0.plugins.clone(), self.0.added.clone(), all)
    }

    fn of(
        plugins: Vec<&'static Plugin>,
        added: Vec<&'static Command>,
        filters: Vec<FilterKind>,
    ) -> Self {
        let of_plugins = plugins.iter().flat_map(|plugin| plugin.commands);
        let commands = Commands::and(of_plugins.chain(&added).copied());
        Self(Arc::new(Tables {
            plugins,
            added,
            filters,
            commands,
        }))
    }

    /// The command line of `drftpd-master` with all of it: for `main` of a program.
    pub fn main(&self) -> ExitCode {
        crate::cli::main(self)
    }

    /// All plugins, on or off.
    pub fn plugins(&self) -> &[&'static Plugin] {
        &self.0.plugins
    }

    /// All commands.
    pub fn commands(&self) -> &Commands {
        &self.0.commands
    }

    /// All filters.
    pub fn filters(&self) -> FilterKinds {
        FilterKinds::and(self.0.filters.iter().copied())
    }

    /// What stands in a table twice, for people: nobody could say which is meant.
    pub fn twice(&self) -> Vec<String> {
        let mut names: Vec<&str> = self.0.plugins.iter().map(|plugin| plugin.name).collect();
        names.sort_unstable();
        let twice = names.windows(2).filter(|pair| pair[0] == pair[1]);
        let plugins = twice.map(|pair| format!("plugin {}", pair[0]));
        let others = self.commands().twice().into_iter();
        plugins
            .chain(others)
            .chain(self.filters().twice())
            .collect()
    }
}

impl Default for Extensions {
    fn default() -> Self {
        OWN.clone()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.plugins.iter().map(|plugin| plugin.name);
        f.debug_list().entries(names).finish()
    }
}

/// They belong to the program, not to what its configuration says.
impl PartialEq for Extensions {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
