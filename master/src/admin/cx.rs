//! What a command gets: who calls, and what it may use.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use drftpd_actors::{Blocking, Clock, Dice, Drain, EventBus, Health};
use drftpd_protocol::{SessionId, VfsPath};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::answer::{AdminError, Code};
use super::table::Commands;
use crate::accounts::{Account, Action, People};
use crate::api::Scopes;
use crate::config::MasterConfig;
use crate::copies::CopiesClient;
use crate::extend::Plugins;
use crate::ftp::SessionsClient;
use crate::ftp::data::DataSide;
use crate::outbox::Outbox;
use crate::reload::Reload;
use crate::rights::{Rights, View, ViewError};
use crate::scrub::ScrubClient;
use crate::slaves::{Enroll, SlavesClient};
use crate::store::{Durability, Sql, Store, StoreError};
use crate::transfer::TransfersClient;
use crate::vfs::{Entry, Owner, VfsClient, VfsError};

/// Who calls.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Whoever may open the control socket, or the store itself.
    Owner,
    /// Somebody who is logged in by FTP.
    User(User),
    /// Whoever has a token of the HTTP API.
    Token(Token),
}

/// A token of the HTTP API, in use.
#[derive(Debug, Clone)]
pub struct Token {
    /// What it is called.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Until when, Unix seconds.
    pub expires: i64,
    /// From where it is used.
    pub peer: IpAddr,
}

/// Somebody who is logged in by FTP.
#[derive(Debug, Clone)]
pub struct User {
    /// Who.
    pub account: Arc<Account>,
    /// In which session.
    pub session: SessionId,
    /// From where.
    pub peer: IpAddr,
}

impl Caller {
    /// Who it is, for records: the user, the token, or the owner.
    pub fn name(&self) -> String {
        match self {
            Self::Owner => "owner".to_owned(),
            Self::User(user) => user.account.name.clone(),
            Self::Token(token) => format!("token {}", token.name),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_str("owner"),
            Self::User(user) => write!(f, "{} ({})", user.account.name, user.peer),
            Self::Token(token) => write!(f, "token {} ({})", token.name, token.peer),
        }
    }
}

/// What a command gets.
#[derive(Clone)]
pub struct Cx {
    /// Who calls.
    pub caller: Caller,
    /// What may be used.
    pub of: Arc<Facilities>,
    /// Where long answers go, line by line, at the caller's pace; only some doors have it.
    pub lines: Option<mpsc::Sender<Vec<u8>>>,
    /// The command and its arguments, as they may be told others; known when it is carried out.
    pub said: (&'static str, String),
}

/// What commands may use, with and without a running master.
pub struct Facilities {
    /// The store.
    pub store: Store,
    /// The list of slaves.
    pub enroll: Enroll,
    /// What everybody shares who deals with accounts.
    pub people: People,
    /// The time of day.
    pub clock: Clock,
    /// Chance, for secrets.
    pub dice: Dice,
    /// For long reads of the store.
    pub blocking: Blocking,
    /// The configuration at the start.
    pub config: Arc<MasterConfig>,
    /// Settings of others in this process that promise less than the defaults (slaves of a quickstart).
    pub weak: Vec<String>,
    /// Who may use which command, where that is said in the permissions.
    pub rights: Rights,
    /// Set when the master runs.
    pub online: OnceLock<Online>,
}

/// The parts of a running master.
pub struct Online {
    /// Sessions.
    pub sessions: SessionsClient,
    /// Slaves.
    pub slaves: SlavesClient,
    /// The coordinator.
    pub transfers: TransfersClient,
    /// The file list.
    pub vfs: VfsClient,
    /// The copier.
    pub copies: CopiesClient,
    /// The scrubber.
    pub scrub: ScrubClient,
    /// Who is told what has happened.
    pub outbox: Outbox,
    /// How arbiters and actors do.
    pub health: Health,
    /// Where events are published.
    pub bus: EventBus,
    /// Ends the master.
    pub drain: Drain,
    /// Reads the configuration again, where it came from a file.
    pub reload: Option<Arc<Reload>>,
    /// When it began.
    pub since: Instant,
    /// Where FTP is served.
    pub ftp: Vec<SocketAddr>,
    /// What data connections share: relays.
    pub data: Arc<DataSide>,
    /// Plugins that are on.
    pub plugins: Plugins,
}

impl Facilities {
    /// Who is told what has happened, by this process or by the next master.
    pub fn outbox(&self) -> Outbox {
        let online = self.online.get();
        online.map_or_else(
            || Outbox::new(self.config.events.keep),
            |it| it.outbox.clone(),
        )
    }

