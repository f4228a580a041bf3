//! The table of verbs. A verb is one constant in a family's file and one line here; HELP, FEAT, the login gate, the
//! rules about order and about a running transfer, logs and `SITE WHO` all follow from it.

#[cfg(test)]
mod dress_tests;
mod endpoint;
#[cfg(test)]
mod endpoint_tests;
mod files;
mod hash;
mod info;
mod list;
#[cfg(test)]
mod list_tests;
mod login;
mod navigate;
mod own;
#[cfg(test)]
mod own_tests;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod rights_tests;
mod secure;
#[cfg(test)]
mod secure_tests;
mod site;
#[cfg(test)]
pub(crate) mod testing;
mod transfer;

use bytes::Bytes;
use drftpd_protocol::ftp::{ArgError, Reply, args};
use futures_util::future::LocalBoxFuture;

use super::error::FtpError;
use super::services::VerbCx;
use super::state::State;
pub use super::state::{Change, Keeps};
pub(super) use login::MUST_CHANGE;

/// One verb.
pub struct Verb {
    /// Its name, upper-case.
    pub name: &'static str,
    /// Other names for the same (RFC 775).
    pub aliases: &'static [&'static str],
    /// What HELP says of its arguments, in the notation of RFC 959.
    pub syntax: &'static str,
    /// Its lines in FEAT.
    pub feat: Feat,
    /// Who may use it.
    pub gate: Gate,
    /// Whether it is carried out while a transfer runs, in front of lines that wait.
    pub while_busy: WhileBusy,
    /// What it leaves standing of REST and ALLO.
    pub keeps: Keeps,
    /// What it is to the session while it runs.
    pub kind: Kind,
    /// Carries it out.
    pub run: Run,
}

/// Carries out a verb. Dropped at any await when the client aborts or goes away: what it holds must be in guards.
pub type Run = fn(VerbCx, Arg) -> LocalBoxFuture<'static, VerbResult>;

/// Who may use a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Everybody, before login too.
    Anyone,
    /// Only who is logged in; others hear 530.
    LoggedIn,
}

/// Whether a verb is carried out while a transfer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhileBusy {
    /// It waits for the end.
    Waits,
    /// It is, if it has no argument.
    Bare,
    /// It is.
    Runs,
}

/// What a verb is to the session while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Short: it ends by itself, and nothing overtakes it.
    Quick,
    /// May take long: ABOR cuts it, and `while_busy` verbs overtake it.
    Long,
    /// Uses the data connection: as [`Kind::Long`], and it takes the session's endpoint and uses up PRET, keeps the
    /// session from being idle, may finish while draining, and ends at once when the client goes away.
    Data,
    /// ABOR: cuts what runs.
    Abort,
    /// AUTH: as [`Kind::Quick`], and nothing may have been sent behind it: it would be in clear, and count as if it
    /// were not.
    Alone,
}

/// A verb's lines in FEAT.
#[derive(Clone, Copy)]
pub enum Feat {
    /// None.
    Nothing,
    /// This.
    Line(&'static str),
    /// These.
    Lines(&'static [&'static str]),
    /// These, where the client may have TLS.
    Secure(&'static [&'static str]),
    /// Depends on the session.
    Of(fn(&State) -> String),
}

impl Verb {
    /// What most verbs are; a verb's constant names what differs, and its name, syntax and function.
    pub const PLAIN: Self = Self {
        name: "",
        aliases: &[],
        syntax: "",
        feat: Feat::Nothing,
        gate: Gate::LoggedIn,
        while_busy: WhileBusy::Waits,
        keeps: Keeps::Nothing,
        kind: Kind::Quick,
        run: |_, _| {
            Box::pin(std::future::ready(Err(FtpError::Said(
                Reply::not_implemented(),
            ))))
        },
    };
}

