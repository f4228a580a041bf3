//! What a verb may use: the narrow clients of the other areas, and a view of its session.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use drftpd_actors::{Clock, Dice, Drain, EventBus, Net};
use drftpd_protocol::ftp::Reply;
use drftpd_protocol::{PathError, SessionId, VfsPath};
use tokio::sync::watch;

use super::client::SessionsClient;
use super::config::FtpConfig;
use super::data::{DataSide, Endpoint, Reach};
use super::error::FtpError;
use super::guard::Cleanup;
use super::live::Live;
use super::proxy::Via;
use super::site::SiteTable;
use super::state::State;
use super::writer::Outbox;
use crate::accounts::{Account, AccountsClient, Action};
use crate::copies::Seconds;
use crate::extend::{Act, Plugins};
use crate::pages::Pages;
use crate::rights::{At, Rights, View};
use crate::slaves::SlavesClient;
use crate::tls::{Policy, Rules, Tls, policy};
use crate::transfer::TransfersClient;
use crate::vfs::{Entry, Looked, Owner, VfsClient};

/// Everything a session was given. Cloned once for each session, which is one holder of each client.
#[derive(Clone)]
pub struct Services {
    /// The file list.
    pub vfs: VfsClient,
    /// The accounts.
    pub accounts: AccountsClient,
    /// Who may do what where.
    pub rights: Rights,
    /// The coordinator of transfers.
    pub transfers: TransfersClient,
    /// The slaves.
    pub slaves: SlavesClient,
    /// Has the second copies of uploads made that must have one.
    pub seconds: Seconds,
    /// SITE commands.
    pub site: Arc<dyn SiteTable>,
    /// Pages and words for users.
    pub pages: Pages,
    /// The network, for data connections of the master's own.
    pub net: Arc<dyn Net>,
    /// The time of day.
    pub clock: Clock,
    /// Randomness.
    pub dice: Dice,
    /// Where events are published ([`crate::events`]).
    pub bus: EventBus,
    /// Shutting down.
    pub drain: Drain,
    /// `[ftp]`.
    pub config: Arc<FtpConfig>,
    /// What the data connections of all sessions share.
    pub data: Arc<DataSide>,
    /// TLS; nothing where the network has none (simulation).
    pub tls: Option<Tls>,
    /// Plugins that are on.
    pub plugins: Plugins,
}

/// What a verb gets: its session as it was when the verb began, and what it may use.
pub struct VerbCx {
    /// The session.
    pub session: SessionId,
    /// The client's end of the control connection.
    pub peer: SocketAddr,
    /// Our end of it: the address by which the client reaches us.
    pub local: SocketAddr,
    /// Who stands between the client and us, if anybody does.
    pub via: Option<Via>,
    /// The session's memory as it was when the verb began.
    pub state: Rc<State>,
    /// How the next data connection comes about; only verbs with `data` get it.
    pub endpoint: Option<Endpoint>,
    /// The clients of the other areas.
    pub services: Rc<Services>,
    /// What is known of who reaches whom.
    pub reach: Reach,
    /// Counts what must be given back when the verb is cancelled.
    pub cleanup: Cleanup,
    /// What others see of the session.
    pub live: Live,
    /// All sessions, for those that show them.
    pub sessions: SessionsClient,
    pub(super) out: Outbox,
    /// Becomes true with the verb's first words.
    pub(super) opened: Opened,
}

/// Whether a verb has said anything yet. Closed when the verb is over.
pub(super) type Opened = Rc<watch::Sender<bool>>;

impl VerbCx {
    /// Sends a reply now, before the verb's own one (150), and waits until it has left for the client: what the verb
    /// answers in the end cannot share a segment with it.
    ///
    /// # Errors
    /// [`FtpError::ClientGone`].
    pub async fn say(&self, reply: Reply) -> Result<(), FtpError> {
        let said = self.out.send_and_flush(reply.to_bytes()).await;
        self.opened.send_replace(true);
        said
    }

    /// Sends a piece of a reply that comes in pages, rendered by `drftpd_protocol::ftp::reply`, and waits until it
    /// has left. Join small pieces: each is a write of its own.
    ///
    /// # Errors
    /// [`FtpError::ClientGone`].
    pub async fn say_bytes(&self, rendered: Bytes) -> Result<(), FtpError> {
        self.out.send_and_flush(rendered).await
    }

    /// Who is logged in.
    ///
    /// # Errors
    /// [`FtpError::NotLoggedIn`].
    pub fn account(&self) -> Result<&Arc<Account>, FtpError> {
        self.state.account().ok_or(FtpError::NotLoggedIn)
    }

    /// Whose new entries are.
    ///
    /// # Errors
    /// [`FtpError::NotLoggedIn`].
    pub fn owner(&self) -> Result<Owner, FtpError> {
        let account = self.account()?;
        Ok(Owner {
            user: account.name.clone(),
            group: account.group.clone(),
        })
    }

    /// Who does what this verb does, for those who are told of it.
    pub fn who(&self) -> Option<&str> {
        self.state.account().map(|account| account.name.as_str())
    }

