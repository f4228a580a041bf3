#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

use std::path::PathBuf;
use std::sync::Arc;

use drftpd_actors::{Blocking, Check, Clock, ConfigError, Dice, Drain, Net, Place};
use tokio::sync::watch;

pub mod config;
pub mod join;
pub mod link;
pub mod ops;
mod root;
pub mod space;
pub mod storage;
pub mod sys;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
pub mod transfer;

pub use config::SlaveConfig;
pub use link::LinkView;
use root::{Parts, SlaveRoot};

/// Disks of one slave that may hang without harm to the others.
const PROBES: usize = 64;

/// Everything that comes from outside, so that a whole cluster runs in one thread in a simulation
/// with the code of production.
#[derive(Clone)]
pub struct Deps {
    /// The network.
    pub net: Arc<dyn Net>,
    /// The time of day.
    pub clock: Clock,
    /// Chance.
    pub dice: Dice,
    /// Threads for the disk.
    pub blocking: Blocking,
    /// Threads that only ask disks how they are: work that hangs on one disk must not keep the
    /// others from being asked. As many as there are roots, and one more.
    pub probes: Blocking,
    /// Where data channels run; everything else runs where `run` is called.
    pub place: Place,
    /// Begins the end: the slave drains when this does. It drives no phases, so a process that
    /// embeds a slave gives it a drain of its own.
    pub drain: Drain,
    /// Shows the link to whoever subscribes.
    pub view: Arc<watch::Sender<LinkView>>,
    /// Newer configurations while it runs: what can count at once does.
    pub reload: Option<watch::Receiver<SlaveConfig>>,
    /// Free space that every root shows in place of its disk's, where a run must not depend on how
    /// full the machine is (simulation).
    pub pretended_space: Option<u64>,
}

impl Deps {
    /// Those of a process of its own: real network, clock and chance, `threads` for the disk.
    /// Made inside the runtime.
    pub fn real(net: Arc<dyn Net>, place: Place, threads: usize) -> Self {
        Deps {
            net,
            clock: Clock::system(),
            dice: Dice::system(),
            blocking: Blocking::new(threads),
            probes: Blocking::new(PROBES),
            place,
            drain: Drain::new(),
            view: Arc::default(),
            reload: None,
            pretended_space: None,
        }
    }
}

/// Why a slave could not begin, or ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum SlaveError {
    /// The configuration cannot be used.
    #[error("{}", lines(.0))]
    Config(Vec<ConfigError>),
    /// The roots cannot be used.
    #[error("root: {0}")]
    Storage(#[from] storage::StorageError),
    /// What is remembered of the highest epoch cannot be read, and guessing would be dangerous.
    #[error("link.seen: {}: {source}", path.display())]
    Seen {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Disk work panicked, or the runtime ended.
    #[error("disk work failed: {0}")]
    Blocking(String),
    /// An actor was restarted too often.
    #[error("the actor \"{0}\" failed again and again")]
    GaveUp(&'static str),
    /// The top of all actors failed.
    #[error("the slave's root failed")]
    Root,
}

impl SlaveError {
    /// Whether it lies in what the operator wrote, and not in what happened.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            SlaveError::Config(_) | SlaveError::Storage(_) | SlaveError::Seen { .. }
        )
    }
}

fn lines(errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Looks at everything that a configuration names and that must be right for a start: certificates
/// and the remembered epoch. Blocks.
///
/// # Errors
/// Everything that is wrong, with its key.
pub fn check(config: &SlaveConfig) -> Result<(), Vec<ConfigError>> {
    let mut errors = Vec::new();
    config.check(&mut errors);
    errors.extend(link::tls::load(&config.link).err());
    let seen = link::seen::SeenFile::at(&config.link.seen);
    if let Err(error) = seen.read() {
        let why = format!("{}: {error}", seen.path().display());
        errors.push(ConfigError::new("link.seen", why));
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors),
    }
}

/// Looks whether the roots' folders are there. A slave starts without them, for a disk may be
/// mounted late; but whoever looks at a configuration wants to know.
///
/// # Errors
/// Each that is not, with its key.
pub fn check_roots(config: &SlaveConfig) -> Result<(), Vec<ConfigError>> {
    let missing = config.root.iter().enumerate();
    let missing = missing.filter(|(_, root)| !root.path.join(".drftpd/identity").is_file());
    let errors = missing.map(|(at, root)| {
        let why = format!(
            "{} has no identity file: not mounted, or never joined",
            root.path.display()
        );
        ConfigError::new(format!("root.{at}.path"), why)
    });
    let errors: Vec<ConfigError> = errors.collect();
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors),
    }
}

/// A whole slave: opens its roots, serves its master for ever, and ends when it has drained.
///
/// Must be called inside a `LocalSet` (see `drftpd_actors::block_on`).
///
/// # Errors
/// [`SlaveError`]: at once what cannot be used, later only when an actor failed for good; running
/// transfers had their time then too.
pub async fn run(config: SlaveConfig, deps: Deps) -> Result<(), SlaveError> {
    let parts = Parts::open(config, deps).await?;
    match SlaveRoot::start(parts).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(actor)) => Err(SlaveError::GaveUp(actor)),
        Err(_) => Err(SlaveError::Root),
    }
}
