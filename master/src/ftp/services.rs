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
use crate::extend::{Act, Asked, Plugins};
use crate::rights::{Refused, Rights, Target};
use crate::slaves::SlavesClient;
use crate::tls::{Policy, Rules, Tls, policy};
use crate::transfer::TransfersClient;
use crate::vfs::{Entry, Looked, Owner, VfsClient, VfsError};

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

    /// The entry that a path leads to, links followed to the end, if `what` is allowed there.
    ///
    /// # Errors
    /// When there is none, it must not be seen, or `what` is not allowed.
    pub async fn target(&self, path: &VfsPath, what: Action) -> Result<At, FtpError> {
        self.existing(path, true, what).await
    }

    /// The entry that a path names, links followed but for the last name, if `what` is allowed there: for verbs that
    /// change the entry itself, be it a link.
    ///
    /// # Errors
    /// When there is none, it must not be seen, or `what` is not allowed.
    pub async fn place(&self, path: &VfsPath, what: Action) -> Result<At, FtpError> {
        self.existing(path, false, what).await
    }

    async fn existing(&self, path: &VfsPath, last: bool, what: Action) -> Result<At, FtpError> {
        let Looked { path, entry, .. } = self.look(path, last).await?;
        let entry = entry.ok_or_else(|| VfsError::NotFound(path.clone()))?;
        self.may_with(what, &path, &entry)?;
        Ok(At { path, entry })
    }

    /// The place of an entry that is to be made, spelled as it is asked for, and what is there by now, for whoever may make
    /// such a thing there.
    ///
    /// # Errors
    /// When its directory cannot be found or must not be seen, or `what` is not allowed.
    pub async fn new_place(
        &self,
        path: &VfsPath,
        what: Action,
    ) -> Result<(VfsPath, Option<Entry>), FtpError> {
        let there = self.look(path, false).await?;
        let place = match (there.path.parent(), path.name()) {
            (Some(directory), Some(name)) => directory.join(name.clone())?,
            _ => there.path,
        };
        self.may(what, &place)?;
        Ok((place, there.entry))
    }

    /// Where a path leads, and what is there. The way is judged and not its end: links that the user does not see lead
    /// nowhere, and why a path leads nowhere does not tell what there is on its way.
    ///
    /// # Errors
    /// When a directory on the way is not there, or the file list fails.
    pub async fn look(&self, path: &VfsPath, last: bool) -> Result<Looked, FtpError> {
        let absent = || VfsError::NotFound(path.clone());
        let looked = self.services.vfs.look(path, last).await;
        let looked = looked.map_err(|why| match why {
            VfsError::Store(_) | VfsError::Ask(_) => why,
            _ => absent(),
        })?;
        let seen = |link: &VfsPath| self.may(Action::View, link).is_ok();
        match looked.via.iter().all(seen) {
            true => Ok(looked),
            false => Err(absent().into()),
        }
    }

    /// Whether the user may do something at a resolved path, be there something or not. What may not even be seen is as
    /// if it were absent.
    ///
    /// # Errors
    /// [`FtpError::Vfs`], [`FtpError::Denied`], [`FtpError::BadName`], [`FtpError::NotLoggedIn`].
    pub fn may(&self, what: Action, resolved: &VfsPath) -> Result<(), FtpError> {
        self.judge(what, Target::at(resolved))
    }

    /// Whether the user may do something with an entry, which may be their own.
    ///
    /// # Errors
    /// As [`VerbCx::may`].
    pub fn may_with(
        &self,
        what: Action,
        resolved: &VfsPath,
        entry: &Entry,
    ) -> Result<(), FtpError> {
        let target = Target {
            path: resolved,
            owner: Some(&entry.owner),
        };
        self.judge(what, target)
    }

    /// Asks whoever has a say besides the permissions, which were asked before. `entry` is what it is about, `from` where that
    /// is now if it is to be renamed.
    ///
    /// # Errors
    /// [`FtpError::Stopped`].
    pub async fn passes(
        &self,
        what: Act,
        path: &VfsPath,
        entry: Option<&Entry>,
        from: Option<&VfsPath>,
    ) -> Result<(), FtpError> {
        let account = self.account()?;
        let question = || Asked {
            what,
            who: Arc::clone(account),
            client: Some(self.client()),
            path: path.clone(),
            entry: entry.cloned(),
            from: from.cloned(),
        };
        let gates = self.services.plugins.gates();
        Ok(gates.ask(what, question).await?)
    }

    fn judge(&self, what: Action, target: Target<'_>) -> Result<(), FtpError> {
        let judged = self.services.rights.rules();
        let judged = judged.judge(self.account()?, what, target);
        judged.map_err(|why| match why {
            Refused::Hidden => VfsError::NotFound(target.path.clone()).into(),
            Refused::Denied => FtpError::Denied,
            Refused::Name => FtpError::BadName,
        })
    }
}

/// Something that is there.
#[derive(Debug)]
pub struct At {
    /// Its path, resolved.
    pub path: VfsPath,
    /// What it is.
    pub entry: Entry,
}