    /// The client's address, an IPv4 one as such also when it came over an IPv6 socket.
    pub fn client(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// What holds for TLS, for whoever is logged in; for who is not, the strictest that may hold.
    pub fn rules(&self) -> Option<Rules> {
        let possible = self.possible_rules()?;
        Some(Rules::strictest(&possible))
    }

    /// What may hold for TLS: for whoever is logged in that is one.
    fn possible_rules(&self) -> Option<Vec<Rules>> {
        let tls = self.services.tls.as_ref()?;
        Some(match self.state.account() {
            Some(account) => vec![tls.rules(self.client(), account)],
            None => tls.possible(self.client()),
        })
    }

    /// Whether AUTH is answered with TLS.
    ///
    /// # Errors
    /// What the client hears.
    pub fn may_secure(&self) -> Result<(), Reply> {
        let possible = self.possible_rules();
        let possible = possible.ok_or_else(Reply::not_implemented)?;
        policy::any(&possible, Rules::may_secure)
    }

    /// Whether PROT may say this.
    ///
    /// # Errors
    /// What the client hears.
    pub fn may_protect(&self, protected: bool) -> Result<(), Reply> {
        let possible = self.possible_rules().unwrap_or_default();
        policy::any(&possible, |rules| rules.may_protect(protected))
    }

    /// Whether somebody who is called so may log in on this control connection as it is: judged before a password is
    /// said. The answer for a name that nobody has is one that somebody could have heard.
    ///
    /// # Errors
    /// What the client hears; or that the accounts do not answer.
    pub async fn may_be_named(&self, name: &str) -> Result<(), FtpError> {
        let Some(tls) = &self.services.tls else {
            return Ok(());
        };
        let secure = self.state.secure.is_some();
        let judged = |rules: &Rules| rules.may_log_in(secure);
        let possible = tls.possible(self.client());
        let same = possible.iter().map(judged).collect::<Vec<_>>();
        let same = same.iter().all(Result::is_ok) || same.iter().all(Result::is_err);
        let judged = if same {
            judged(&Rules::strictest(&possible))
        } else {
            let whose = self.services.accounts.whose(name).await?;
            judged(&tls.rules_of(self.client(), &whose))
        };
        judged.map_err(FtpError::Said)
    }

    /// Whether somebody who has proved to be that may log in on this control connection as it is.
    ///
    /// # Errors
    /// What the client hears.
    pub fn may_log_in(&self, account: &Account) -> Result<(), Reply> {
        let Some(tls) = &self.services.tls else {
            return Ok(());
        };
        let rules = tls.rules(self.client(), account);
        rules.may_log_in(self.state.secure.is_some())
    }

    /// Whether a listing may go over this control connection, which has TLS or not.
    ///
    /// # Errors
    /// [`FtpError::Said`] where listings need TLS.
    pub fn may_list_here(&self) -> Result<(), FtpError> {
        match self.rules() {
            Some(rules) if self.state.secure.is_none() && rules.listings == Policy::Required => {
                let text = "TLS is required for listings: say AUTH TLS first";
                Err(FtpError::Said(Reply::new(530, text)))
            }
            _ => Ok(()),
        }
    }

    /// What an argument means to somebody who stands here; nothing is looked up.
    ///
    /// # Errors
    /// When it is no path.
    pub fn path(&self, arg: &[u8]) -> Result<VfsPath, PathError> {
        self.state.cwd.resolve(arg)
    }

    /// The file list as whoever is logged in may see and change it.
    ///
    /// # Errors
    /// [`FtpError::NotLoggedIn`].
    pub fn view(&self) -> Result<View<'_>, FtpError> {
        let rules = self.services.rights.rules();
        let view = View::new(&self.services.vfs, rules, Some(self.account()?));
        Ok(view.through(self.services.plugins.gates(), Some(self.client())))
    }

    /// [`View::target`].
    ///
    /// # Errors
    /// As there, and [`FtpError::NotLoggedIn`].
    pub async fn target(&self, path: &VfsPath, what: Action) -> Result<At, FtpError> {
        Ok(self.view()?.target(path, what).await?)
    }

    /// [`View::new_place`].
    ///
    /// # Errors
    /// As there, and [`FtpError::NotLoggedIn`].
    pub async fn new_place(
        &self,
        path: &VfsPath,
        what: Action,
    ) -> Result<(VfsPath, Option<Entry>), FtpError> {
        Ok(self.view()?.new_place(path, what).await?)
    }

    /// [`View::look`].
    ///
    /// # Errors
    /// As there, and [`FtpError::NotLoggedIn`].
    pub async fn look(&self, path: &VfsPath, last: bool) -> Result<Looked, FtpError> {
        Ok(self.view()?.look(path, last).await?)
    }

    /// [`View::may`].
    ///
    /// # Errors
    /// As there, and [`FtpError::NotLoggedIn`].
    pub fn may(&self, what: Action, resolved: &VfsPath) -> Result<(), FtpError> {
        Ok(self.view()?.may(what, resolved)?)
    }

    /// [`View::may_with`].
    ///
    /// # Errors
    /// As there, and [`FtpError::NotLoggedIn`].
    pub fn may_with(
        &self,
        what: Action,
        resolved: &VfsPath,
        entry: &Entry,
    ) -> Result<(), FtpError> {
        Ok(self.view()?.may_with(what, resolved, entry)?)
    }

    /// [`View::passes`].
    ///
    /// # Errors
    /// As there, and [`FtpError::NotLoggedIn`].
    pub async fn passes(
        &self,
        what: Act,
        path: &VfsPath,
        entry: Option<&Entry>,
        from: Option<&VfsPath>,
    ) -> Result<(), FtpError> {
        Ok(self.view()?.passes(what, path, entry, from).await?)
    }
}
