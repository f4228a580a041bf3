//! `master.toml`: one struct per section, unknown keys refused, every error named with file and key.
//!
//! `deploy/master.toml` documents every key with its default; [`document`] fills other values into it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{Check, ConfigError, LogFormat, TelemetryConfig};
use serde::Deserialize;
use toml::Table;

use crate::accounts::AccountsConfig;
use crate::acme::AcmeConfig;
use crate::api::ApiConfig;
use crate::copies::CopiesConfig;
use crate::extend::Extensions;
use crate::ftp::FtpConfig;
use crate::ftp::data::{ClientsConfig, DataConfig, FxpConfig, PassiveConfig, TrafficConfig};
use crate::outbox::EventsConfig;
use crate::pages::PagesConfig;
use crate::rights::RightsConfig;
use crate::scrub::ScrubConfig;
use crate::search::SearchConfig;
use crate::sections::SectionsConfig;
use crate::slaves::SlavesConfig;
use crate::store::{NamesConfig, StoreConfig};
use crate::tls::TlsConfig;
use crate::transfer::TransferConfig;
use crate::vfs::VfsConfig;

pub mod directories;
pub mod document;

#[cfg(test)]
mod tests;

/// Everything a master can be told.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MasterConfig {
    /// `[master]`
    pub master: PlacesConfig,
    /// `[ftp]`
    pub ftp: FtpConfig,
    /// `[tls]`
    pub tls: TlsConfig,
    /// `[passive]`
    pub passive: PassiveConfig,
    /// `[clients]`
    pub clients: ClientsConfig,
    /// `[fxp]`
    pub fxp: FxpConfig,
    /// `[traffic]`
    pub traffic: TrafficConfig,
    /// `[data]`
    pub data: DataConfig,
    /// `[slaves]`
    pub slaves: SlavesConfig,
    /// `[transfer]`
    pub transfer: TransferConfig,
    /// `[copies]`
    pub copies: CopiesConfig,
    /// `[scrub]`
    pub scrub: ScrubConfig,
    /// `[storage]`
    pub storage: VfsConfig,
    /// `[search]`
    pub search: SearchConfig,
    /// `[sections]`
    pub sections: SectionsConfig,
    /// `[accounts]`
    pub accounts: AccountsConfig,
    /// `[rights]`
    pub rights: RightsConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[names]`
    pub names: NamesConfig,
    /// `[events]`
    pub events: EventsConfig,
    /// `[pages]`
    pub pages: PagesConfig,
    /// `[admin]`
    pub admin: AdminConfig,
    /// `[api]`
    pub api: ApiConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[shutdown]`
    pub shutdown: ShutdownConfig,
    /// `[plugins.NAME]`: each plugin that is on, with its options.
    pub plugins: BTreeMap<String, Table>,
    /// What there is in this program to be told something.
    #[serde(skip)]
    pub extensions: Extensions,
    /// What was said, as it was said.
    #[serde(skip)]
    pub given: Given,
}

/// What a file says, with what was said in its place; nothing where no file was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Given(pub Arc<toml::Table>);

/// `[master]`: where the master keeps what is its own, and how many threads it has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlacesConfig {
    /// Folder of the store, the authority and the control socket.
    pub dir: PathBuf,
    /// Threads of their own for sessions; 0: one for each processor, with two of them or one the core's thread among
    /// them.
    pub session_threads: usize,
    /// Threads of their own for the links of slaves; 0: one, with two processors or one the core's.
    pub link_threads: usize,
    /// Pieces of disk work at a time (reads of the file list, log files).
    pub disk_threads: usize,
}

/// `[admin]`: where the operator's interface listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Address and port of the health page and the API (plain HTTP, on loopback only); port 0 means any free one.
    pub listen: SocketAddr,
    /// An arbiter that is later than this, or an actor that answers later, is not alive.
    #[serde(with = "humantime_serde")]
    pub alive_within: Duration,
}