/// All verbs, by name.
pub static VERBS: &[&Verb] = &[
    &info::ABOR,
    &login::ACCT,
    &transfer::ALLO,
    &transfer::APPE,
    &secure::AUTH,
    &secure::CCC,
    &navigate::CDUP,
    &endpoint::CEPR,
    &info::CLNT,
    &endpoint::CPSV,
    &navigate::CWD,
    &files::DELE,
    &endpoint::EPRT,
    &endpoint::EPSV,
    &info::FEAT,
    &hash::HASH,
    &info::HELP,
    &login::HOST,
    &login::IDNT,
    &list::LIST,
    &files::MDTM,
    &files::MFCT,
    &files::MFF,
    &files::MFMT,
    &files::MKD,
    &list::MLSD,
    &list::MLST,
    &info::MODE,
    &list::NLST,
    &info::NOOP,
    &info::OPTS,
    &login::PASS,
    &endpoint::PASV,
    &secure::PBSZ,
    &endpoint::PORT,
    &endpoint::PRET,
    &secure::PROT,
    &navigate::PWD,
    &login::QUIT,
    &transfer::RANG,
    &login::REIN,
    &transfer::REST,
    &transfer::RETR,
    &files::RMD,
    &files::RNFR,
    &files::RNTO,
    &site::SITE,
    &files::SIZE,
    &secure::SSCN,
    &list::STAT,
    &transfer::STOR,
    &transfer::STOU,
    &info::STRU,
    &info::SYST,
    &info::TYPE,
    &login::USER,
    &hash::XCRC,
    &hash::XMD5,
    &hash::XSHA,
    &hash::XSHA256,
    &hash::XSHA512,
    #[cfg(test)]
    &testing::XTESTPANIC,
    #[cfg(test)]
    &testing::XTESTREST,
    #[cfg(test)]
    &testing::XTESTSTATE,
    #[cfg(test)]
    &testing::XTESTTALK,
    #[cfg(test)]
    &testing::XTESTWAIT,
];

/// The verb of that name or alias (upper-case).
pub fn find(name: &str) -> Option<&'static Verb> {
    VERBS
        .iter()
        .find(|verb| verb.name == name || verb.aliases.contains(&name))
        .copied()
}

/// A verb's argument: the bytes as they came, spaces and all.
#[derive(Clone, Default)]
pub struct Arg(Bytes);

impl Arg {
    /// An argument; empty where there is none.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether there is none, blanks aside.
    pub fn is_blank(&self) -> bool {
        self.0.trim_ascii().is_empty()
    }

    /// A path that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn path(&self) -> Result<&[u8], ArgError> {
        args::path(&self.0)
    }
}

impl std::ops::Deref for Arg {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// What a verb did.
#[derive(Debug)]
pub struct Done {
    /// Its (last) reply.
    pub reply: Reply,
    /// What is to change in the session.
    pub change: Change,
    /// Whether the connection ends with this reply.
    pub ends: bool,
    /// Whether the reply is not said (to a bouncer that waits for none).
    pub unsaid: bool,
}

/// What a verb did, or why not.
pub type VerbResult = Result<Done, FtpError>;

impl From<Reply> for Done {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            change: Change::Nothing,
            ends: false,
            unsaid: false,
        }
    }
}

impl Done {
    /// A reply, and a change.
    pub fn with(reply: Reply, change: Change) -> Self {
        Self {
            reply,
            change,
            ends: false,
            unsaid: false,
        }
    }

    /// A reply after which the connection ends.
    pub fn ending(reply: Reply) -> Self {
        Self {
            ends: true,
            ..reply.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_sound() {
        let mut seen = BTreeSet::new();
        for verb in VERBS {
            for name in std::iter::once(&verb.name).chain(verb.aliases) {
                assert!(seen.insert(*name), "{name} is there twice");
                let parsed = drftpd_protocol::ftp::Verb::new(name);
                assert_eq!(parsed.as_deref(), Some(*name), "{name} is no verb");
                assert!(std::ptr::eq(find(name).unwrap(), *verb));
            }
            assert!(
                verb.syntax == verb.name || verb.syntax.starts_with(&format!("{} ", verb.name)),
                "{}: syntax {:?} does not begin with the name",
                verb.name,
                verb.syntax
            );
        }
        assert!(VERBS.is_sorted_by_key(|verb| verb.name));
    }

    #[test]
    fn only_harmless_verbs_work_before_login() {
        let open: Vec<_> = VERBS
            .iter()
            .filter(|verb| verb.gate == Gate::Anyone && !verb.name.starts_with("XTEST"))
            .map(|verb| verb.name)
            .collect();
        let want = [
            "ACCT", "AUTH", "CCC", "CLNT", "FEAT", "HELP", "HOST", "IDNT", "NOOP", "OPTS", "PASS",
            "PBSZ", "PROT", "QUIT", "REIN", "SYST", "USER",
        ];
        assert_eq!(open, want);
    }
}