    /// All commands there are.
    pub fn commands(&self) -> &Commands {
        self.config.extensions.commands()
    }

    /// Settings that promise less than the defaults do, for people.
    pub fn weak_settings(&self) -> Vec<String> {
        let relaxed = self.config.store.durability == Durability::Relaxed;
        let relaxed = relaxed.then(|| {
            "store.durability = \"relaxed\": a power loss may lose the last moments".to_owned()
        });
        let outside = |at: &SocketAddr| !at.ip().to_canonical().is_loopback();
        let plain = self.config.ftp.listen.iter().any(outside).then(|| {
            "ftp.listen: plain FTP beyond this machine: passwords and files can be read on the way"
                .to_owned()
        });
        let all = relaxed.into_iter().chain(plain).chain(self.weak.clone());
        all.collect()
    }
}

impl Cx {
    /// What a path leads to, as far as the caller may see that; the owner of the socket and tokens see everything.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::NotRunning`], or that the file list fails.
    pub async fn seen(&self, path: &VfsPath) -> Result<(VfsPath, Entry), AdminError> {
        let there = self.view()?.target(path, Action::View).await;
        let there = there.map_err(|why| match why {
            ViewError::Vfs(why @ (VfsError::Store(_) | VfsError::Ask(_))) => {
                AdminError::failed(&why)
            }
            _ => AdminError::new(Code::NotFound, format!("{path} does not exist")),
        })?;
        Ok((there.path, there.entry))
    }

    /// Reads the store.
    ///
    /// # Errors
    /// [`Code::Failed`] when that fails.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Sql<'_>) -> Result<T, StoreError>,
    ) -> Result<T, AdminError> {
        let found = self.of.store.read(read);
        found.map_err(|why| AdminError::failed(&why))
    }

    /// What a plugin shares with its commands.
    ///
    /// # Errors
    /// [`Code::NotRunning`] without a master, [`Code::Failed`] where the plugin is off.
    pub fn plugin<T: Any + Send + Sync>(&self, name: &str) -> Result<Arc<T>, AdminError> {
        self.online()?.plugins.of(name)
    }

    /// The file list as whoever calls may see and change it: a user by the permissions, the owner and tokens all of it.
    ///
    /// # Errors
    /// [`Code::NotRunning`] when no master runs.
    pub fn view(&self) -> Result<View<'_>, AdminError> {
        let online = self.online()?;
        let view = View::new(&online.vfs, self.of.rights.rules(), self.account());
        let client = match &self.caller {
            Caller::User(user) => Some(user.peer),
            Caller::Owner | Caller::Token(_) => None,
        };
        Ok(view.through(online.plugins.gates(), client))
    }

    /// The user who calls.
    pub fn account(&self) -> Option<&Arc<Account>> {
        match &self.caller {
            Caller::User(user) => Some(&user.account),
            Caller::Owner | Caller::Token(_) => None,
        }
    }

    /// The user who calls, for those who are told who did something.
    pub fn who(&self) -> Option<&str> {
        self.account().map(|account| account.name.as_str())
    }

    /// The configuration that counts now.
    pub fn config(&self) -> Arc<MasterConfig> {
        let online = self.of.online.get();
        let reload = online.and_then(|online| online.reload.as_ref());
        match reload {
            Some(reload) => Arc::clone(&reload.current().borrow()),
            None => Arc::clone(&self.of.config),
        }
    }

    /// Whose what is made is: the user's, or the site's own.
    pub fn makes_for(&self) -> Owner {
        match self.account() {
            Some(account) => Owner {
                user: account.name.clone(),
                group: account.group.clone(),
            },
            None => {
                let sections = &self.of.config.sections;
                Owner {
                    user: sections.owner.clone(),
                    group: sections.group.clone(),
                }
            }
        }
    }

    /// The running master.
    ///
    /// # Errors
    /// [`Code::NotRunning`] when there is none.
    pub fn online(&self) -> Result<&Online, AdminError> {
        let missing = || AdminError::new(Code::NotRunning, "this needs a running master");
        self.of.online.get().ok_or_else(missing)
    }
}
