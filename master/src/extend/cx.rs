//! The start of plugins: what each is given, and what it asks for.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Recipient};
use drftpd_actors::{
    Blocking, Budget, Check, Child, ChildDown, ChildSpec, Clock, Dice, Drain, EventBus, Net, Place,
    supervise,
};
use serde::de::DeserializeOwned;
use toml::Table;
use tracing::info;

use super::act::{Act, Asked};
use super::hooks::{After, Before, Terms};
use super::plugin::{CannotStart, Plugins, Running, section};
use super::shelf::Shelf;
use super::sink::{Happened, ToActor};
use crate::accounts::People;
use crate::config::MasterConfig;
use crate::outbox::Wanted;
use crate::rights::Rights;
use crate::root::MasterError;
use crate::store::Store;
use crate::vfs::VfsClient;

/// Questions that may wait for a plugin's actor.
const MAILBOX: usize = 256;

/// What every plugin may use.
#[derive(Clone)]
pub struct Given {
    /// The configuration at the start.
    pub config: Arc<MasterConfig>,
    /// Who may do what where.
    pub rights: Rights,
    /// The store; rows of its own a plugin has by [`PluginCx::shelf`].
    pub store: Store,
    /// The file list.
    pub vfs: VfsClient,
    /// What everybody shares who deals with accounts.
    pub people: People,
    /// Where events are published that may be lost.
    pub bus: EventBus,
    /// The network.
    pub net: Arc<dyn Net>,
    /// The time of day.
    pub clock: Clock,
    /// Chance.
    pub dice: Dice,
    /// For work that blocks.
    pub blocking: Blocking,
    /// Begins when the master ends.
    pub drain: Drain,
}

/// What a plugin gets at its start.
pub struct PluginCx<'a> {
    name: &'static str,
    section: &'a Table,
    given: &'a Given,
    place: &'a Place,
    parent: &'a Recipient<ChildDown>,
    running: &'a mut Running,
    readers: &'a mut Vec<ToActor>,
}

impl PluginCx<'_> {
    /// What it may use.
    pub fn given(&self) -> &Given {
        self.given
    }

    /// Its options.
    ///
    /// # Errors
    /// When its section is wrong; `config check` would have said so.
    pub fn config<T: DeserializeOwned + Check>(&self) -> Result<T, CannotStart> {
        section(self.section).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            CannotStart(errors.join("; "))
        })
    }

    /// Its rows in the store.
    pub fn shelf(&self) -> Shelf {
        Shelf::new(self.name, self.given.store.clone())
    }

    /// Starts an actor of its own, which begins anew when it panics, three times in ten minutes; after that the plugin is
    /// off, and whatever it has a say in is refused.
    pub fn supervise<A: Child>(&self, make: impl FnOnce() -> A + Send + 'static) -> Addr<A> {
        let spec = ChildSpec::new(self.name, MAILBOX, Budget::PLUGIN, self.parent.clone());
        supervise(self.place, spec, make)
    }

    /// Has an actor told what has happened: at least once, in order, from the first start with this plugin on.
    pub fn hears(&mut self, wanted: Wanted, to: Recipient<Happened>) {
        let name = format!("plugin.{}", self.name);
        self.readers.push(ToActor { name, wanted, to });
    }

    /// Has an actor asked before these things happen. Where it does not answer within the limit they must not.
    pub fn judges(&mut self, acts: &[Act], limit: Duration, to: &Recipient<Asked>) {
        self.running.gates.add(self.name, acts, to, limit);
    }

    /// Has an actor called before a verb (`STOR`) or a command (`user add`), the least priority first.
    pub fn before(
        &mut self,
        on: &'static str,
        priority: i32,
        limit: Duration,
        to: Recipient<Before>,
    ) {
        let terms = self.terms(priority, limit);
        self.running.hooks.before(on, terms, to);
    }

    /// Has an actor called after it.
    pub fn after(
        &mut self,
        on: &'static str,
        priority: i32,
        limit: Duration,
        to: Recipient<After>,
    ) {
        let terms = self.terms(priority, limit);
        self.running.hooks.after(on, terms, to);
    }

    /// Has the names of all entries indexed, for `VfsClient::named`: each new name costs a little more then, and at the first
    /// start with this plugin the whole tree is indexed before the master serves.
    pub fn wants_names(&mut self) {
        self.running.names = true;
    }

    /// Gives its commands something: they have it by [`Cx::plugin`](crate::admin::Cx::plugin).
    pub fn shares<T: Any + Send + Sync>(&mut self, state: Arc<T>) {
        self.running.shared.insert(self.name, state);
    }

    fn terms(&self, priority: i32, limit: Duration) -> Terms {
        Terms {
            name: self.name,
            priority,
            limit,
        }
    }
}

/// Starts every plugin that has a section; answers what they asked for, and who wants events.
///
/// # Errors
/// When one cannot start.
pub(crate) fn start(
    given: &Given,
    place: &Place,
    parent: &Recipient<ChildDown>,
) -> Result<(Plugins, Vec<ToActor>), MasterError> {
    let (mut running, mut readers) = (Running::default(), Vec::new());
    for plugin in given.config.extensions.plugins() {
        let Some(section) = given.config.plugins.get(plugin.name) else {
            continue;
        };
        let mut cx = PluginCx {
            name: plugin.name,
            section,
            given,
            place,
            parent,
            running: &mut running,
            readers: &mut readers,
        };
        (plugin.start)(&mut cx).map_err(|source| MasterError::Plugin {
            name: plugin.name,
            source,
        })?;
        info!(plugin = plugin.name, "plugin is on");
    }
    Ok((Plugins(Arc::new(running)), readers))
}
