//! Reading the configuration again while the master runs: the whole file is checked, then what can count at once does.
//!
//! Whoever can take something new watches [`Reload::current`]; everything else counts after the next start, and the
//! operator is told so by name.

use std::sync::{Arc, Mutex, PoisonError};

use drftpd_actors::ConfigError;
use tokio::sync::watch;
use toml::Table;
use tracing::{info, warn};

use crate::accounts::AccountsConfig;
use crate::api::ApiConfig;
use crate::config::{Given, MasterConfig};
use crate::tls::TlsConfig;

/// Reads a configuration; blocks for a small file.
type Read = Box<dyn Fn() -> Result<MasterConfig, Vec<ConfigError>> + Send + Sync>;

/// The configuration that counts, and how to read it again.
pub struct Reload {
    read: Read,
    current: watch::Sender<Arc<MasterConfig>>,
    one_at_a_time: Mutex<()>,
}

/// What a reload has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Counts now.
    pub counts: Vec<&'static str>,
    /// Counts after the next start.
    pub waits: Vec<&'static str>,
}

impl Reload {
    /// Begins with the configuration that the master was started with.
    pub fn new(
        config: MasterConfig,
        read: impl Fn() -> Result<MasterConfig, Vec<ConfigError>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            read: Box::new(read),
            current: watch::Sender::new(Arc::new(config)),
            one_at_a_time: Mutex::new(()),
        }
    }

    /// The configuration that counts.
    pub fn current(&self) -> watch::Receiver<Arc<MasterConfig>> {
        self.current.subscribe()
    }

    /// Reads it again. One with errors changes nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn now(&self) -> Result<Reloaded, Vec<ConfigError>> {
        let _only_me = self
            .one_at_a_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let newer = (self.read)()?;
        let older = self.current.borrow().clone();
        let reloaded = compare(&older, &newer);
        self.current.send_replace(Arc::new(merge(&older, newer)));
        info!(counts = ?reloaded.counts, "configuration read again");
        if !reloaded.waits.is_empty() {
            warn!(keys = ?reloaded.waits, "changes of these count after the next start");
        }
        Ok(reloaded)
    }
}

/// What of the newer one counts at once; all else stays as it is until the next start.
fn merge(older: &MasterConfig, newer: MasterConfig) -> MasterConfig {
    let mut merged = older.clone();
    merged.log.level.clone_from(&newer.log.level);
    merged.given = given(&older.given, &newer.given);
    merged.shutdown = newer.shutdown;
    merged.rights = newer.rights;
    merged.traffic = newer.traffic;
    merged.pages = newer.pages;
    merged.sections = newer.sections;
    merged.accounts = AccountsConfig {
        // The pool in which passwords are hashed is made once.
        hash_memory_kib: older.accounts.hash_memory_kib,
        hash_rounds: older.accounts.hash_rounds,
        hash_workers: older.accounts.hash_workers,
        hash_queue: older.accounts.hash_queue,
        ..newer.accounts
    };
    merged.api = ApiConfig {
        // Where it listens, and how, is taken once.
        on_admin: older.api.on_admin,
        listen: older.api.listen.clone(),
        tls: older.api.tls,
        events_kept: older.api.events_kept,
        ..newer.api
    };
    if older.api.certificate.is_none() != merged.api.certificate.is_none() {
        merged.api.certificate = older.api.certificate.clone();
        merged.api.key = older.api.key.clone();
    }
    merged.tls = TlsConfig {
        // Addresses are taken once, and a certificate of the master's own is made once.
        listen_implicit: older.tls.listen_implicit.clone(),
        names: older.tls.names.clone(),
        // An order that runs would be another one.
        acme: older.tls.acme.clone(),
        ..newer.tls
    };
    merged
}

/// What files say of sections: where a section counts at once, at least in part, the newer one's.
fn given(older: &Given, newer: &Given) -> Given {
    let mut given = Table::clone(&older.0);
    for section in [
        "log", "shutdown", "rights", "pages", "sections", "accounts", "tls", "api", "traffic",
    ] {
        match newer.0.get(section) {
            Some(value) => given.insert(section.to_owned(), value.clone()),
            None => given.remove(section),
        };
    }
    Given(Arc::new(given))
}

