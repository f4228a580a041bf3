//! What a session remembers between verbs: pure, changed only by [`State::apply`] and the rules around a verb.
//!
//! A verb sees the state as it was when it began. Data endpoints are not here, since they own sockets and slots; the
//! session keeps the one there is beside this.

use std::net::SocketAddr;
use std::sync::Arc;

use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::args::{OctetRange, TransferType};
use drftpd_protocol::ftp::{self, Facts, XDupe};
use drftpd_protocol::wire::Algorithm;

use super::data::Endpoint;
use super::proxy::Via;
use super::secure::Secure;
use crate::accounts::Account;

/// How far the login is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Login {
    /// Nobody yet.
    #[default]
    Nobody,
    /// USER named somebody, who may exist or not; the password is missing.
    Named(String),
    /// Logged in.
    In(Arc<Account>),
}

/// What PRET announced; in force until its transfer verb, another PRET, or REIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pret {
    /// The verb that will come.
    pub verb: ftp::Verb,
    /// What it will be about, resolved; `None` for verbs without a path (LIST, STOU).
    pub path: Option<VfsPath>,
}

/// How data connections are protected (PROT).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prot {
    /// C: not at all.
    #[default]
    Clear,
    /// P: by TLS.
    Private,
}

/// What a session remembers.
#[derive(Debug, Clone)]
pub struct State {
    /// TLS of the control connection, since AUTH or from the first byte on.
    pub secure: Option<Arc<Secure>>,
    /// PROT.
    pub prot: Prot,
    /// SSCN ON: under PROT P our side of a data connection begins the handshake.
    pub sscn: bool,
    /// The data endpoint came by CPSV: our side begins the handshake, this once.
    pub cpsv: bool,
    /// How far the login is.
    pub login: Login,
    /// Failed logins on this connection.
    pub failed_logins: u32,
    /// The current directory, as the user came there (links not resolved).
    pub cwd: VfsPath,
    /// REST: where the next transfer begins.
    pub rest: Option<u64>,
    /// RANG: the only bytes that the next RETR or HASH is about.
    pub range: Option<OctetRange>,
    /// RNFR: what the next RNTO renames (its directory resolved).
    pub rename_from: Option<VfsPath>,
    /// PRET.
    pub pret: Option<Pret>,
    /// ALLO: size of the next upload.
    pub expected: Option<u64>,
    /// EPSV ALL was said: PORT, PASV and EPRT are refused from now on (RFC 2428).
    pub epsv_all: bool,
    /// CEPR ON was said: 229 names protocol and address.
    pub epsv_names_address: bool,
    /// TYPE, for show: no byte is ever changed.
    pub transfer_type: TransferType,
    /// OPTS UTF8, for show: names are bytes.
    pub utf8: bool,
    /// OPTS MLST.
    pub facts: Facts,
    /// OPTS HASH.
    pub hash: Algorithm,
    /// SITE XDUPE.
    pub xdupe: XDupe,
    /// What the client calls itself (CLNT).
    pub client: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            secure: None,
            prot: Prot::Clear,
            sscn: false,
            cpsv: false,
            login: Login::Nobody,
            failed_logins: 0,
            cwd: VfsPath::root(),
            rest: None,
            range: None,
            rename_from: None,
            pret: None,
            expected: None,
            epsv_all: false,
            epsv_names_address: false,
            transfer_type: TransferType::Image,
            utf8: true,
            facts: Facts::DEFAULT,
            hash: Algorithm::Sha256,
            xdupe: XDupe::Off,
            client: None,
        }
    }
}