/// `[log]`: what is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`) or a list like `info,drftpd_master::ftp=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
    /// File for one line per transfer, in the format of wu-ftpd; none is written where this is not set.
    pub xferlog: Option<PathBuf>,
    /// File for one line of JSON per event; none is written where this is not set.
    pub events: Option<PathBuf>,
    /// File for lines as glftpd writes them into its `glftpd.log`; none is written where this is not set.
    pub glftpd: Option<PathBuf>,
    /// How long what commands have changed stays in the audit log; zero: for ever.
    #[serde(with = "humantime_serde")]
    pub audit_keep: Duration,
}

/// `[shutdown]`: how it ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownConfig {
    /// How long running transfers may still take.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

impl Default for PlacesConfig {
    fn default() -> Self {
        Self {
            dir: ".".into(),
            session_threads: 0,
            link_threads: 0,
            disk_threads: 16,
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8021)),
            alive_within: Duration::from_secs(5),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        let TelemetryConfig { level, format } = TelemetryConfig::default();
        Self {
            level,
            format,
            xferlog: None,
            events: None,
            glftpd: None,
            audit_keep: Duration::from_secs(366 * 86_400),
        }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(60),
        }
    }
}

impl PlacesConfig {
    /// The file list, the accounts and the list of slaves.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// The key and the certificate of the cluster's own authority.
    pub fn authority(&self) -> PathBuf {
        self.dir.join("authority")
    }
}

impl LogConfig {
    /// Logs in files of their own, by their keys.
    fn files(&self) -> [(&'static str, &Option<PathBuf>); 3] {
        [
            ("log.xferlog", &self.xferlog),
            ("log.events", &self.events),
            ("log.glftpd", &self.glftpd),
        ]
    }

    /// The part that the log itself needs.
    pub fn telemetry(&self) -> TelemetryConfig {
        TelemetryConfig {
            level: self.level.clone(),
            format: self.format,
        }
    }
}

impl MasterConfig {
    /// Reads and checks a file after some keys were given other values (`section.key=value`). Relative paths in it
    /// are taken from the file's folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with file and key.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, Vec<ConfigError>> {
        Self::read_for(&Extensions::default(), path, overrides)
    }

    /// The same, for a program that has more in its tables.
    ///
    /// # Errors
    /// As [`MasterConfig::read`].
    pub fn read_for(
        extensions: &Extensions,
        path: &Path,
        overrides: &[String],
    ) -> Result<Self, Vec<ConfigError>> {
        let prepare = |config: &mut Self, given| {
            config.transfer.kinds = extensions.filters();
            config.extensions = extensions.clone();
            config.given = Given(Arc::new(given));
        };
        let mut config = drftpd_actors::read_prepared(path, overrides, prepare)?;
        config.beside(path.parent().unwrap_or(Path::new("")));
        let mut gone = Vec::new();
        let no_folder = |folder: &Path| !folder.as_os_str().is_empty() && !folder.is_dir();
        let missing = |file: &Path| file.parent().is_some_and(no_folder);
        for (key, file) in config.log.files() {
            if let Some(file) = file.as_deref().filter(|file| missing(file)) {
                let why = format!("{}: its folder does not exist", file.display());
                gone.push(ConfigError::new(key, why));
            }
        }
        gone.extend(config.tls.acme.iter().flat_map(AcmeConfig::missing));
        gone.iter_mut()
            .for_each(|error| error.file = Some(path.to_owned()));
        let commands = extensions.commands();
        let rights = config.rights.read(config.names.case, commands);
        gone.extend(rights.err().unwrap_or_default());
        let pages = config.pages.read(&config.rights.rules);
        gone.extend(pages.err().into_iter().flatten().map(|mut error| {
            error.file.get_or_insert_with(|| path.to_owned());
            error
        }));
        match gone.is_empty() {
            true => Ok(config),
            false => Err(gone),
        }
    }

    /// Takes relative paths from this folder.
    pub fn beside(&mut self, folder: &Path) {
        let others = [
            &mut self.log.xferlog,
            &mut self.log.events,
            &mut self.log.glftpd,
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.api.certificate,
            &mut self.api.key,
            &mut self.rights.file,
            &mut self.pages.folder,
        ];
        let acme = self.tls.acme.as_mut().map(AcmeConfig::paths);
        let others = others.into_iter().chain(acme.into_iter().flatten());
        let others = others.flatten().chain(self.events.files());
        for path in std::iter::once(&mut self.master.dir).chain(others) {
            *path = folder.join(&*path);
        }
    }
}