fn compare(older: &MasterConfig, newer: &MasterConfig) -> Reloaded {
    let mut reloaded = Reloaded {
        counts: Vec::new(),
        waits: Vec::new(),
    };
    let merged = merge(older, newer.clone());
    for (name, same) in [
        ("log.level", merged.log == older.log),
        ("shutdown", merged.shutdown == older.shutdown),
        ("rights", merged.rights == older.rights),
        ("traffic", merged.traffic == older.traffic),
        ("pages", merged.pages == older.pages),
        ("sections", merged.sections == older.sections),
        ("accounts", merged.accounts == older.accounts),
        ("tls", merged.tls == older.tls),
        ("api", merged.api == older.api),
    ] {
        if !same {
            reloaded.counts.push(name);
        }
    }
    for (name, same) in [
        ("master", merged.master == newer.master),
        ("ftp", merged.ftp == newer.ftp),
        (
            "tls.listen_implicit",
            merged.tls.listen_implicit == newer.tls.listen_implicit,
        ),
        ("tls.names", merged.tls.names == newer.tls.names),
        ("tls.acme", merged.tls.acme == newer.tls.acme),
        ("passive", merged.passive == newer.passive),
        ("data", merged.data == newer.data),
        ("slaves", merged.slaves == newer.slaves),
        ("transfer", merged.transfer == newer.transfer),
        ("copies", merged.copies == newer.copies),
        ("storage", merged.storage == newer.storage),
        ("search", merged.search == newer.search),
        ("accounts", merged.accounts == newer.accounts),
        ("store", merged.store == newer.store),
        ("names", merged.names == newer.names),
        ("admin", merged.admin == newer.admin),
        ("api", merged.api == newer.api),
        ("log", merged.log == newer.log),
        ("plugins", merged.plugins == newer.plugins),
    ] {
        if !same {
            reloaded.waits.push(name);
        }
    }
    reloaded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Policy;
    use std::time::Duration;

    #[test]
    fn what_can_count_at_once_does_and_the_rest_is_named() {
        let mut newer = MasterConfig::default();
        newer.log.level = "debug".to_owned();
        newer.shutdown.drain = Duration::from_secs(1);
        newer.ftp.greeting = "hello".to_owned();
        newer.tls.login = Policy::Required;
        newer.api.token_rate = 7;
        newer.api.tls = false;
        newer.accounts.ban_after = 3;
        newer.accounts.hash_rounds = 9;
        newer.tls.listen_implicit = vec!["127.0.0.1:990".parse().unwrap()];
        newer.tls.names = vec!["ftp.example.net".to_owned()];
        newer.tls.acme = Some(crate::acme::AcmeConfig::default());
        let reload = Reload::new(MasterConfig::default(), move || Ok(newer.clone()));
        let current = reload.current();
        let reloaded = reload.now().unwrap();
        assert_eq!(
            reloaded.counts,
            ["log.level", "shutdown", "accounts", "tls", "api"]
        );
        assert_eq!(
            reloaded.waits,
            [
                "ftp",
                "tls.listen_implicit",
                "tls.names",
                "tls.acme",
                "accounts",
                "api"
            ]
        );
        let now = current.borrow();
        assert!(now.api.token_rate == 7 && now.api.tls);
        assert!(now.accounts.ban_after == 3 && now.accounts.hash_rounds != 9);
        assert_eq!(
            (now.log.level.as_str(), now.shutdown.drain.as_secs()),
            ("debug", 1)
        );
        assert_eq!(now.ftp, MasterConfig::default().ftp);
        let tls = TlsConfig {
            login: Policy::Required,
            ..TlsConfig::default()
        };
        assert_eq!(now.tls, tls);
    }

    #[test]
    fn a_configuration_with_errors_changes_nothing() {
        let wrong = || Err(vec![ConfigError::new("ftp.listen", "must name an address")]);
        let reload = Reload::new(MasterConfig::default(), wrong);
        let mut current = reload.current();
        current.mark_unchanged();
        assert_eq!(reload.now().unwrap_err()[0].key, "ftp.listen");
        assert!(!current.has_changed().unwrap());
    }
}