/// What a verb wants changed in its session.
#[derive(Debug, Default)]
pub enum Change {
    /// Nothing.
    #[default]
    Nothing,
    /// USER: somebody was named.
    Named(String),
    /// IDNT: a bouncer brings this client. Not a matter of the state: REIN does not undo it.
    BroughtBy(Via, SocketAddr),
    /// The password was right.
    LoggedIn(Arc<Account>),
    /// The password was wrong.
    LoginFailed,
    /// REIN: everything as after the greeting, but for TLS of the control connection.
    Reinitialised,
    /// AUTH was taken: the handshake follows the reply. Carried out by the session.
    Secure,
    /// The handshake is over: what was said in clear does not count any more.
    Secured(Arc<Secure>),
    /// PROT.
    Prot(Prot),
    /// `SSCN ON` or `OFF`.
    Sscn(bool),
    /// CWD.
    Cwd(VfsPath),
    /// REST.
    Rest(u64),
    /// RANG; `None` forgets it.
    Range(Option<OctetRange>),
    /// RNFR.
    RenameFrom(VfsPath),
    /// PRET; `None` forgets it. A data endpoint of before is dropped either way.
    Pret(Option<Pret>),
    /// PASV and its kin: how the next data connection comes about; the one of before is dropped.
    Endpoint(Endpoint),
    /// CPSV: the same, and our side begins the handshake.
    ClientEndpoint(Endpoint),
    /// `EPSV ALL`, with nothing opened.
    EpsvAll,
    /// `CEPR ON` or `OFF`.
    EpsvNamesAddress(bool),
    /// ALLO.
    Expected(u64),
    /// TYPE.
    Type(TransferType),
    /// OPTS UTF8.
    Utf8(bool),
    /// OPTS MLST.
    Facts(Facts),
    /// OPTS HASH.
    Hash(Algorithm),
    /// SITE XDUPE.
    XDupe(XDupe),
    /// CLNT.
    Client(String),
}

/// Which one-shot memories outlive a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// None of them: every verb that is not said otherwise.
    Nothing,
    /// REST and ALLO: what may stand between them and the transfer (PASV, PRET, TYPE, …).
    Rest,
}

impl State {
    /// The account, if somebody is logged in.
    pub fn account(&self) -> Option<&Arc<Account>> {
        match &self.login {
            Login::In(account) => Some(account),
            Login::Nobody | Login::Named(_) => None,
        }
    }

    /// Whether [`State::began`] would change anything.
    pub fn forgets(&self, keeps: Keeps, uses_data: bool) -> bool {
        let any = self.rest.is_some() || self.range.is_some() || self.expected.is_some();
        let of_rest = keeps == Keeps::Nothing && any;
        of_rest || self.rename_from.is_some() || (uses_data && self.pret.is_some())
    }

    /// A verb has begun and holds the state as it was: what it does not keep, or uses up, is forgotten.
    pub fn began(&mut self, keeps: Keeps, uses_data: bool) {
        self.rename_from = None;
        if keeps == Keeps::Nothing {
            self.rest = None;
            self.range = None;
            self.expected = None;
        }
        if uses_data {
            self.pret = None;
        }
    }

    /// Nobody has room for what was announced: it is not to stand in the way of what comes next.
    pub fn refused(&mut self, code: u16) {
        const NO_ROOM: u16 = 452;
        if code == NO_ROOM {
            self.expected = None;
        }
    }

    /// As after the greeting. Who failed to log in is still remembered.
    fn begun_anew(&self, secure: Option<Arc<Secure>>) -> Self {
        let prot = match &secure {
            Some(secure) if secure.implicit => Prot::Private,
            _ => Prot::Clear,
        };
        Self {
            secure,
            prot,
            failed_logins: self.failed_logins,
            ..Self::default()
        }
    }