impl Check for MasterConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        self.master.check(errors);
        self.ftp.check(errors);
        self.tls.check(errors);
        self.passive.check(errors);
        self.clients.check(errors);
        self.fxp.check(errors);
        self.traffic.check(errors);
        self.data.check(errors);
        self.slaves.check(errors);
        self.transfer.check(errors);
        self.copies.check(errors);
        self.scrub.check(errors);
        self.storage.check(errors);
        self.search.check(errors);
        self.sections.check(errors);
        self.accounts.check(errors);
        self.store.check(errors);
        self.events.check(errors);
        self.admin.check(errors);
        self.api.check(errors);
        self.log.telemetry().check(errors);
        self.check_ports(errors);
        self.check_plugins(errors);
    }
}

impl MasterConfig {
    /// Each section belongs to a plugin and is as that wants it.
    fn check_plugins(&self, errors: &mut Vec<ConfigError>) {
        let all = self.extensions.plugins();
        for (name, section) in &self.plugins {
            let key = format!("plugins.{name}");
            let Some(plugin) = all.iter().find(|plugin| plugin.name == name) else {
                let known: Vec<_> = all.iter().map(|plugin| plugin.name).collect();
                let why = format!("no plugin is called so; there are {}", known.join(", "));
                errors.push(ConfigError::new(key, why));
                continue;
            };
            let wrong = (plugin.check)(section).err().unwrap_or_default();
            let named =
                |error: ConfigError| ConfigError::new(format!("{key}.{}", error.key), error.why);
            errors.extend(wrong.into_iter().map(named));
        }
    }

    /// Two that listen at one address: the second could not.
    fn check_ports(&self, errors: &mut Vec<ConfigError>) {
        let implicit = self.tls.listen_implicit.iter();
        let implicit = implicit.map(|at| ("tls.listen_implicit", *at));
        let ftp = self.ftp.listen.iter().map(|at| ("ftp.listen", *at));
        let acme = self.tls.acme.iter();
        let acme = acme.map(|acme| ("tls.acme.http_listen", acme.http_listen));
        let api = self.api.listen.iter().map(|at| ("api.listen", *at));
        for (key, at) in ftp.chain(implicit).chain(acme).chain(api) {
            for (other, taken) in [
                ("slaves.listen", self.slaves.listen),
                ("admin.listen", self.admin.listen),
            ] {
                let any = at.ip().is_unspecified() || taken.ip().is_unspecified();
                let same = at.port() == taken.port() && at.port() != 0;
                if same && (any || at.ip() == taken.ip()) {
                    let why = format!("{at} is where {other} listens ({taken})");
                    errors.push(ConfigError::new(key, why));
                }
            }
        }
    }
}

impl Check for PlacesConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |bad: bool, key: &str, why: &str| {
            if bad {
                errors.push(ConfigError::new(format!("master.{key}"), why));
            }
        };
        let (none, most) = (self.disk_threads == 0, |threads: usize| threads > 512);
        wrong(self.dir.as_os_str().is_empty(), "dir", "must not be empty");
        let sessions = most(self.session_threads);
        wrong(sessions, "session_threads", "must be 0 to 512");
        let links = most(self.link_threads);
        wrong(links, "link_threads", "must be 0 to 512");
        let disk = none || most(self.disk_threads);
        wrong(disk, "disk_threads", "must be 1 to 512");
    }
}

impl Check for AdminConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if !self.listen.ip().to_canonical().is_loopback() {
            let why = "must be a loopback address: it is plain HTTP";
            errors.push(ConfigError::new("admin.listen", why));
        }
        if self.alive_within < Duration::from_millis(100) {
            errors.push(ConfigError::new(
                "admin.alive_within",
                "must be 100ms or more",
            ));
        }
    }
}
