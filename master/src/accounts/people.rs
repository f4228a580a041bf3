//! What everybody shares who deals with accounts: whether any was changed, which addresses are banned, and how passwords
//! are hashed. One for a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drftpd_actors::{Blocking, BlockingError, Dice};
use tokio::sync::watch;

use super::bans::Bans;
use super::config::AccountsConfig;
use super::line::Line;
use super::password::{HashError, Hasher, salt};

/// How often accounts were changed since the start. Whoever holds one reads it again when this has grown.
#[derive(Debug, Clone, Default)]
pub struct Changes(Arc<AtomicU64>);

impl Changes {
    /// The number of changes.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// What everybody shares who deals with accounts. Clones are the same.
#[derive(Clone)]
pub struct People {
    /// Whether any account was changed.
    pub changes: Changes,
    /// Addresses that may not connect.
    pub bans: Bans,
    /// `[accounts]`, as it counts.
    config: Arc<watch::Sender<Arc<AccountsConfig>>>,
    /// Where logins from addresses wait from which nobody has logged in.
    pub(super) strangers: Line,
    hasher: Hasher,
    dice: Dice,
}

impl People {
    /// As `[accounts]` says; nobody is banned yet.
    ///
    /// # Errors
    /// When argon2 does not take the parameters.
    pub fn new(config: &AccountsConfig, dice: &Dice) -> Result<Self, HashError> {
        Ok(Self {
            changes: Changes::default(),
            bans: Bans::default(),
            config: Arc::new(watch::Sender::new(Arc::new(config.clone()))),
            strangers: Line::new(config.hash_queue, config.strangers()),
            hasher: Hasher::new(config)?,
            dice: dice.clone(),
        })
    }

    /// `[accounts]`, as it counts.
    pub fn config(&self) -> Arc<AccountsConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// Another `[accounts]` counts from now on; sessions look at their accounts again. How passwords are hashed stays.
    pub fn take(&self, config: AccountsConfig) {
        let changed = self.config.send_if_modified(|current| {
            let changed = **current != config;
            *current = Arc::new(config);
            changed
        });
        if changed {
            self.changes.add();
        }
    }

    /// How passwords are hashed.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// For salts.
    pub fn dice(&self) -> &Dice {
        &self.dice
    }

    /// The hash of a new password, made where it holds nobody up.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn hash(&self, password: &str, on: &Blocking) -> Result<String, HashError> {
        let (hasher, salt, word) = (self.hasher.clone(), salt(&self.dice), password.to_owned());
        let made = on.run(move || hasher.hash(word.as_bytes(), &salt)).await;
        made.unwrap_or_else(|why: BlockingError| Err(HashError::new(why)))
    }
}