    /// Carries out a change. Gives back a data endpoint where one is to be kept from now on (`Some(Some)`) or the
    /// kept one is to be dropped (`Some(None)`).
    pub fn apply(&mut self, change: Change) -> Option<Option<Endpoint>> {
        match change {
            Change::Nothing | Change::BroughtBy(..) => {}
            Change::Named(name) => self.login = Login::Named(name),
            Change::LoggedIn(account) => {
                self.cwd = account.home.clone();
                self.login = Login::In(account);
                self.failed_logins = 0;
            }
            Change::LoginFailed => {
                self.login = Login::Nobody;
                self.failed_logins += 1;
            }
            Change::Reinitialised => {
                *self = self.begun_anew(self.secure.clone());
                return Some(None);
            }
            // The session does it.
            Change::Secure => {}
            Change::Secured(secure) => {
                *self = self.begun_anew(Some(secure));
                return Some(None);
            }
            Change::Prot(prot) => self.prot = prot,
            Change::Sscn(on) => self.sscn = on,
            Change::Cwd(path) => self.cwd = path,
            Change::Rest(offset) => {
                self.rest = (offset > 0).then_some(offset);
                self.range = None;
            }
            Change::Range(range) => {
                self.range = range;
                self.rest = None;
            }
            Change::RenameFrom(path) => self.rename_from = Some(path),
            Change::Pret(pret) => {
                self.pret = pret;
                return Some(None);
            }
            Change::Endpoint(endpoint) => {
                self.cpsv = false;
                return Some(Some(endpoint));
            }
            Change::ClientEndpoint(endpoint) => {
                self.cpsv = true;
                return Some(Some(endpoint));
            }
            Change::EpsvAll => self.epsv_all = true,
            Change::EpsvNamesAddress(yes) => self.epsv_names_address = yes,
            Change::Expected(size) => self.expected = Some(size),
            Change::Type(transfer_type) => self.transfer_type = transfer_type,
            Change::Utf8(on) => self.utf8 = on,
            Change::Facts(facts) => self.facts = facts,
            Change::Hash(algorithm) => self.hash = algorithm,
            Change::XDupe(mode) => self.xdupe = mode,
            Change::Client(name) => self.client = Some(name),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> VfsPath {
        VfsPath::absolute(text.as_bytes()).unwrap()
    }

    fn bob() -> Arc<Account> {
        Arc::new(Account {
            home: path("/home/bob"),
            ..Account::of_test("bob", "users")
        })
    }

    #[test]
    fn a_restart_position_lives_over_pasv_and_dies_with_any_other_verb() {
        let mut state = State::default();
        assert!(state.apply(Change::Rest(100)).is_none());
        state.began(Keeps::Rest, false);
        assert_eq!(state.rest, Some(100));
        state.began(Keeps::Nothing, false);
        assert_eq!(state.rest, None);
    }

    #[test]
    fn rest_and_rang_put_each_other_out() {
        let part = OctetRange {
            start: 5,
            end: Some(9),
        };
        let mut state = State::default();
        state.apply(Change::Rest(100));
        state.apply(Change::Range(Some(part)));
        assert_eq!((state.rest, state.range), (None, Some(part)));
        state.began(Keeps::Rest, false);
        assert_eq!(state.range, Some(part));
        state.apply(Change::Rest(0));
        assert_eq!((state.rest, state.range), (None, None));
        state.apply(Change::Range(Some(part)));
        assert!(state.forgets(Keeps::Nothing, false));
        state.began(Keeps::Nothing, false);
        assert_eq!(state.range, None);
    }

    #[test]
    fn a_restart_at_zero_is_none() {
        let mut state = State::default();
        state.apply(Change::Rest(5));
        state.apply(Change::Rest(0));
        assert_eq!(state.rest, None);
    }

    #[test]
    fn every_verb_ends_a_rename_that_did_not_follow() {
        let mut state = State::default();
        state.apply(Change::RenameFrom(path("/a")));
        state.began(Keeps::Rest, false);
        assert_eq!(state.rename_from, None);
    }

    #[test]
    fn pret_stays_until_a_transfer_verb() {
        let mut state = State::default();
        let pret = Pret {
            verb: ftp::Verb::new("STOR").unwrap(),
            path: Some(path("/a")),
        };
        let dropped = state.apply(Change::Pret(Some(pret.clone())));
        assert!(matches!(dropped, Some(None)));
        state.began(Keeps::Nothing, false);
        assert_eq!(state.pret, Some(pret));
        state.began(Keeps::Nothing, true);
        assert_eq!(state.pret, None);
    }

    #[test]
    fn a_login_stands_in_the_home_directory_and_rein_forgets_all_but_the_failures() {
        let mut state = State::default();
        state.apply(Change::LoginFailed);
        state.apply(Change::Named("bob".to_owned()));
        state.apply(Change::LoggedIn(bob()));
        assert_eq!(state.cwd, path("/home/bob"));
        assert_eq!(state.failed_logins, 0);
        state.apply(Change::LoginFailed);
        state.apply(Change::Facts(Facts::SIZE));
        assert!(matches!(state.apply(Change::Reinitialised), Some(None)));
        assert!(state.account().is_none());
        assert_eq!(
            (state.failed_logins, state.facts, state.cwd.is_root()),
            (1, Facts::DEFAULT, true)
        );
    }
}
